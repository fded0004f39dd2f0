"""Who may: the authorizer's word on every request, and the 403 that tells what was asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sampan.api.errors import FORBIDDEN, StatusError, forbidden
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User
from sampan.lib.http import Answer, Filter, Handler, Request

# A browser that shows the message must not run what a client put into its URL.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

_NOT_TO_BE_GUESSED = (("X-Content-Type-Options", "nosniff"),)

Authorize = Callable[[User, RequestInfo], tuple[bool, str]]


def authorization(authorize: Authorize) -> Filter:
    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            allowed, reason = authorize(request.user, request.attributes)
            if not allowed:
                request.answer_headers += _NOT_TO_BE_GUESSED
                raise refusal(request.user, request.attributes, reason)
            return inner(request)

        return handle

    return install


def refusal(user: User, info: RequestInfo, reason: str) -> StatusError:
    """Worded as responsewriters.Forbidden does."""
    why = describe(user, info)
    if reason:
        why += f": {reason}"
    if not info.is_resource:
        return StatusError(403, FORBIDDEN, f"forbidden: {why}", details={})
    return forbidden(info.resource, info.group, info.name, why)


def describe(user: User, info: RequestInfo) -> str:
    return _sentence(user, info).translate(_ESCAPES)


def _sentence(user: User, info: RequestInfo) -> str:
    who = f'User "{user.name}"'
    if not info.is_resource:
        return f'{who} cannot {info.verb} path "{info.path}"'
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    where = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    return f'{who} cannot {info.verb} resource "{resource}" in API group "{info.group}" {where}'

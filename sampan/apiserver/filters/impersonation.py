"""Impersonate-User and its kin: a user who may acts as another.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import unquote

from sampan.api.errors import internal_error
from sampan.apiserver.authn import ANONYMOUS, UNAUTHENTICATED, authenticated_groups
from sampan.apiserver.filters.authorization import refusal
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User
from sampan.lib.http import Answer, Filter, Handler, Request

_PREFIX = "impersonate-"
_USER = "impersonate-user"
_UID = "impersonate-uid"
_GROUP = "impersonate-group"
_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"


def impersonation(authorize: Callable[[User, RequestInfo], tuple[bool, str]]) -> Filter:
    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            for name in request.headers:
                if name.startswith(_PREFIX):
                    request.user = _impersonated(request, authorize)
                    break
            return inner(request)

        return handle

    return install


def _impersonated(request: Request, authorize: Callable[[User, RequestInfo], tuple[bool, str]]) -> User:
    name = request.headers.get(_USER)
    if not name:
        raise internal_error("requested impersonation without impersonating a user")
    groups = request.header_values(_GROUP)
    extra: dict[str, tuple[str, ...]] = {}
    for header in request.headers:
        if header.startswith(_EXTRA):
            extra[unquote(header[len(_EXTRA) :])] = tuple(request.header_values(header))
    uid = request.headers.get(_UID, "")
    for info in _questions(name, groups, uid, extra):
        allowed, reason = authorize(request.user, info)
        if not allowed:
            raise refusal(request.user, info, reason)
    return User(name, uid, _all_groups(name, groups), extra)


def _questions(name: str, groups: list[str], uid: str, extra: dict[str, tuple[str, ...]]) -> Iterator[RequestInfo]:
    """What must be allowed: the verb impersonate on each thing that is put on."""
    if name.startswith(_ACCOUNT) and name.count(":") == 3:
        _, _, namespace, account = name.split(":")
        yield _question("", "serviceaccounts", account, namespace)
    else:
        yield _question("", "users", name)
    for group in groups:
        yield _question("", "groups", group)
    for key, values in extra.items():
        for value in values:
            info = _question("authentication.k8s.io", "userextras", value)
            info.subresource = key
            yield info
    if uid:
        yield _question("authentication.k8s.io", "uids", uid)


def _question(group: str, resource: str, name: str, namespace: str = "") -> RequestInfo:
    info = RequestInfo("", "impersonate")
    info.is_resource = True
    info.group, info.version, info.resource, info.name, info.namespace = group, "v1", resource, name, namespace
    return info


def _all_groups(name: str, groups: list[str]) -> tuple[str, ...]:
    found = list(groups)
    if name.startswith(_ACCOUNT) and name.count(":") == 3 and not found:
        found = ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
    if name == ANONYMOUS.name:
        if UNAUTHENTICATED not in found:
            found.append(UNAUTHENTICATED)
        return tuple(found)
    return authenticated_groups(found)

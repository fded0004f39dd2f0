"""Requests for a group-version of another server go there; behind the authorization filter, for its rules are this server's.

After handler_proxy.go of k8s.io/kube-aggregator.
"""

from __future__ import annotations

from collections.abc import Awaitable
from urllib.parse import unquote

from sampan.api.errors import StatusError, bad_request, entity_too_large
from sampan.apiserver.aggregation.frontproxy import identity_headers
from sampan.apiserver.aggregation.remotes import Remote, Remotes
from sampan.apiserver.answers import text_answer
from sampan.apiserver.filters.boundary import ANSWERS
from sampan.apiserver.reverseproxy import HEAD_SECONDS, forward, passed_on
from sampan.lib.http import Answer, Filter, Handler, Request
from sampan.lib.httpbody import BodyTooLarge, IncomingBody

_DISCOVERY_SECONDS = 5.0
"""Clients ask every server for that before anything else."""
_APIS = "/apis/"
_OPENAPI = "/openapi/v3/apis/"


def aggregated(remotes: Remotes, max_body_bytes: int) -> Filter:
    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            if not remotes.by_version and request.incoming is None:
                return inner(request)
            remote = _remote(remotes, request.path)
            if remote is not None:
                return _pass(request, remote)
            if request.incoming is not None and request.attributes.subresource != "proxy":
                return _locally(request, request.incoming, inner, max_body_bytes)
            return inner(request)

        return handle

    return install


def is_aggregated(remotes: Remotes, target: bytes) -> bool:
    """Whether a request's target is another server's to answer."""
    return bool(remotes.by_version) and _remote(remotes, unquote(target.partition(b"?")[0])) is not None


async def _locally(request: Request, body: IncomingBody, inner: Handler, limit: int) -> Answer:
    """It was to be passed on when it arrived, and no longer is."""
    try:
        request.body = await body.whole(limit)
    except BodyTooLarge:
        raise entity_too_large(limit) from None
    except ConnectionError as error:
        raise bad_request(str(error)) from None
    request.incoming = None
    answer = inner(request)
    return answer if isinstance(answer, ANSWERS) else await answer


def _remote(remotes: Remotes, path: str) -> Remote | None:
    for prefix in (_APIS, _OPENAPI):
        if path.startswith(prefix):
            parts = path[len(prefix) :].split("/", 2)
            return remotes.by_version.get((parts[0], parts[1])) if len(parts) > 1 else None
    return None


async def _pass(request: Request, remote: Remote) -> Answer:
    if not remote.available:
        return text_answer("service unavailable\n", 503)
    if remote.transport is None:
        return text_answer(remote.problem + "\n", 500)
    headers = [*passed_on(request), *identity_headers(request.user)]
    is_discovery = len(request.path.strip("/").split("/")) == 3
    try:
        seconds = _DISCOVERY_SECONDS if is_discovery else HEAD_SECONDS
        return await forward(request, remote.transport, request.raw_path, headers, head_seconds=seconds)
    except StatusError:  # the Service has nobody behind it
        return text_answer("service unavailable\n", 503)
    except (ConnectionError, TimeoutError) as error:
        return text_answer(f"error trying to reach service: {error}\n", 503)

"""Requests for a group-version of another server go there; behind the authorization filter, for its rules are this server's.

After handler_proxy.go of k8s.io/kube-aggregator.
"""

from __future__ import annotations

from collections.abc import Awaitable

from sampan.api.errors import StatusError
from sampan.apiserver.aggregation.frontproxy import identity_headers
from sampan.apiserver.aggregation.remotes import Remote, Remotes
from sampan.apiserver.answers import text_answer
from sampan.apiserver.reverseproxy import forward, passed_on
from sampan.lib.http import Answer, Filter, Handler, Request

_APIS = "/apis/"
_OPENAPI = "/openapi/v3/apis/"


def aggregated(remotes: Remotes) -> Filter:
    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            if not remotes.by_version:
                return inner(request)
            remote = _remote(remotes, request.path)
            return inner(request) if remote is None else _pass(request, remote)

        return handle

    return install


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
    try:
        return await forward(request, remote.transport, request.raw_path, headers)
    except StatusError:  # the Service has nobody behind it
        return text_answer("service unavailable\n", 503)
    except (ConnectionError, TimeoutError) as error:
        return text_answer(f"error trying to reach service: {error}\n", 503)

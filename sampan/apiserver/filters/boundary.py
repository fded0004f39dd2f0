"""The outermost filter: every failure becomes a `metav1.Status`, also the ones nobody thought of."""

from __future__ import annotations

from collections.abc import Awaitable

from sampan.api.errors import TIMEOUT, StatusError, internal_error, service_unavailable
from sampan.apiserver.answers import failure, warning_headers
from sampan.lib.http import Answer, Handler, Request, Response, Stream, Upgrade
from sampan.lib.log import get_logger
from sampan.store.base import StoreTimeout, StoreUnavailable

log = get_logger("apiserver")

_NOT_CACHED = (("Cache-Control", "no-cache, private"),)
ANSWERS = (Response, Stream, Upgrade)


def boundary(inner: Handler) -> Handler:
    def handle(request: Request) -> Answer | Awaitable[Answer]:
        try:
            answer = inner(request)
        except Exception as error:  # one of the two boundaries of a request: answered at once
            return _headed(request, refuse(request, error))
        return _headed(request, answer) if isinstance(answer, ANSWERS) else _guard(request, answer)

    return handle


async def _guard(request: Request, answer: Awaitable[Answer]) -> Answer:
    try:
        found = await answer
    except Exception as error:  # the other: answered later
        found = refuse(request, error)
    return _headed(request, found)


def _headed(request: Request, answer: Answer) -> Answer:
    answer.headers += request.answer_headers
    if not any(name.lower() == "cache-control" for name, _ in answer.headers):
        answer.headers += _NOT_CACHED
    if request.attributes is not None and request.attributes.warnings:
        answer.headers += warning_headers(request.attributes.warnings)
    return answer


def refuse(request: Request, error: Exception) -> Response:
    known = refusal(error)
    if known.code == 500 and known is not error:
        log.exception("request failed", method=request.method, path=request.path, exc_info=error)
    return failure(request, known)


def refusal(error: Exception) -> StatusError:
    """What the client is told of `error`."""
    if isinstance(error, StatusError):
        return error
    if isinstance(error, StoreTimeout):
        return StatusError(504, TIMEOUT, f"Timeout: request did not complete within requested timeout - {error}")
    if isinstance(error, StoreUnavailable) and str(error).startswith("etcdserver: "):
        return StatusError(500, "", str(error))  # etcd's own words, which upstream passes on as they are
    if isinstance(error, StoreUnavailable):
        return service_unavailable(f"the store is unavailable: {error}")
    return internal_error(f"{type(error).__name__}: {error}")

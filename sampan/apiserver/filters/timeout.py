"""A request that is not a stream ends within the server's limit, or a shorter one that it names: 504, as upstream's filters.

After apiserver's endpoints/filters/request_deadline.go and server/filters/timeout.go.
"""

from __future__ import annotations

from collections.abc import Awaitable
from time import monotonic

from sampan.api import duration
from sampan.api.errors import TIMEOUT, StatusError, bad_request
from sampan.apiserver.filters.boundary import ANSWERS
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.deadlines import Deadlines
from sampan.lib.http import Answer, Filter, Handler, Request

LONG_VERBS = frozenset(("watch", "proxy"))
LONG_SUBRESOURCES = frozenset(("attach", "exec", "log", "portforward", "proxy"))


def timeout(seconds: float) -> Filter:
    """Of streams and upgrades only the time until they begin counts, and not what the client says of it."""
    deadlines = Deadlines()

    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            limit = _wanted(request, seconds) if "timeout=" in request.query else seconds
            answer = inner(request)
            if isinstance(answer, ANSWERS) or request.attributes.subresource == "proxy":
                return answer  # what a proxied server takes its time for is between it and its client
            return _bounded(deadlines, request, answer, limit)

        return handle

    return install


def _wanted(request: Request, longest: float) -> float:
    """Raises StatusError 400."""
    info: RequestInfo = request.attributes
    text = request.parameters().get("timeout", "")
    if not text or info.verb in LONG_VERBS or (info.is_resource and info.subresource in LONG_SUBRESOURCES):
        return longest
    try:
        wanted = duration.parse(text)
    except ValueError as error:
        raise bad_request(f"invalid timeout specified in the request URL - {error}") from None
    return wanted if 0 < wanted < longest else longest


async def _bounded(deadlines: Deadlines, request: Request, answer: Awaitable[Answer], seconds: float) -> Answer:
    try:
        # The loop's own clock: a limit that guards the machine stays true while a test's clock stands still.
        return await deadlines.bound(answer, seconds - (monotonic() - request.received if request.received else 0))
    except TimeoutError:
        message = "Timeout: request did not complete within the allotted timeout"
        raise StatusError(504, TIMEOUT, message, details={}) from None

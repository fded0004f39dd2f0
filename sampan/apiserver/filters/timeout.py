"""A request that is not a stream ends within the server's limit: 504, as upstream's timeout filter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from sampan.api.errors import TIMEOUT, StatusError
from sampan.apiserver.filters.boundary import ANSWERS
from sampan.lib.http import Answer, Filter, Handler, Request


def timeout(seconds: float) -> Filter:
    """Of streams and upgrades only the time until they begin counts."""

    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            answer = inner(request)
            return answer if isinstance(answer, ANSWERS) else _bounded(request, answer, seconds)

        return handle

    return install


async def _bounded(request: Request, answer: Awaitable[Answer], seconds: float) -> Answer:
    try:
        # The loop's own timer: a limit that guards the machine stays true while a test's clock stands still.
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        message = "Timeout: request did not complete within the allotted timeout"
        raise StatusError(504, TIMEOUT, message) from None

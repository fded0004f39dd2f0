"""The body of a request that is read as it comes, for what only passes it on: of any length, at the reader's pace.

Which requests those are the server's `passes_on` says once their head is there. Any other body is whole in `Request.body`.
"""

from __future__ import annotations

import asyncio

from sampan.lib.duplex import Inflow

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyTooLarge(Exception):
    """More than the reader takes."""


class IncomingBody(Inflow):
    """`read` raises ConnectionError where the client goes away before the end. `length` is None where it was not told."""

    def __init__(self, transport: asyncio.Transport, length: int | None, *, is_awaited: bool) -> None:
        super().__init__(transport)
        self.length = length
        self._is_awaited = is_awaited
        """The client sends nothing before it hears that somebody reads (Expect: 100-continue)."""

    @property
    def arrived(self) -> bool:
        """Whether all of it is here, or will never be."""
        return self._ended

    async def read(self) -> bytes:
        if self._is_awaited:
            self._is_awaited = False
            if not self._chunks and not self._ended and not self._transport.is_closing():
                self._transport.write(CONTINUE)
        return await super().read()

    async def whole(self, limit: int) -> bytes:
        """Raises BodyTooLarge, ConnectionError."""
        parts, size = [], 0
        while data := await self.read():
            size += len(data)
            if size > limit:
                raise BodyTooLarge
            parts.append(data)
        return b"".join(parts)

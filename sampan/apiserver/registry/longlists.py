"""Long lists leave in pieces: the loop serves others in between, and no list stands in memory twice.

What is listed is fixed when the answer begins; the objects are shared with the cache, so a list in progress costs one reference
an object.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence

from sampan.apiserver.answers import COMPRESS_BYTES, takes_gzip
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.views import LIST_END, View
from sampan.lib.http import Request, Sink, Stream

STREAMED_OBJECTS = 500
"""Lists longer than this are streamed."""
_PIECE_OBJECTS = 128
_GZIP = 31


def stream_list(request: Request, view: View, objects: Sequence[CachedObject], metadata: bytes, limit_seconds: float) -> Stream:
    """A JSON list, compressed if the client takes that; cut off for a client that does not read it in time."""
    packed = takes_gzip(request) and _is_large(objects)

    async def produce(sink: Sink) -> None:
        pack = zlib.compressobj(1, wbits=_GZIP) if packed else None
        async with asyncio.timeout(limit_seconds):
            for piece in _pieces(view, objects, metadata):
                sink.write(pack.compress(piece) if pack else piece)
                await sink.drain()
                # A drain of an empty buffer does not wait, and others want their turn.
                await asyncio.sleep(0)
            if pack:
                sink.write(pack.flush())

    headers = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")) if packed else ()
    return Stream(produce, content_type=view.content_type, headers=headers, whole=True)


def _is_large(objects: Sequence[CachedObject]) -> bool:
    size = 0
    for obj in objects:
        size += len(obj.item)
        if size > COMPRESS_BYTES:
            return True
    return False


def _pieces(view: View, objects: Sequence[CachedObject], metadata: bytes) -> Iterator[bytes]:
    before = view.list_head(metadata)
    for start in range(0, len(objects), _PIECE_OBJECTS):
        yield before + b",".join(view.items(objects[start : start + _PIECE_OBJECTS]))
        before = b","
    yield LIST_END

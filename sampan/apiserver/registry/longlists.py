"""Long lists leave in pieces: the loop serves others in between, and no list stands in memory twice.

What is listed is fixed when the answer begins; the objects are shared with the cache, so a list in progress costs one reference
an object.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence

import msgspec

from sampan.apiserver.answers import COMPRESS_BYTES, takes_gzip, yaml_of
from sampan.apiserver.negotiation import YAML
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.views import LIST_END, View
from sampan.lib.http import JSON_TYPE, Request, Sink, Stream

STREAMED_OBJECTS = 500
"""Lists longer than this are streamed."""
STREAMED_BYTES = 1024 * 1024
"""And those that are larger."""
_PIECE_OBJECTS = 128
_PIECE_BYTES = 256 * 1024
_GZIP = 31
_decode = msgspec.json.decode


def is_long(objects: Sequence[CachedObject]) -> bool:
    return len(objects) > STREAMED_OBJECTS or _is_larger(objects, STREAMED_BYTES)


def stream_list(
    request: Request,
    view: View,
    objects: Sequence[CachedObject],
    metadata: bytes,
    limit_seconds: float,
    media_type: str = JSON_TYPE,
) -> Stream:
    """A list in JSON or YAML, compressed if the client takes that; cut off for a client that does not read it in time."""
    pieces = _yaml_pieces if media_type == YAML else _pieces
    packed = takes_gzip(request) and _is_larger(objects, COMPRESS_BYTES)

    async def produce(sink: Sink) -> None:
        pack = zlib.compressobj(1, wbits=_GZIP) if packed else None
        async with asyncio.timeout(limit_seconds):
            for piece in pieces(view, objects, metadata):
                # Milliseconds a piece, which a thread takes from nobody.
                sink.write(await asyncio.to_thread(pack.compress, piece) if pack else piece)
                await sink.drain()
                # A drain of an empty buffer does not wait, and others want their turn.
                await asyncio.sleep(0)
            if pack:
                sink.write(pack.flush())

    headers = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")) if packed else ()
    return Stream(produce, content_type=media_type if media_type == YAML else view.content_type, headers=headers, whole=True)


def _is_larger(objects: Sequence[CachedObject], limit: int) -> bool:
    size = 0
    for obj in objects:
        size += len(obj.item)
        if size > limit:
            return True
    return False


def _pieces(view: View, objects: Sequence[CachedObject], metadata: bytes) -> Iterator[bytes]:
    before = view.list_head(metadata)
    for some in _parts(objects):
        yield before + b",".join(view.items(some))
        before = b","
    yield LIST_END if objects else before + LIST_END


def _yaml_pieces(view: View, objects: Sequence[CachedObject], metadata: bytes) -> Iterator[bytes]:
    """As `yaml_of` writes the whole list: its fields in order, the items without indentation."""
    tree = _decode(view.list_head(metadata) + LIST_END)
    *_, of_items = tree
    yield yaml_of({field: value for field, value in tree.items() if field < of_items}) + of_items.encode() + b":\n"
    for some in _parts(objects):
        yield yaml_of([_decode(item) for item in view.items(some)])
    if behind := {field: value for field, value in tree.items() if field > of_items}:
        yield yaml_of(behind)


def _parts(objects: Sequence[CachedObject]) -> Iterator[Sequence[CachedObject]]:
    """Few objects at a time, and fewer of those that are large."""
    start = size = 0
    for index, obj in enumerate(objects):
        size += len(obj.item)
        if size >= _PIECE_BYTES or index - start >= _PIECE_OBJECTS - 1:
            yield objects[start : index + 1]
            start, size = index + 1, 0
    if start < len(objects):
        yield objects[start:]

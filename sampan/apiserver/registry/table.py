"""`meta.k8s.io` Tables: rows of printer columns, what `kubectl get` shows.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import msgspec

from sampan.api.errors import bad_request, invalid
from sampan.api.groups.columnhelp import column_help
from sampan.api.groups.columns import AGE, NAME
from sampan.api.resource import Column, Resource, Tree, Value
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.views import LIST_END, bookmark_metadata, metadata_of
from sampan.lib.clock import Clock
from sampan.lib.http import JSON_TYPE, Sink

_encode = msgspec.json.encode
_decode = msgspec.json.decode

_INCLUDED = ("None", "Metadata", "Object")


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """A kind that names no column of its own has its name and age."""
    columns = tuple(resource.columns)
    if any(column.name == "Name" for column in columns):
        return columns
    return (NAME, *columns, AGE)


def _definition(resource: Resource, column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type_,
        "format": column.format_,
        "description": column.description or column_help(resource, column.name),
        "priority": column.priority,
    }


def _at_path(path: str) -> Callable[[Tree, float], Value]:
    names = [name for name in path.split(".") if name]

    def cell(tree: Tree, now: float) -> Value:
        value: Any = tree
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str | int | float | bool) else None

    return cell


_NO_COLUMNS = b'"columnDefinitions":null'


class TableView:
    """Objects as rows; `include` says what of each object goes along: "None", "Metadata" or "Object"."""

    content_type = JSON_TYPE
    is_stored_form = False

    def __init__(
        self, resource: Resource, version: str, include: str, source: Callable[[CachedObject], bytes], clock: Clock
    ) -> None:
        if include not in _INCLUDED:
            problem = invalid("includeObject", include, "must be 'Metadata', 'Object', 'None', or empty")
            raise bad_request(f"Unable to convert to Table as requested: {problem}")
        self.identity = f"table/{version}/{include}/{resource.group_version}"
        self._include = include
        self._order = resource.row_order
        self._conditions = resource.row_conditions
        self._source = source
        self._clock = clock
        columns = columns_of(resource)
        self._cells = [_at_path(c.cell) if isinstance(c.cell, str) else c.cell for c in columns]
        self._head = b'{"kind":"Table","apiVersion":"meta.k8s.io/%b","metadata":' % version.encode()
        self.definitions = b'"columnDefinitions":%b' % _encode([_definition(resource, c) for c in columns])
        self._columns = b',%b,"rows":[' % self.definitions
        self._partial = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":' % version.encode()

    def without_columns(self) -> TableView:
        """For watchers, who are told the columns once."""
        view = copy(self)
        view.identity += "/rows"
        view._columns = b',%b,"rows":[' % _NO_COLUMNS
        return view

    def object(self, obj: CachedObject) -> bytes:
        metadata = b'{"resourceVersion":"%d"}' % obj.revision
        return b"".join((self.list_head(metadata), self._row(obj, self._clock.now()), LIST_END))

    def list_head(self, metadata: bytes) -> bytes:
        return self._head + metadata + self._columns

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        now, order = self._clock.now(), self._order
        if order is not None:
            objects = sorted(objects, key=lambda obj: order(_decode(self._source(obj))))
        return [self._row(obj, now) for obj in objects]

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        """Upstream sends the bookmark's metadata in a row of its own, where table watchers look for resourceVersions."""
        metadata = bookmark_metadata(revision)
        row = b'{"cells":[%b],"object":%b%b}}' % (b",".join([b'""'] * len(self._cells)), self._partial, metadata)
        return b"".join((self._head, b'{"resourceVersion":"%d"}' % revision, self._columns, row, LIST_END))

    def _row(self, obj: CachedObject, now: float) -> bytes:
        body = self._source(obj)
        tree = _decode(body)
        cells = _encode([cell(tree, now) for cell in self._cells])
        if self._conditions is not None and (conditions := self._conditions(tree)):
            cells += b',"conditions":' + _encode(conditions)
        if self._include == "Metadata":
            return b'{"cells":%b,"object":%b%b}}' % (cells, self._partial, metadata_of(body))
        if self._include == "Object":
            return b'{"cells":%b,"object":%b}' % (cells, body)
        return b'{"cells":%b,"object":null}' % cells


class ColumnsOnce:
    """The connection of a watch that gets tables: only the first of them has its columns, as upstream's."""

    def __init__(self, sink: Sink, view: TableView) -> None:
        self._sink = sink
        self._columns = view.definitions

    def write(self, data: bytes) -> None:
        if self._columns and _NO_COLUMNS in data:
            data, self._columns = data.replace(_NO_COLUMNS, self._columns, 1), b""
        self._sink.write(data)

    async def drain(self) -> None:
        await self._sink.drain()

    @property
    def buffered_bytes(self) -> int:
        return self._sink.buffered_bytes

    @property
    def closed(self) -> bool:
        return self._sink.closed

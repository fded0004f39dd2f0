"""Patches: JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch, with the errors upstream answers.

No function changes what it is handed: the outcome shares with it whatever the patch does not touch.

    merge_patch({"a": 1, "b": {"c": 2}}, {"b": {"c": None}})      # {"a": 1, "b": {}}
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec

from sampan.api import strategic
from sampan.api.depth import is_too_deep
from sampan.api.errors import REQUEST_ENTITY_TOO_LARGE, StatusError, bad_request
from sampan.api.schema import Schema
from sampan.api.strategic import unprocessable

Value = Any
"""A JSON value."""
Tree = dict[str, Any]

MAX_OPERATIONS: Final = 10_000
MAX_COPIED_BYTES: Final = 3 * 1024 * 1024

_index = re.compile(r"-?[0-9]+", re.ASCII).fullmatch


class _DoesNotApply(Exception):
    """An operation fails; so does the whole patch."""


def strategic_patch(tree: Tree, patch: Tree, schema: Schema) -> Tree:
    """Raises StatusError 400, 422, or 500 where upstream has no better."""
    try:
        return strategic.apply(tree, patch, schema)
    except RecursionError:
        raise bad_request("exceeded max depth") from None


def merge_patch(tree: Value, patch: Value) -> Value:
    """Raises StatusError 400 for a patch that is nested too deep."""
    try:
        return _merged(tree, patch)
    except RecursionError:
        raise bad_request("exceeded max depth") from None


def _merged(target: Value, patch: Value) -> Value:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def json_patch(tree: Value, operations: Sequence[Value]) -> Value:
    """Raises StatusError 400 for what is no patch, 413 for one too long, 422 for one that does not apply."""
    if len(operations) > MAX_OPERATIONS:
        found = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise StatusError(413, REQUEST_ENTITY_TOO_LARGE, f"Request entity too large: {found}")
    if not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("json: cannot unmarshal into Go value of type jsonpatch.Operation")
    document = _Document(tree)
    try:
        for operation in operations:
            document.apply(operation)
    except (_DoesNotApply, RecursionError):
        raise unprocessable() from None
    if is_too_deep(document.root):  # by moving things into others
        raise unprocessable()
    return document.root


def _pointer(operation: Tree, name: str) -> list[str]:
    """As upstream's library (evanphx/json-patch 4.12) reads it, which does not look at what stands before the first slash."""
    text = operation.get(name)
    if not isinstance(text, str) or (text and "/" not in text):
        raise _DoesNotApply
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _position(part: str, size: int) -> int:
    """An index into a list of `size`; negative ones count from its end, as upstream's library lets them."""
    if not _index(part) or len(part) > 10:
        raise _DoesNotApply
    index = int(part)
    index = index + size if index < 0 else index
    if not 0 <= index < size:
        raise _DoesNotApply
    return index


class _Document:
    """A document under patching. Containers are copied when first changed; those copied already may be changed in place."""

    def __init__(self, root: Value) -> None:
        self.root = root
        # Held by reference, so that no other object can get the id of one of them.
        self.owned: dict[int, Value] = {}
        self.copied_bytes = 0

    def apply(self, operation: Tree) -> None:
        path = _pointer(operation, "path")
        match operation.get("op"):
            case "add":
                self.add(path, operation.get("value"))
            case "remove":
                self.remove(path)
            case "replace":
                self.replace(path, operation.get("value"))
            case "move":
                source = _pointer(operation, "from")
                if path[: len(source)] == source and len(path) > len(source):
                    raise _DoesNotApply
                self.add(path, self.remove(source))
            case "copy":
                self.add(path, self.duplicate(_pointer(operation, "from")))
            case "test":
                if not equal(self.found(path), operation.get("value")):
                    raise _DoesNotApply
            case _:
                raise _DoesNotApply

    def get(self, path: Sequence[str]) -> Value:
        value = self.root
        for part in path:
            value = _child(value, part)
        return value

    def found(self, path: Sequence[str]) -> Value:
        """As `get`, but a key that its object lacks is null, as upstream's library has it."""
        if not path:
            return self.root
        parent = self.get(path[:-1])
        return parent.get(path[-1]) if isinstance(parent, dict) else _child(parent, path[-1])

    def duplicate(self, path: Sequence[str]) -> Value:
        """A deep copy: what stands at two places must not change at both. Bounded, as copies can double."""
        value = self.found(path)
        self.copied_bytes += len(msgspec.json.encode(value))
        if self.copied_bytes > MAX_COPIED_BYTES:
            raise _DoesNotApply
        return copy.deepcopy(value)

    def own(self, value: Value) -> Value:
        if id(value) in self.owned:
            return value
        if not isinstance(value, (dict, list)):
            raise _DoesNotApply
        mine = value.copy()
        self.owned[id(mine)] = mine
        return mine

    def container(self, path: Sequence[str]) -> Value:
        """The container at a path, made ours together with all above it."""
        self.root = container = self.own(self.root)
        for part in path:
            child = self.own(_child(container, part))
            if isinstance(container, list):
                container[_position(part, len(container))] = child
            else:
                container[part] = child
            container = child
        return container

    def add(self, path: Sequence[str], value: Value) -> None:
        if not path:
            self.root = value
            return
        container = self.container(path[:-1])
        if isinstance(container, dict):
            container[path[-1]] = value
        elif path[-1] == "-":
            container.append(value)
        else:
            container.insert(_position(path[-1], len(container) + 1), value)

    def remove(self, path: Sequence[str]) -> Value:
        if not path:
            raise _DoesNotApply
        container = self.container(path[:-1])
        if isinstance(container, list):
            return container.pop(_position(path[-1], len(container)))
        if path[-1] not in container:
            raise _DoesNotApply
        return container.pop(path[-1])

    def replace(self, path: Sequence[str], value: Value) -> None:
        if not path:
            self.root = value
            return
        container = self.container(path[:-1])
        if isinstance(container, list):
            container[_position(path[-1], len(container))] = value
        else:  # even a key that is not there, as upstream's library has it
            container[path[-1]] = value


def _child(container: Value, part: str) -> Value:
    if isinstance(container, dict) and part in container:
        return container[part]
    if isinstance(container, list):
        return container[_position(part, len(container))]
    raise _DoesNotApply


def equal(left: Value, right: Value) -> bool:
    """JSON equality: 1 is 1.0, but true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and cast(bool, left == right)

"""YAML bodies as JSON trees, the way sigs.k8s.io/yaml turns one into the other.

Built from parser events with a stack of our own: no recursion for deep nesting to break, and the nodes that aliases
multiply are counted while they are copied, so that a small text cannot become a large tree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from sampan.api.depth import MAX_DEPTH

MAX_NODES: Final = 1_000_000
"""Of the finished tree. A body of 3 MiB without aliases cannot reach it."""

_TRUE: Final = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE: Final = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_integer = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)").fullmatch
_float = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?").fullmatch
_STRING_TAGS: Final = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:binary", "!")

Node = Any
"""A JSON value."""


class YAMLError(ValueError):
    """Not YAML, or not what JSON can say; the message is as Go's yaml words it."""


class Loaded(NamedTuple):
    tree: Node
    repeated: list[str]
    """Messages about keys that a mapping has twice."""


class _Merge:
    """The key `<<`."""


_MERGE: Final = _Merge()
_NO_KEY: Final = _Merge()


class _Open:
    """A collection that is being read: its value and, in a mapping, the key that waits for one."""

    __slots__ = ("anchor", "key", "merged", "nodes", "value")

    def __init__(self, value: dict[str, Node] | list[Node], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: Any = _NO_KEY
        self.merged: list[Node] = []
        self.nodes = 1


def load(body: bytes) -> Loaded:
    """The first document of `body`. Raises YAMLError."""
    try:
        return _Builder().build(yaml.parse(body, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        raise YAMLError(f"yaml: {_where(error)}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        # A reader's error tells of a character.
        raise YAMLError(f"yaml: {getattr(error, 'reason', None) or str(error).splitlines()[0]}") from None
    except UnicodeDecodeError:
        raise YAMLError("yaml: invalid leading UTF-8 octet") from None


def _where(error: yaml.MarkedYAMLError) -> str:
    """As Go's yaml counts lines: from 1 in what the scanner finds, from 0 in what the parser finds, and never line 0."""
    line = error.problem_mark.line if error.problem_mark else 0
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    elif not line and error.context_mark:
        line = error.context_mark.line
    return f"line {line}: " if line else ""


class _Builder:
    def __init__(self) -> None:
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        """Anchored values, with the number of nodes in each."""
        self.nodes = 0
        self.repeated: list[str] = []
        self.root: Node = None

    def build(self, events: Iterator[yaml.Event]) -> Loaded:
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark else 0
            if isinstance(event, yaml.ScalarEvent):
                self.place(self.scalar(event), 1, event.anchor, line)
            elif isinstance(event, yaml.MappingStartEvent):
                self.open({}, event.anchor)
            elif isinstance(event, yaml.SequenceStartEvent):
                self.open([], event.anchor)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.close(line)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self.anchors:
                    raise YAMLError(f"yaml: unknown anchor '{event.anchor}' referenced")
                value, nodes = self.anchors[event.anchor]
                # Copied, so that who changes one place of the tree does not change the other.
                self.count(nodes)
                self.place(_copy(value), nodes, None, line)
            elif isinstance(event, yaml.DocumentEndEvent):
                break
        messages = ["\n  ".join(["yaml: unmarshal errors:", *self.repeated])] if self.repeated else []
        return Loaded(self.root, messages)

    def count(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise YAMLError("yaml: document contains excessive aliasing")

    def open(self, value: dict[str, Node] | list[Node], anchor: str | None) -> None:
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is _NO_KEY:
            raise YAMLError("yaml: invalid map key: a collection")
        if len(self.stack) >= MAX_DEPTH:
            raise YAMLError(f"yaml: exceeded max depth of {MAX_DEPTH}")
        self.count(1)
        self.stack.append(_Open(value, anchor))

    def close(self, line: int) -> None:
        closed = self.stack.pop()
        if isinstance(closed.value, dict):
            for merged in closed.merged:
                for source in merged if isinstance(merged, list) else [merged]:
                    if not isinstance(source, dict):
                        raise YAMLError("yaml: map merge requires map or sequence of maps as the value")
                    for key, value in source.items():
                        closed.value.setdefault(key, value)
        self.place(closed.value, closed.nodes, closed.anchor, line)

    def place(self, value: Node, nodes: int, anchor: str | None, line: int) -> None:
        """A finished value goes where the innermost open collection wants it."""
        if anchor:
            self.anchors[anchor] = (value, nodes)
        if not self.stack:
            self.root = None if value is _MERGE else value
            return
        parent = self.stack[-1]
        parent.nodes += nodes
        if isinstance(parent.value, list):
            parent.value.append("<<" if value is _MERGE else value)
        elif parent.key is _NO_KEY:
            parent.key = value if value is _MERGE else _key(value)
        else:
            if parent.key is _MERGE:
                parent.merged.append(value)
            else:
                if parent.key in parent.value:
                    self.repeated.append(f'line {line}: key "{parent.key}" already set in map')
                parent.value[parent.key] = "<<" if value is _MERGE else value
            parent.key = _NO_KEY

    def scalar(self, event: yaml.ScalarEvent) -> Node:
        self.count(1)
        text: str = event.value
        plain = not event.style and event.tag not in _STRING_TAGS
        if not plain and event.tag in (None, *_STRING_TAGS):
            return text
        return _MERGE if text == "<<" else resolve(text)


def resolve(text: str) -> str | int | float | bool | None:
    """What a plain scalar means in YAML 1.1 as Go's yaml reads it: no base-60 numbers, timestamps stay text."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    if _integer(text):
        return _whole_number(text)
    if _float(digits := text.replace("_", "")):
        number = float(digits)
        return number if math.isfinite(number) else text
    if text.lstrip("+-").lower() in (".inf", ".nan"):
        raise YAMLError(f"json: unsupported value: {text}")
    return text


def _whole_number(text: str) -> int | float | str:
    digits = text.replace("_", "")
    sign, digits = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        digits = "0o" + digits[1:]
    try:
        number = int(sign + digits, 0) if len(digits) < 100 else float(digits)
    except ValueError:
        return text
    return number if -(2**63) <= number < 2**64 else float(number)


def _key(value: Node) -> str:
    """JSON has only strings for keys."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return repr(value)


def _copy(value: Node) -> Node:
    # Its depth is bounded by MAX_DEPTH, its size was counted.
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner) for inner in value]
    return value

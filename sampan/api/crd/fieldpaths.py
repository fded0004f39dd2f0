"""Paths to fields, ".spec.foo['bar.baz']", as rules and selectable fields name them.

After ValidFieldPath in k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sampan.api.crd.structure import Structure

_TOKEN: Final = re.compile(r"[.\[\]]|'(?:[^']|(?<=\\)')*'|[^.\[\]]+")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


class FieldPathError(ValueError):
    """The message is upstream's."""


class FoundField(NamedTuple):
    path: str
    """As field errors write it."""
    root: str
    """Its first name."""
    structure: Structure


def find_field(text: str, structure: Structure, *, arrays: bool = True) -> FoundField:
    """The field that a path names. `arrays`: whether it may use brackets. Raises FieldPathError."""
    tokens = _TOKEN.findall(text)
    path, root, here = "", "", structure
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token == "[":
            if not arrays:
                raise FieldPathError("array notation is not allowed")
            name = _unquoted(_token(tokens, position + 1))
            position += 3
        elif token == ".":
            name = _token(tokens, position + 1)
            position += 2
        else:
            raise FieldPathError(f"expected [ or . but got: {token}")
        if here.properties:
            path = f"{path}.{name}" if path else name
        elif here.has_additional:
            path = f"{path}[{name}]"
        inner = here.properties.get(name) if here.properties else here.additional
        if inner is None:
            raise FieldPathError("does not refer to a valid field")
        if token == "[" and (closing := _token(tokens, position - 1)) != "]":
            raise FieldPathError(f"expected ] but got {closing}")
        here, root = inner, root or name
    return FoundField(path, root, here)


def _token(tokens: list[str], position: int) -> str:
    if position >= len(tokens):
        raise FieldPathError("unexpected end of JSON path")
    return tokens[position]


def _unquoted(token: str) -> str:
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise FieldPathError(f"expected single quoted string but got {token}")

    def character(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise FieldPathError(f"invalid string literal: invalid escape char {match[0]}")
        return _ESCAPES[match[1]]

    return _ESCAPE.sub(character, token[1:-1])

"""OpenAPI definitions as clients get them: in the dialect of OpenAPI 2 or 3, and only those that are reached.

What `kubernetes-validate` changed is put back: plain types for nullable ones, "quantity" and "int-or-string" as upstream
publishes them, no enumerations of kinds and API versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from sampan.api import definitions

Tree = dict[str, Any]

V2_PREFIX: Final = "#/definitions/"
V3_PREFIX: Final = "#/components/schemas/"

_QUANTITY_TEXT: Final = (
    "An exact amount: a decimal number with an optional suffix, one of the powers of 1000 (n, u, m, k, M, G, T, P, E), of 1024 "
    "(Ki, Mi, Gi, Ti, Pi, Ei) or an exponent (e3). It is written without a fraction and with the largest suffix that fits: "
    '"0.5" becomes "500m", "1024Mi" becomes "1Gi".'
)
_INT_OR_STRING_TEXT: Final = "Either a 32-bit number or a string, such as a port by number or name, or a count or percentage."

_SPECIAL_V2: Final[dict[str, Tree]] = {
    definitions.QUANTITY: {"description": _QUANTITY_TEXT, "type": "string"},
    definitions.INT_OR_STRING: {"description": _INT_OR_STRING_TEXT, "type": "string", "format": "int-or-string"},
}
_SPECIAL_V3: Final[dict[str, Tree]] = {
    definitions.QUANTITY: {"description": _QUANTITY_TEXT, "oneOf": [{"type": "string"}, {"type": "number"}]},
    definitions.INT_OR_STRING: {
        "description": _INT_OR_STRING_TEXT,
        "format": "int-or-string",
        "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
}
_BY_VALUE: Final = frozenset({"metadata", "spec", "status", "template"})
"""Fields that upstream's structs hold by value: an absent one is an empty object, and version 3 says so."""


def published(name: str, *, v3: bool) -> tuple[Tree, set[str]]:
    """A definition as it is published, and the names of those that it refers to. Raises KeyError."""
    special = (_SPECIAL_V3 if v3 else _SPECIAL_V2).get(name)
    if special is not None:
        return special, set()
    writer = _Writer(v3)
    return writer.schema(definitions.definition(name)), writer.references


def reached(roots: Iterable[str], more: Mapping[str, tuple[Tree, AbstractSet[str]]], *, v3: bool) -> dict[str, Tree]:
    """The definitions `roots`, and all that these refer to, by name in order. Unknown roots are left out. `more`: definitions
    that are not built in, each with the names that it refers to."""
    waiting = [name for name in roots if name in definitions.names() or name in more]
    found: dict[str, Tree] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name], references = more.get(name) or published(name, v3=v3)
            waiting.extend(references - found.keys())
    return {name: found[name] for name in sorted(found)}


class _Writer:
    def __init__(self, v3: bool) -> None:
        self.v3 = v3
        self.references: set[str] = set()

    def schema(self, raw: Tree) -> Tree:
        """Of a definition or of a place that refers to none."""
        written = {
            key: value
            for key, value in raw.items()
            if key not in ("$ref", "type", "properties", "items", "additionalProperties")
        }
        if type_ := definitions.plain_type(raw):
            written["type"] = type_
        if "properties" in raw:
            written["properties"] = {name: self.field(name, place) for name, place in raw["properties"].items()}
        for key in ("items", "additionalProperties"):
            if isinstance(raw.get(key), dict):
                written[key] = self.place(raw[key], by_value=True)
        return written

    def field(self, name: str, raw: Tree) -> Tree:
        if name in ("apiVersion", "kind"):
            raw = {key: value for key, value in raw.items() if key != "enum"}
        return self.place(raw, by_value=name in _BY_VALUE)

    def place(self, raw: Tree, *, by_value: bool) -> Tree:
        reference = definitions.referenced(raw)
        if not reference:
            return self.schema(raw)
        self.references.add(reference)
        beside = {key: value for key, value in raw.items() if key != "$ref"}
        if not self.v3:
            return {"$ref": V2_PREFIX + reference, **beside}
        # Version 3.0 ignores what stands beside a reference; "allOf" of one is the same with room beside it.
        if by_value and reference not in _SPECIAL_V3 and reference not in (definitions.TIME, definitions.MICRO_TIME):
            beside["default"] = {}
        pointer = {"$ref": V3_PREFIX + reference}
        return {"allOf": [pointer], **beside} if beside else pointer

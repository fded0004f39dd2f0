"""A structural schema: the tree of what a custom object may hold, read once from the JSON of `openAPIV3Schema`.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

Tree = dict[str, Any]
Value = Any
"""A JSON value."""

copied: Final = msgspec.to_builtins
"""A JSON value of one's own, as deep as it goes."""
META_FIELDS: Final = frozenset(("apiVersion", "kind", "metadata"))


class Structure:
    """One node. Value validations under allOf, anyOf, oneOf and not stay in `raw`: they say nothing of structure."""

    __slots__ = (
        "additional",
        "default",
        "embedded",
        "has_additional",
        "int_or_string",
        "items",
        "list_type",
        "map_keys",
        "map_type",
        "nullable",
        "preserves_unknown",
        "properties",
        "raw",
        "rules",
        "type",
    )

    def __init__(self, raw: Tree) -> None:
        self.raw = raw
        self.type: str = raw.get("type", "")
        self.properties: dict[str, Structure] = {
            name: Structure(raw["properties"][name]) for name in sorted(raw.get("properties") or ())
        }
        items, additional = raw.get("items"), raw.get("additionalProperties")
        self.items: Structure | None = Structure(items) if isinstance(items, dict) else None
        self.additional: Structure | None = Structure(additional) if isinstance(additional, dict) else None
        """The schema of a map's values."""
        self.has_additional = additional is not None
        """Whether keys besides `properties` stand; with nothing specified below them where `additional` is None."""
        self.default: Value = raw.get("default")
        """None: no default."""
        self.nullable = bool(raw.get("nullable"))
        self.preserves_unknown = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = bool(raw.get("x-kubernetes-embedded-resource"))
        self.int_or_string = bool(raw.get("x-kubernetes-int-or-string"))
        self.list_type: str = raw.get("x-kubernetes-list-type", "")
        self.map_keys: tuple[str, ...] = tuple(raw.get("x-kubernetes-list-map-keys") or ())
        self.map_type: str = raw.get("x-kubernetes-map-type", "")
        self.rules: list[Tree] = raw.get("x-kubernetes-validations") or []

    def field(self, name: str) -> Structure | None:
        """What is said of a key; None where nothing is."""
        return self.properties.get(name) or self.additional

    @property
    def specifies(self) -> bool:
        """Whether anything is said of what is inside."""
        return bool(self.properties) or self.has_additional or self.items is not None or self.embedded

    def as_root(self) -> Structure:
        """The same at the root of an object, which has apiVersion, kind and metadata whether the schema says so or not."""
        if self.embedded:
            return self
        return Structure({**self.raw, "x-kubernetes-embedded-resource": True})

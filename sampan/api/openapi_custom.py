"""The OpenAPI definitions of custom resources: what their schemas say, in the dialect of OpenAPI 2 or 3.

After k8s.io/apiextensions-apiserver/pkg/controller/openapi. Version 2 knows less, and kubectl reads it strictly: where
a schema says more than it can hold, it says nothing there rather than something wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sampan.api import definitions
from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.discovery import Served
from sampan.api.openapi_definitions import V2_PREFIX, V3_PREFIX, published
from sampan.api.resource import Resource

Tree = dict[str, Any]

_LIST_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_POD: Final = "io.k8s.api.core.v1.Pod"
_CONVENTIONS: Final = "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_EXTENSIONS: Final = (
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-validations",
)  # fmt: skip
_VALUES: Final = (
    "description", "title", "default", "nullable", "type", "format", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf", "enum",
    "maxProperties", "minProperties", "required",
)  # fmt: skip
_ALTERNATIVES: Final = ("allOf", "anyOf", "oneOf")
_EMBEDDED_HELP: Final = {
    "apiVersion": f"apiVersion defines the versioned schema of this representation of an object. {_CONVENTIONS}#resources",
    "kind": (
        f"kind is a string value representing the type of this object. In CamelCase. {_CONVENTIONS}#types-kinds"
    ),
}  # fmt: skip


class Published(NamedTuple):
    tree: Tree
    references: frozenset[str]
    """The definitions that it refers to."""


def custom_definitions(served: Iterable[Served], *, v3: bool) -> dict[str, Published]:
    """Of those that are custom resources, and of their lists, by name."""
    found: dict[str, Published] = {}
    for each in served:
        resource = each.resource
        if resource is not None and isinstance(resource.custom_schema, CustomSchema):
            found[resource.definition] = _object(resource, resource.custom_schema, v3)
            found[f"{resource.definition}List"] = _list(resource, v3)
    return found


def raw_schema(schema: CustomSchema) -> Tree:
    """What the definition says, for the root of an object."""
    return {key: value for key, value in schema.structure.raw.items() if key != "x-kubernetes-embedded-resource"}


def _object(resource: Resource, schema: CustomSchema, v3: bool) -> Published:
    raw = raw_schema(schema)
    if not v3 and (schema.preserves or raw.get("x-kubernetes-preserve-unknown-fields")):
        # Named properties would make kubectl refuse all others.
        tree: Tree = {"type": "object"}
    else:
        tree = _Writer(v3).node(raw)
        tree["properties"] = {**tree.get("properties", {}), **_identity(v3), "metadata": _reference(*_META, v3)}
    return Published({**tree, **_extensions(resource, resource.kind)}, frozenset((definitions.OBJECT_META,)))


def _list(resource: Resource, v3: bool) -> Published:
    prefix = V3_PREFIX if v3 else V2_PREFIX
    items = {
        "description": f"List of {resource.plural}. {_CONVENTIONS}",
        "type": "array",
        "items": {"$ref": prefix + resource.definition},
    }
    help_ = f"Standard list metadata. {_CONVENTIONS}#types-kinds"
    tree = {
        "description": f"{resource.list_kind} is a list of {resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {**_identity(v3), "items": items, "metadata": _reference(_LIST_META, help_, v3)},
        **_extensions(resource, resource.list_kind),
    }
    return Published(tree, frozenset((_LIST_META, resource.definition)))


_META: Final = (definitions.OBJECT_META, f"Standard object's metadata. {_CONVENTIONS}#metadata")


def _extensions(resource: Resource, kind: str) -> Tree:
    tree: Tree = {"x-kubernetes-group-version-kind": [{"group": resource.group, "kind": kind, "version": resource.version}]}
    if resource.selectable:
        tree["x-kubernetes-selectable-fields"] = [{"fieldPath": path} for path in resource.selectable]
    return tree


@lru_cache(maxsize=2)
def _identity(v3: bool) -> Tree:
    """What every kind says of apiVersion and kind."""
    properties = published(_POD, v3=v3)[0]["properties"]
    return {name: properties[name] for name in ("apiVersion", "kind")}


def _reference(name: str, description: str, v3: bool) -> Tree:
    if v3:
        return {"allOf": [{"$ref": V3_PREFIX + name}], "description": description}
    return {"$ref": V2_PREFIX + name, "description": description}


class _Writer:
    def __init__(self, v3: bool) -> None:
        self.v3 = v3

    def node(self, raw: Tree) -> Tree:
        """A place of the schema, with all below it."""
        tree = {key: raw[key] for key in (*_VALUES, *_EXTENSIONS) if raw.get(key) not in (None, False, [], "")}
        if "properties" in raw:
            tree["properties"] = {name: self.node(place) for name, place in raw["properties"].items()}
        for key in ("items", "additionalProperties"):
            if isinstance(raw.get(key), dict):
                tree[key] = self.node(raw[key])
            elif raw.get(key) is True:
                tree[key] = True
        if not self.v3:
            _narrow(tree)
        else:
            tree |= {key: raw[key] for key in (*_ALTERNATIVES, "not") if raw.get(key)}
            _unfold(tree)
        if raw.get("x-kubernetes-embedded-resource") and (self.v3 or not raw.get("x-kubernetes-preserve-unknown-fields")):
            self._embed(tree)
        return tree

    def _embed(self, tree: Tree) -> None:
        own = {name: {**_identity(self.v3)[name], "description": text} for name, text in _EMBEDDED_HELP.items()}
        tree["properties"] = {**tree.get("properties", {}), **own, "metadata": _reference(*_META, self.v3)}
        required = tree.get("required", [])
        tree["required"] = [*required, *(name for name in ("kind", "apiVersion") if name not in required)]


def _unfold(tree: Tree) -> None:
    """Say of a number or string that it is either, where the definition leaves that to the extension."""
    if not tree.get("x-kubernetes-int-or-string"):
        return
    either = [{"type": "integer"}, {"type": "string"}]
    first = tree["allOf"][0].get("anyOf") if tree.get("allOf") else None
    if tree.get("anyOf") == either or first == either:
        return
    if "anyOf" in tree:
        tree["allOf"] = [{"anyOf": either}, *tree.get("allOf", ())]
    else:
        tree["anyOf"] = either


def _narrow(tree: Tree) -> None:
    """To what clients of version 2 understand."""
    tree.pop("default", None)  # as upstream's published document has none
    if tree.pop("nullable", False):
        for key in ("type", "items", "properties"):
            tree.pop(key, None)
        tree["x-nullable"] = True
    if tree.get("x-kubernetes-preserve-unknown-fields"):
        tree.pop("items", None)
        tree.pop("properties", None)
        if tree.get("type") == "object":
            del tree["type"]
    if tree.get("type") == "array" and "items" not in tree:
        del tree["type"]
    required = [name for name in tree.get("required", ()) if not _is_nullable(tree.get("properties", {}).get(name))]
    if _is_nullable(tree.get("additionalProperties")):
        required = []
    tree.pop("required", None)
    if required:
        tree["required"] = required
    for place in (*tree.get("properties", {}).values(), tree.get("items"), tree.get("additionalProperties")):
        if isinstance(place, dict):
            place.pop("x-nullable", None)


def _is_nullable(place: object) -> bool:
    return isinstance(place, dict) and "x-nullable" in place

"""Schemas: what may stand where in an object, how lists and maps merge, and the decoding of request bodies.

A `Schema` is a place in an object: the shape of what stands there and how patches treat it. Built-in kinds take theirs
from `definitions`; a custom resource's is built by the same constructor from its structural schema. Walk it by name:

    pod = schema_of("io.k8s.api.core.v1.Pod")
    pod.field("spec").field("containers").merge_key          # "name"

and decode with it. Decoding checks types, finds unknown and repeated fields, drops nulls (null means absent in a built-in kind)
and what Go cannot tell from absent (`hostNetwork: false`, `labels: {}`), and writes quantities and times in canonical form:

    tree, strict = pod.admit(body)     # strict: ['unknown field "spec.foo"', 'duplicate field "spec.hostname"']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sampan.api import definitions
from sampan.api.gofields import SHOWN, plain_fields

if TYPE_CHECKING:
    from sampan.api.apply.places import Place
    from sampan.api.decoding import Admitted, Decoder, TypeProblem

Tree = dict[str, Any]
Resolver = Callable[[str], Tree]
"""From the name of a definition to its schema."""


class Type(Enum):
    """What JSON may stand at a place, and with what care."""

    ANY = "any"
    OBJECT = "object"
    """Known fields."""
    MAP = "map"
    """Any keys, one kind of value."""
    FREE = "free"
    """An object whose inside is nobody's business: RawExtension, FieldsV1."""
    LIST = "list"
    STRING = "string"
    BYTES = "bytes"
    BOOLEAN = "boolean"
    INT32 = "int32"
    INT64 = "int64"
    NUMBER = "float64"
    TIME = "time"
    MICRO_TIME = "micro-time"
    QUANTITY = "quantity"
    INT_OR_STRING = "int-or-string"


_BY_DEFINITION: Final = {
    definitions.QUANTITY: Type.QUANTITY,
    definitions.INT_OR_STRING: Type.INT_OR_STRING,
    definitions.TIME: Type.TIME,
    definitions.MICRO_TIME: Type.MICRO_TIME,
}
PLAIN_ZEROES: Final[dict[Type, Any]] = {
    Type.STRING: "",
    Type.BOOLEAN: False,
    Type.INT32: 0,
    Type.INT64: 0,
    Type.LIST: [],
    Type.MAP: {},
}
"""What `Shape.omitted_zeroes` speaks of. An object has no such value: in Go it always stands, be it empty."""
_SCALARS: Final = {"boolean": Type.BOOLEAN, "number": Type.NUMBER}


class Shape:
    """What stands at a place, shared by every place that refers to the same definition. Inner schemas are made when asked."""

    __slots__ = (
        "_fields",
        "_items",
        "_raw",
        "_resolver",
        "_values",
        "extensions",
        "field_names",
        "filler",
        "go_type",
        "name",
        "omitted_zeroes",
        "struct",
        "type",
    )

    def __init__(self, raw: Tree, resolver: Resolver, name: str = "") -> None:
        self.name = name
        """The definition's name; "" for what stands in line."""
        self.type = _BY_DEFINITION.get(name) or _type_of(raw)
        self.extensions = {key: value for key, value in raw.items() if key.startswith("x-kubernetes-")}
        self._raw: Tree = {key: raw[key] for key in ("properties", "items", "additionalProperties") if key in raw}
        self._resolver = resolver
        self._fields: dict[str, Schema] = {}
        self._items: Schema | None = None
        self._values: Schema | None = None
        self.field_names = tuple(self._raw.get("properties", ()))
        self.go_type = _go_type(name)
        written = SHOWN.get(name, frozenset()).union(raw.get("required", ()))
        self.omitted_zeroes = plain_fields(name).difference(written) if name else frozenset()
        """The fields that are absent when they have their zero value, where they are of a type in PLAIN_ZEROES."""
        self.struct: Any = None
        """The msgspec struct that `fasttypes` makes of it, once it did."""
        self.filler: Any = None
        """What `standing` puts into it, once it knows."""

    def field(self, name: str) -> Schema | None:
        found = self._fields.get(name)
        if found is None:
            raw = self._raw.get("properties", {}).get(name)
            if raw is None:
                return None
            found = self._fields[name] = Schema(raw, self._resolver)
        return found

    @property
    def items(self) -> Schema | None:
        if self._items is None and isinstance(self._raw.get("items"), dict):
            self._items = Schema(self._raw["items"], self._resolver)
        return self._items

    @property
    def values(self) -> Schema | None:
        if self._values is None and isinstance(self._raw.get("additionalProperties"), dict):
            self._values = Schema(self._raw["additionalProperties"], self._resolver)
        return self._values


def _type_of(raw: Tree) -> Type:
    if raw.get("x-kubernetes-int-or-string"):
        return Type.INT_OR_STRING
    declared = definitions.plain_type(raw)
    if declared == "object" or "properties" in raw:
        if isinstance(raw.get("additionalProperties"), dict):
            return Type.MAP
        return Type.OBJECT if "properties" in raw else Type.FREE
    if declared == "array":
        return Type.LIST
    if declared == "integer":
        return Type.INT32 if raw.get("format") == "int32" else Type.INT64
    if declared == "string":
        return Type.BYTES if raw.get("format") == "byte" else Type.STRING
    return _SCALARS.get(declared, Type.ANY)


def _go_type(definition: str) -> str:
    """ "v1.PodSpec" of "io.k8s.api.core.v1.PodSpec": what upstream's decoder calls it in errors."""
    return ".".join(definition.rsplit(".", 2)[-2:])


class Schema:
    """A place in an object. See the module."""

    __slots__ = (
        "_decoder",
        "default_value",
        "list_type",
        "map_keys",
        "map_type",
        "merge_key",
        "patch_strategy",
        "place",
        "preserves_unknown",
        "shape",
    )

    def __init__(self, raw: Tree, resolver: Resolver = definitions.definition) -> None:
        reference = definitions.referenced(raw)
        self.shape: Shape = _shape(reference, resolver) if reference else Shape(raw, resolver)
        # What stands beside a reference speaks of this place, and goes before what the definition says of itself.
        extensions: Mapping[str, Any] = {**self.shape.extensions, **raw} if reference else raw
        strategies: str = extensions.get("x-kubernetes-patch-strategy", "")
        self.patch_strategy: frozenset[str] = frozenset(strategies.split(",")) - {""}
        """Of "merge", "replace" and "retainKeys"."""
        self.merge_key: str = extensions.get("x-kubernetes-patch-merge-key", "")
        """The field that tells the items of a list apart in a strategic merge patch."""
        self.list_type: str = extensions.get("x-kubernetes-list-type", "")
        """"atomic", "set" or "map"; "" is atomic."""
        self.map_keys: tuple[str, ...] = tuple(extensions.get("x-kubernetes-list-map-keys", ()))
        """The fields that tell the items of a "map" list apart in server-side apply."""
        self.map_type: str = extensions.get("x-kubernetes-map-type", "")
        """"granular" or "atomic"; "" is granular."""
        self.preserves_unknown: bool = bool(extensions.get("x-kubernetes-preserve-unknown-fields", False))
        self.default_value: Any = raw.get("default")
        """What a custom resource's schema says that stands here when nothing does; None: nothing."""
        self._decoder: Decoder | None = None
        self.place: Place | None = None
        """How server-side apply sees it, once it did."""

    def __repr__(self) -> str:
        return f"Schema({self.shape.name or self.shape.type.value})"

    @property
    def type(self) -> Type:
        return self.shape.type

    def field(self, name: str) -> Schema | None:
        """The place of a field; of any key in a map. None where there is no such place or nothing is said of it."""
        found = self.shape.field(name)
        return found if found is not None else self.shape.values

    @property
    def items(self) -> Schema | None:
        """The place of each item of a list."""
        return self.shape.items

    @property
    def values(self) -> Schema | None:
        """The place of each value of a map."""
        return self.shape.values

    @property
    def decoder(self) -> Decoder:
        if self._decoder is None:
            from sampan.api.decoding import Decoder  # the decoder walks schemas: this is where the two meet

            self._decoder = Decoder(self)
        return self._decoder

    def admit(self, body: bytes, *, yaml: bool = False, kind: str = "", version: str = "") -> Admitted:
        """A request's body → (tree, strict): checked, without unknown fields and nulls, quantities and times canonical.

        `strict` names unknown and repeated fields, as warnings and strict decoding errors do. `kind` and `version` are the
        endpoint's, for messages and for bodies that do not say them. Raises StatusError 400 as upstream words it."""
        return self.decoder.admit(body, yaml=yaml, kind=kind, version=version)

    def admit_at_once(self, body: bytes) -> Admitted | None:
        """The same for JSON, as long as it takes no second look; None for what may take long."""
        return self.decoder.admit_at_once(body)

    def admit_tree(self, tree: Tree) -> Admitted:
        """The same for an object that is decoded already, such as a patch's outcome. Raises TypeProblem."""
        return self.decoder.admit_tree(tree)

    def admit_applied(self, tree: Tree) -> Admitted:
        """`admit_tree` of what server-side apply has merged."""
        return self.admit_tree(tree)

    def check(self, tree: Tree) -> list[TypeProblem]:
        """What of a decoded object is not of its type; [] when all is."""
        return self.decoder.check(tree)


_shapes: dict[tuple[str, Resolver], Shape] = {}


def _shape(name: str, resolver: Resolver) -> Shape:
    found = _shapes.get((name, resolver)) if resolver is definitions.definition else None
    if found is None:
        found = Shape(resolver(name), resolver, name)
        if resolver is definitions.definition:
            _shapes[name, resolver] = found
    return found


@lru_cache(maxsize=1024)
def schema_of(definition: str) -> Schema:
    """The schema of a built-in definition, such as "io.k8s.api.core.v1.Pod"; shared. Raises KeyError."""
    return Schema({"$ref": definitions.REFERENCE_PREFIX + definition})

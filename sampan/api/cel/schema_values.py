"""JSON trees of a structural schema as CEL values, adapted when they are looked at.

`adapter_of(schema)` is made once a schema, `adapter(tree)` costs nothing but an object. Fields that the schema does not have
cannot be seen; null is as good as absent in an object with properties; lists compare and add as their
x-kubernetes-list-type says.

After k8s.io/apiserver/pkg/cel/common/values.go.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from sampan.api.cel.comparing import equal, find
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.escaping import escape, unescape
from sampan.api.cel.schema_scalars import Adapt, Never, scalar_of
from sampan.api.cel.types import opaque
from sampan.api.cel.values import MISSING, Listed, Mapped, Opaque, Value

Schema = Mapping[str, Any]
"""A structural schema as its definition has it, in JSON."""


class Rule(NamedTuple):
    """How a value of a schema is adapted. What is a `plain` is a value already."""

    plain: type
    adapt: Adapt


class FieldRule(NamedTuple):
    name: str
    """In JSON."""
    plain: type
    adapt: Adapt


class ObjectRule:
    """Of an object with properties. Fields are found out when first asked for: most have many that nobody asks for."""

    __slots__ = ("_properties", "fields")

    def __init__(self, properties: Mapping[str, Schema]) -> None:
        self._properties = properties
        self.fields: dict[str, FieldRule | None] = {}
        """By the names that expressions use."""

    def field(self, name: str) -> FieldRule | None:
        if name not in self.fields:
            json_name = unescape(name)
            schema = None if json_name is None else self._properties.get(json_name)
            if json_name is None or schema is None:
                self.fields[name] = None
            else:
                self.fields[name] = FieldRule(json_name, *rule_of(schema))
        return self.fields[name]


class ObjectValue(Mapped):
    """An object with properties."""

    __slots__ = ("raw", "rule")

    def __init__(self, raw: dict[str, Value], rule: ObjectRule) -> None:
        self.raw = raw
        self.rule = rule

    def __len__(self) -> int:
        return len(self.raw)

    def find(self, key: Value) -> Value:
        if type(key) is not str:
            raise no_such_overload()
        rule = self.rule.field(key)
        value = None if rule is None else self.raw.get(rule.name)
        if rule is None or value is None:
            return MISSING
        return value if value.__class__ is rule.plain else rule.adapt(value)

    def __iter__(self) -> Iterator[Value]:
        for name in self.raw:
            escaped = escape(name)
            if self.rule.field(name if escaped is None else escaped) is not None:
                yield name if escaped is None else escaped

    def equals(self, other: Value) -> bool:
        if not isinstance(other, (Mapped, dict)):
            raise no_such_overload()
        if len(self) != len(other):
            return False
        if isinstance(other, ObjectValue) and _same_json(self.raw, other.raw):
            return True
        return all(self._equal_at(name, other) for name in self.raw)

    def _equal_at(self, name: str, other: dict[str, Value] | Mapped) -> bool:
        key = escape(name) or name
        rule = self.rule.field(key)
        if rule is not None:
            found = find(other, key)
            return found is not MISSING and equal(self.find(key), found)
        if not isinstance(other, ObjectValue):
            raise no_such_overload()
        return name not in other.raw or _same_json(self.raw[name], other.raw[name])


class MapValue(Mapped):
    """An object with additionalProperties, or one whose content the schema does not tell, which then has none."""

    __slots__ = ("raw", "rule")

    def __init__(self, raw: dict[str, Value], rule: Rule | None) -> None:
        self.raw = raw
        self.rule = rule

    def __len__(self) -> int:
        return len(self.raw)

    def find(self, key: Value) -> Value:
        if type(key) is not str:
            raise no_such_overload()
        if self.rule is None or key not in self.raw:
            return MISSING
        value = self.raw[key]
        return value if value.__class__ is self.rule.plain else self.rule.adapt(value)

    def __iter__(self) -> Iterator[Value]:
        return iter(()) if self.rule is None else iter(self.raw)

    def equals(self, other: Value) -> bool:
        if not isinstance(other, (Mapped, dict)):
            raise no_such_overload()
        if len(self) != len(other):
            return False
        if isinstance(other, MapValue) and _same_json(self.raw, other.raw):
            return True
        if self.rule is None:
            return isinstance(other, MapValue) and all(
                name not in other.raw or _same_json(value, other.raw[name]) for name, value in self.raw.items()
            )
        for key in self.raw:
            found = find(other, key)
            if found is MISSING or not equal(self.find(key), found):
                return False
        return True


class ListValue(Listed):
    """A list without rules of its own (x-kubernetes-list-type: atomic)."""

    __slots__ = ("_adapted", "_rule", "raw")

    def __init__(self, raw: list[Value], rule: Rule) -> None:
        self.raw = raw
        self._rule = rule
        self._adapted: list[Value] | None = None

    def __len__(self) -> int:
        return len(self.raw)

    def all(self) -> list[Value]:
        """Its elements, adapted."""
        if self._adapted is None:
            plain, adapt = self._rule
            if set(map(type, self.raw)) <= {plain}:
                self._adapted = self.raw
            else:
                self._adapted = [adapt(element) for element in self.raw]
        return self._adapted

    def __iter__(self) -> Iterator[Value]:
        return iter(self.all())

    def at(self, index: int) -> Value:
        value = self.raw[index]
        return value if value.__class__ is self._rule.plain else self._rule.adapt(value)

    def contains(self, value: Value) -> bool:
        return any(equal(element, value) for element in self)

    def equals(self, other: Value) -> bool:
        if not isinstance(other, (list, Listed)):
            raise no_such_overload()
        if len(self) != len(other):
            return False
        if type(other) is type(self) and _same_json(self.raw, other.raw):
            return True
        return all(map(equal, self, other))

    def plus(self, other: Value) -> Value:
        return [*self, *_elements(other)]


class SetList(ListValue):
    """Of unlike scalars in any order."""

    __slots__ = ()

    def equals(self, other: Value) -> bool:
        if not isinstance(other, (list, Listed)):
            raise no_such_overload()
        if len(self) != len(other):
            return False
        own = set(map(_scalar, self))
        return all(_scalar(element) in own for element in other)

    def plus(self, other: Value) -> Value:
        """The union, what is new at the end."""
        union = list(self)
        own = set(map(_scalar, union))
        for element in _elements(other):
            if _scalar(element) not in own:
                own.add(_scalar(element))
                union.append(element)
        return SetList(union, _ADAPTED)


class MapList(ListValue):
    """Of objects in any order, each known by some of its fields."""

    __slots__ = ("_keys",)

    def __init__(self, raw: list[Value], rule: Rule, keys: tuple[str, ...]) -> None:
        super().__init__(raw, rule)
        self._keys = keys

    def _key(self, element: Value) -> Hashable:
        if not isinstance(element, (dict, Mapped)):
            raise CelRuntimeError("unexpected data format for element of array with x-kubernetes-list-type=map")
        return tuple(_scalar(find(element, key)) for key in self._keys)

    def equals(self, other: Value) -> bool:
        if not isinstance(other, (list, Listed)):
            raise no_such_overload()
        if len(self) != len(other):
            return False
        own = {self._key(element): element for element in self}
        for element in other:
            mine = own.get(self._key(element), MISSING)
            if mine is MISSING or not equal(mine, element):
                return False
        return True

    def plus(self, other: Value) -> Value:
        """What the other has replaces what is known by the same fields; what is new comes at the end."""
        merged = {self._key(element): element for element in self}
        merged.update({self._key(element): element for element in _elements(other)})
        return MapList(list(merged.values()), _ADAPTED, self._keys)


class Unseen(Opaque):
    """Data that the schema keeps without a type; it can be compared and nothing else."""

    __slots__ = ("raw",)
    cel_type = opaque("unknown")

    def __init__(self, raw: Value) -> None:
        self.raw = raw

    def equals(self, other: Value) -> bool:
        return _same_json(self.raw, other.raw if isinstance(other, Unseen) else other)


_ADAPTED = Rule(Never, lambda value: value)
"""Of elements that are values already."""


def _elements(of: Value) -> list[Value]:
    if not isinstance(of, (list, Listed)):
        raise no_such_overload()
    return list(of)


def _scalar(value: Value) -> Hashable:
    """To find equal scalars by; true and 1 are two."""
    return (value.__class__ is bool, value) if isinstance(value, Hashable) else repr(value)


def _same_json(left: Value, right: Value) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same_json(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same_json, left, right))
    return left == right


# Rules of schemas.

_STRING: Schema = {"type": "string"}
_NAMES: Schema = {"type": "object", "properties": {"name": _STRING, "generateName": _STRING}}


def with_object_meta(schema: Schema) -> Schema:
    """The schema of a whole object: it has a kind, an apiVersion and a name, whatever it says of itself."""
    properties = schema.get("properties") or {}
    metadata = properties.get("metadata") or {}
    names = metadata.get("properties") or {}
    typed = (properties.get("kind"), properties.get("apiVersion"), names.get("name"), names.get("generateName"))
    if metadata.get("type") == "object" and all((of or {}).get("type") == "string" for of in typed):
        return schema
    return {**schema, "properties": {**properties, "kind": _STRING, "apiVersion": _STRING, "metadata": _NAMES}}


def rule_of(schema: Schema) -> Rule:
    """How values of a schema are adapted."""
    if schema.get("x-kubernetes-int-or-string"):
        rule = scalar_of("int-or-string", "")
    elif schema.get("type") == "object":
        rule = Rule(Never, _object_adapter(schema))
    elif schema.get("type") == "array":
        rule = Rule(Never, _list_adapter(schema))
    elif schema.get("type"):
        rule = scalar_of(str(schema["type"]), str(schema.get("format") or ""))
    elif schema.get("x-kubernetes-preserve-unknown-fields"):
        rule = Rule(Never, Unseen)
    else:
        rule = scalar_of("", "")
    return Rule(rule[0], _nullable(rule[1], bool(schema.get("nullable"))))


def _nullable(adapt: Adapt, nullable: bool) -> Adapt:
    def checked(value: Value) -> Value:
        if value is not None:
            return adapt(value)
        if nullable:
            return None
        raise CelRuntimeError("invalid data, got null for schema with nullable=false")

    return checked


def _object_adapter(schema: Schema) -> Adapt:
    if schema.get("x-kubernetes-embedded-resource"):
        schema = with_object_meta(schema)
    properties = schema.get("properties")
    additional = schema.get("additionalProperties")
    wrap: Callable[[dict[str, Value]], Value]
    if properties:
        rule = ObjectRule(properties)
        wrap = lambda raw: ObjectValue(raw, rule)  # noqa: E731
    else:
        entries = rule_of(additional) if isinstance(additional, Mapping) else None
        wrap = lambda raw: MapValue(raw, entries)  # noqa: E731

    def adapt(value: Value) -> Value:
        if type(value) is not dict:
            raise CelRuntimeError("invalid data, expected a map for the provided schema with type=object")
        return wrap(value)

    return adapt


def _list_adapter(schema: Schema) -> Adapt:
    items = schema.get("items")
    rule = rule_of(items) if isinstance(items, Mapping) else None
    kind = schema.get("x-kubernetes-list-type") or "atomic"
    keys = tuple(escape(str(key)) or str(key) for key in schema.get("x-kubernetes-list-map-keys") or ())

    def adapt(value: Value) -> Value:
        if type(value) is not list:
            raise CelRuntimeError("invalid data, expected an array for the provided schema with type=array")
        if rule is None:
            raise CelRuntimeError("invalid array type, expected Items with a non-empty Schema")
        if kind == "map":
            return MapList(value, rule, keys)
        return SetList(value, rule) if kind == "set" else ListValue(value, rule)

    return adapt


def adapter_of(schema: Schema, *, resource_root: bool = False) -> Adapt:
    """What makes values of a schema's trees. Raises CelRuntimeError, then, for a tree that the schema does not describe."""
    return rule_of(with_object_meta(schema) if resource_root else schema).adapt


def schema_value(value: Value, schema: Schema, *, resource_root: bool = False) -> Value:
    """One tree of a schema; where there are more, take `adapter_of`."""
    return adapter_of(schema, resource_root=resource_root)(value)

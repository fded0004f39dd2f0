"""What a structural schema is to expressions: a type, and how large values of it can be.

`declaration_of` gives None for what expressions cannot see: unknown fields that are kept, lists and maps of such, and fields
of such types. After k8s.io/apiserver/pkg/cel/common/schemas.go and pkg/cel/types.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sampan.api.cel import limits, types
from sampan.api.cel.escaping import escape
from sampan.api.cel.schema_values import Schema, with_object_meta
from sampan.api.cel.types import CelType

_STRING_SPACE: Final = limits.MAX_REQUEST_SIZE - 2
"""The longest string that a request has room for."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A type with bounds. `least_size`: bytes of the shortest JSON of it; `most_elements`: of a list, map or string."""

    cel_type: CelType
    least_size: int
    most_elements: int = 0
    fields: Mapping[str, Declaration] = field(default_factory=dict)
    """Of an object, by the names that expressions use."""
    element: Declaration | None = None
    key: Declaration | None = None

    @property
    def most_often(self) -> int:
        """How many values of the type one request can hold: how often a rule on it may have to run."""
        return limits.MAX_REQUEST_SIZE // (self.least_size + 1)

    def at(self, path: Sequence[str]) -> Declaration | None:
        """What a path leads to, in which `@items`, `@keys` and `@values` stand for what a list or map holds."""
        here: Declaration | None = self
        for name in path:
            if here is None:
                return None
            if name in ("@items", "@values"):
                here = here.element
            elif name == "@keys":
                here = here.key
            else:
                here = here.fields.get(name)
        return here

    def __call__(self, path: Sequence[str]) -> int | None:
        """The size of what a variable of this type has at a path, which begins with the variable; for estimates of costs."""
        found = self.at(path[1:])
        return None if found is None else found.most_elements


_BOOL: Final = Declaration(types.BOOL, limits.MIN_BOOL_SIZE)
_DOUBLE: Final = Declaration(types.DOUBLE, limits.MIN_NUMBER_SIZE)
_INT: Final = Declaration(types.INT, limits.MIN_NUMBER_SIZE)
_KEY: Final = Declaration(types.STRING, limits.MIN_STRING_SIZE)
_INT_OR_STRING: Final = Declaration(types.DYN, 1, _STRING_SPACE)


def declaration_of(schema: Schema, *, resource_root: bool = False, name: str = "selfType") -> Declaration | None:
    """`resource_root`: of a whole object, which has a kind and a name whatever its schema says. `name`: of its type."""
    if schema.get("x-kubernetes-int-or-string"):
        return _INT_OR_STRING
    if resource_root:
        schema = with_object_meta(schema)
    match schema.get("type"):
        case "array":
            return _list(schema, name)
        case "object":
            additional = schema.get("additionalProperties")
            return _map(schema, additional, name) if isinstance(additional, Mapping) else _object(schema, name)
        case "string":
            return _string(schema)
        case "boolean":
            return _BOOL
        case "number":
            return _DOUBLE
        case "integer":
            return _INT
    return None


def _nested(schema: Schema, name: str) -> Declaration | None:
    return declaration_of(schema, resource_root=bool(schema.get("x-kubernetes-embedded-resource")), name=name)


def _list(schema: Schema, name: str) -> Declaration | None:
    items = schema.get("items")
    element = _nested(items, f"{name}.@idx") if isinstance(items, Mapping) else None
    if element is None:
        return None
    most = _bound(schema, "maxItems", (limits.MAX_REQUEST_SIZE - 2) // (element.least_size + 1))
    return Declaration(types.list_of(element.cel_type), 2, most, element=element)


def _map(schema: Schema, additional: Schema, name: str) -> Declaration | None:
    element = _nested(additional, f"{name}.@elem")
    if element is None:
        return None
    # A key is at least "":, and entries are parted by commas.
    most = _bound(schema, "maxProperties", (limits.MAX_REQUEST_SIZE - 2) // (element.least_size + 6))
    return Declaration(types.map_of(types.STRING, element.cel_type), 2, most, element=element, key=_KEY)


def _object(schema: Schema, name: str) -> Declaration:
    required = set(schema.get("required") or ())
    fields: dict[str, Declaration] = {}
    least = 2
    for property_, of in (schema.get("properties") or {}).items():
        escaped = escape(property_)
        declared = _nested(of, f"{name}.{escaped or property_}")
        if declared is None:
            continue
        if escaped is not None:
            fields[escaped] = declared
        if property_ in required and of.get("default") is None:
            least += len(property_.encode()) + declared.least_size + 4
    cel_type = types.object_type(name, {escaped: declared.cel_type for escaped, declared in fields.items()})
    return Declaration(cel_type, least, fields=fields)


def _string(schema: Schema) -> Declaration:
    match schema.get("format"):
        case "byte":
            return Declaration(types.BYTES, limits.MIN_STRING_SIZE, _bound(schema, "maxLength", _STRING_SPACE))
        case "duration":
            return Declaration(types.DURATION, limits.MIN_DURATION_SIZE, limits.MAX_DURATION_SIZE)
        case "date":
            return Declaration(types.TIMESTAMP, limits.DATE_SIZE, limits.DATE_SIZE)
        case "date-time":
            return Declaration(types.TIMESTAMP, limits.MIN_DATETIME_SIZE, limits.MAX_DATETIME_SIZE)
    if schema.get("maxLength") is not None:
        # The bound is of code points, of up to four bytes each.
        return Declaration(types.STRING, limits.MIN_STRING_SIZE, _bound(schema, "maxLength", 0) * 4)
    if values := schema.get("enum"):
        longest = max((len(value.encode()) for value in values if isinstance(value, str)), default=0)
        return Declaration(types.STRING, limits.MIN_STRING_SIZE, longest)
    return Declaration(types.STRING, limits.MIN_STRING_SIZE, _STRING_SPACE)


def _bound(schema: Mapping[str, Any], name: str, otherwise: int) -> int:
    given = schema.get(name)
    return otherwise if given is None else max(int(given), 0)


def cel_type_of(schema: Schema, *, resource_root: bool = False, name: str = "selfType") -> CelType:
    """The type of a schema's values; dyn where expressions cannot see them."""
    declared = declaration_of(schema, resource_root=resource_root, name=name)
    return types.DYN if declared is None else declared.cel_type

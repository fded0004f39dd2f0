"""The types of CEL, as the checker reasons about them and as `type(x)` shows them.

After github.com/google/cel-go/common/types/types.go and checker/format.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What shape a type has."""

    ANY = "any"
    BOOL = "bool"
    BYTES = "bytes"
    DOUBLE = "double"
    DURATION = "duration"
    DYN = "dyn"
    ERROR = "error"
    INT = "int"
    LIST = "list"
    MAP = "map"
    NULL = "null_type"
    OPAQUE = "opaque"
    PARAMETER = "parameter"
    STRING = "string"
    STRUCT = "struct"
    TIMESTAMP = "timestamp"
    TYPE = "type"
    UINT = "uint"

    # Compared far more often than shown; the members are unique, so that identity will do.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True, eq=False)
class CelType:
    """A type. Two are the same when kind, name and parameters are; an object's fields follow from its name."""

    kind: Kind
    name: str
    parameters: tuple[CelType, ...] = ()
    fields: Mapping[str, CelType] | None = field(default=None, repr=False)
    """Of an object, by the names that expressions use; None: it shows none."""
    key: tuple[object, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.kind, self.name, *(parameter.key for parameter in self.parameters)))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, CelType) and self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        if self.kind in _OTHER_NAMES:
            return _OTHER_NAMES[self.kind]
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(map(str, self.parameters))})"

    @property
    def is_dyn(self) -> bool:
        return self.kind is Kind.DYN or self.kind is Kind.ANY

    @property
    def is_optional(self) -> bool:
        return self.kind is Kind.OPAQUE and self.name == "optional_type"


_OTHER_NAMES = {
    Kind.ANY: "any",
    Kind.DURATION: "duration",
    Kind.ERROR: "!error!",
    Kind.NULL: "null",
    Kind.TIMESTAMP: "timestamp",
}
"""Where what is shown in errors differs from what `string(type(x))` gives."""

ANY = CelType(Kind.ANY, "google.protobuf.Any")
BOOL = CelType(Kind.BOOL, "bool")
BYTES = CelType(Kind.BYTES, "bytes")
DOUBLE = CelType(Kind.DOUBLE, "double")
DURATION = CelType(Kind.DURATION, "google.protobuf.Duration")
DYN = CelType(Kind.DYN, "dyn")
ERROR = CelType(Kind.ERROR, "error")
INT = CelType(Kind.INT, "int")
NULL = CelType(Kind.NULL, "null_type")
STRING = CelType(Kind.STRING, "string")
TIMESTAMP = CelType(Kind.TIMESTAMP, "google.protobuf.Timestamp")
TYPE = CelType(Kind.TYPE, "type")
UINT = CelType(Kind.UINT, "uint")


def list_of(element: CelType) -> CelType:
    return CelType(Kind.LIST, "list", (element,))


def map_of(key: CelType, value: CelType) -> CelType:
    return CelType(Kind.MAP, "map", (key, value))


def optional_of(value: CelType) -> CelType:
    return CelType(Kind.OPAQUE, "optional_type", (value,))


def type_of_type(of: CelType) -> CelType:
    return CelType(Kind.TYPE, "type", (of,))


def parameter(name: str) -> CelType:
    return CelType(Kind.PARAMETER, name)


def opaque(name: str, *parameters: CelType) -> CelType:
    return CelType(Kind.OPAQUE, name, parameters)


def object_type(name: str, fields: Mapping[str, CelType] | None = None) -> CelType:
    """An object's type; without fields, one that only functions look into."""
    return CelType(Kind.STRUCT, name, (), fields)


def unwrap_optional(of: CelType) -> tuple[CelType, bool]:
    """The type that an optional holds, and whether it was one."""
    return (of.parameters[0], True) if of.is_optional else (of, False)


def signature(arguments: tuple[CelType, ...] | list[CelType], member: bool) -> str:
    """`string.(int, int)`: the types a function was called with, its receiver before the dot."""
    if member:
        return f"{arguments[0]}.({', '.join(map(str, arguments[1:]))})"
    return f"({', '.join(map(str, arguments))})"

"""CEL values at run time. Most are Python's own.

| CEL | Python |
| --- | --- |
| bool, int, double, string, bytes, null | bool, int, float, str, bytes, None |
| uint | `Uint` |
| list | list, or `ListValue` of a schema |
| map | dict, `KeyedMap` where keys are not strings, or `ObjectValue` and `MapValue` of a schema |
| timestamp, duration | `Timestamp`, `Duration` |
| optional | `Optional` |
| type | `CelType` |
| anything else | a subclass of `Opaque` |

JSON trees, as they are decoded, are values already.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Final

from sampan.api.cel import types
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.types import CelType

Value = object
"""Any of the table above."""


class Uint(int):
    """An unsigned number. Equal to the int of the same amount, as in CEL."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


class Timestamp(int):
    """Nanoseconds since 1970, UTC. `offset` is what the clock showed that wrote it, in seconds east; only text shows it."""

    offset: int = 0


class Duration(int):
    """Nanoseconds."""

    __slots__ = ()


class Opaque:
    """A value that only functions look into."""

    __slots__ = ()
    cel_type: CelType

    @property
    def size(self) -> int | None:
        """For the cost of what is done with it; None: it has none."""
        return None

    def equals(self, other: Value) -> bool:
        return self is other


class Optional:
    """A value that may not be there."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value = value

    @property
    def has_value(self) -> bool:
        return self._value is not _NOTHING

    @property
    def value(self) -> Value:
        """Raises CelRuntimeError where there is none."""
        if self._value is _NOTHING:
            raise CelRuntimeError("optional.none() dereference")
        return self._value


_NOTHING: Final = object()
NONE: Final = Optional(_NOTHING)
"""The optional without a value."""


class Structured:
    """A value of a schema, or one that is made as it is asked: fields, entries or elements that are adapted when looked at."""

    __slots__ = ()


class Mapped(Structured):
    """Like a map."""

    __slots__ = ()

    def __len__(self) -> int:
        raise NotImplementedError

    def find(self, key: Value) -> Value:
        """The value of a key, or MISSING. Raises CelRuntimeError for a key that cannot be one."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Value]:
        """Its keys."""
        raise NotImplementedError


class Listed(Structured):
    """Like a list."""

    __slots__ = ()

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Value]:
        raise NotImplementedError

    def at(self, index: int) -> Value:
        """The element of an index that is within bounds."""
        raise NotImplementedError

    def contains(self, value: Value) -> bool:
        raise NotImplementedError

    def plus(self, other: Value) -> Value:
        """Both, one after the other. Raises CelRuntimeError for what is no list."""
        raise NotImplementedError


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""No value: absent, and not null."""


class KeyedMap(Mapped):
    """A map literal whose keys are not all strings. Numbers are one key whatever their type; booleans are none of them."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[Hashable, tuple[Value, Value]]) -> None:
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: Value) -> Value:
        entry = self._entries.get(map_key(key))
        return MISSING if entry is None else entry[1]

    def __iter__(self) -> Iterator[Value]:
        return (key for key, _ in self._entries.values())


class LazyMap(Mapped):
    """Fields that are computed when they are first asked for, such as the `variables` of a policy."""

    __slots__ = ("_known", "_makers")

    def __init__(self, makers: Mapping[str, Callable[[], Value]]) -> None:
        self._makers = makers
        self._known: dict[str, Value] = {}

    def __len__(self) -> int:
        return len(self._makers)

    def find(self, key: Value) -> Value:
        if not isinstance(key, str) or key not in self._makers:
            return MISSING
        if key not in self._known:
            self._known[key] = self._makers[key]()
        return self._known[key]

    def __iter__(self) -> Iterator[Value]:
        return iter(self._makers)


def map_key(key: Value) -> Hashable:
    """What to find a key of a `KeyedMap` by. Raises CelRuntimeError for what is no key."""
    if type(key) is bool:
        return ("bool", key)
    if type(key) in (int, Uint, str, float):
        return key
    raise CelRuntimeError(f"unsupported key type: {type_of(key).name}")


def new_map(entries: list[tuple[Value, Value]]) -> Value:
    """A map of entries; the last of one key counts."""
    if all(type(key) is str for key, _ in entries):
        return dict(entries)
    return KeyedMap({map_key(key): (key, value) for key, value in entries})


LIST_TYPE: Final = types.list_of(types.DYN)
MAP_TYPE: Final = types.map_of(types.DYN, types.DYN)
OPTIONAL_TYPE: Final = types.optional_of(types.DYN)
_TYPES: Final[dict[type, CelType]] = {
    bool: types.BOOL,
    int: types.INT,
    Uint: types.UINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    type(None): types.NULL,
    list: LIST_TYPE,
    dict: MAP_TYPE,
    Timestamp: types.TIMESTAMP,
    Duration: types.DURATION,
    Optional: OPTIONAL_TYPE,
    CelType: types.TYPE,
}


def type_of(value: Value) -> CelType:
    """The type that `type(x)` gives; of lists, maps and optionals, nothing is said of what is in them."""
    found = _TYPES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Mapped):
        return MAP_TYPE
    if isinstance(value, Listed):
        return LIST_TYPE
    if isinstance(value, Opaque):
        return value.cel_type
    raise CelRuntimeError(f"unsupported conversion to ref.Val: ({type(value).__name__}){value}")


def size_of(value: Value) -> int:
    """For costs: the length of what has one, 1 for all else."""
    if isinstance(value, (str, bytes, list, dict, Mapped, Listed)):
        return len(value)
    if isinstance(value, Optional) and value.has_value:
        return size_of(value.value)
    size = value.size if isinstance(value, Opaque) else None
    return 1 if size is None else size

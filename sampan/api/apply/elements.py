"""Path elements in their FieldsV1 form: "f:<name>", 'k:{"<key>":<value>}', "v:<value>" and "i:<index>"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from sampan.lib.remember import remember

Value = Any
"""A JSON value."""
Order = tuple[int, Any]

_encode = msgspec.json.encode
_decode = msgspec.json.decode

SELF: Final = "."
"""What stands for the place itself beside its inner fields."""
_RANKS: Final = {"f": 1, "k": 2, "v": 3, "i": 4}


class ElementError(ValueError):
    """No path element; or an item of a list that cannot be told from others. The message is upstream's."""


def of_field(name: str) -> str:
    return "f:" + name


def of_value(value: Value) -> str:
    return "v:" + _encode(_plain(value)).decode()


def of_keys(keys: Mapping[str, Value]) -> str:
    """`keys` in the order of their names."""
    return "k:" + _encode({name: _plain(value) for name, value in keys.items()}).decode()


def _plain(value: Value) -> Value:
    """1.0 is 1."""
    return int(value) if type(value) is float and value.is_integer() else value


def of_keyed_item(item: Value, keys: Sequence[str], defaults: Mapping[str, Value]) -> str:
    """The element of an item of a list of type "map"; `keys` are sorted. Raises ElementError."""
    if item is None:
        raise ElementError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise ElementError("associative list with keys may not have non-map elements")
    found = {key: item[key] if key in item else defaults[key] for key in keys if key in item or key in defaults}
    if not found and keys:
        named = "[" + " ".join(_encode(key).decode() for key in keys) + "]"
        raise ElementError(
            f"associative list with keys has an element that omits all key fields {named} "
            "(and doesn't have default values for any key fields)"
        )
    return of_keys(found)


def of_set_item(item: Value) -> str:
    """The element of an item of a list of type "set". Raises ElementError."""
    if isinstance(item, dict):
        raise ElementError("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise ElementError("not supported: associative list with lists as elements")
    if item is None:
        raise ElementError("associative list without keys has an element that's an explicit null")
    return of_value(item)


@remember(4096)
def canonical(element: str) -> str:
    """An element that a client wrote, as it is written here; "" for a kind that is not known. Raises ElementError."""
    if len(element) < 2:
        raise ElementError("key must be 2 characters long:")
    if element[1] != ":":
        raise ElementError(f"missing colon: {element}")
    kind, text = element[0], element[2:]
    try:
        if kind == "v":
            return of_value(_decode(text))
        if kind == "k":
            keys = _decode(text, type=dict[str, Any])
            return of_keys({name: keys[name] for name in sorted(keys)})
        if kind == "i":
            return f"i:{int(text)}"
    except (ValueError, msgspec.DecodeError) as error:
        raise ElementError(str(error)) from None
    return element if kind == "f" else ""


@remember(4096)
def _order(element: str) -> Order:
    if element == SELF:
        return 0, ""
    rank, text = _RANKS[element[0]], element[2:]
    if rank == 1:
        return rank, text
    if rank == 2:
        return rank, tuple((name, _value_order(value)) for name, value in _decode(text).items())
    return rank, _value_order(_decode(text))


def _value_order(value: Value) -> Order:
    if isinstance(value, bool):
        return 3, value
    if isinstance(value, (int, float)):
        return 1, value
    return (2, value) if isinstance(value, str) else (4, _encode(value).decode())


def in_order(elements: Sequence[str]) -> list[str]:
    """As upstream sorts them: fields by name, then items by their keys, then values."""
    if len(elements) < 2:
        return list(elements)
    if max(elements) < "g":  # only fields, for which the order of text is right
        return sorted(elements)
    return sorted(elements, key=_order)


def shown(element: str) -> str:
    """As it stands in the path of a message: ".spec", '[name="a"]', '[="a"]'."""
    kind, text = element[0], element[2:]
    if kind == "f":
        return "." + text
    if kind == "k":
        return "[" + ",".join(f"{name}={_shown_value(value)}" for name, value in _decode(text).items()) + "]"
    return f"[={_shown_value(_decode(text))}]" if kind == "v" else f"[{text}]"


def _shown_value(value: Value) -> str:
    return _encode(value).decode()

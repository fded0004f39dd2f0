"""JSON values as Go prints them: `%v`, `%#v` and encoding/json, which the words of many errors and cells are made with."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sampan.api.errors import GoText
from sampan.api.quoting import quoted as quoted

Value = Any
"""A JSON value."""


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits, and the decimal exponent of the first of them."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    assert isinstance(exponent, int)
    return "-" if sign else "", text, len(digits) + exponent - 1 if value else 0


def _scientific(sign: str, digits: str, exponent: int) -> str:
    point = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _positional(sign: str, digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, rest = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return sign + whole + (f".{rest}" if rest else "")


def go_float(value: float) -> str:
    """`%v`: the shortest digits, with an exponent below 1e-4 and from 1e+06 on."""
    sign, digits, exponent = _digits(value)
    if -4 <= exponent < 6:
        return _positional(sign, digits, exponent)
    return _scientific(sign, digits, exponent)


def go_plain(value: Value) -> str:
    """`%v` of a scalar."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_float(value) if isinstance(value, float) else str(value)


def go_literal(value: Value) -> str:
    """`%#v` of a decoded JSON value."""
    if value is None:
        return "interface {}(nil)"
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f"{quoted(k)}:{go_literal(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(go_literal, value)) + "}"
    return quoted(value) if isinstance(value, str) else go_plain(value)


def shown(value: Value) -> Value:
    """A bad value for `errors.invalid` and its like: scalars as they are, everything else as `%#v`."""
    if isinstance(value, float):
        return GoText(go_float(value))
    if value is None:
        return "null"
    return GoText(go_literal(value)) if isinstance(value, (dict, list)) else value


def go_json(value: Value) -> str:
    """As encoding/json writes a decoded value: keys in order, nothing that HTML would take for its own."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text

"""`'%s is %d'.format([name, age])`.

`interpolate` reads the format, for values here and for types in `formatchecks`. Numbers are written as en_US has them, with
commas between thousands and powers of ten in superscript.

After github.com/google/cel-go/ext/formatting.go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from sampan.api.cel.comparing import elements, find
from sampan.api.cel.conversions import format_double, to_string
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.times import format_duration, format_timestamp
from sampan.api.cel.types import CelType
from sampan.api.cel.values import Duration, Listed, Mapped, Timestamp, Uint, Value, type_of
from sampan.api.gotext import quoted

_PRECISION: Final = 6
_MOST_PRECISE: Final = 1000
_SUPERSCRIPT: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

WRONG_TYPES: Final = {
    "s": "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, "
    "and timestamps",
    "d": "decimal clause can only be used on integers",
    "f": "fixed-point clause can only be used on doubles",
    "e": "scientific clause can only be used on doubles",
    "b": "only integers and bools can be formatted as binary",
    "x": "only integers, byte buffers, and strings can be formatted as hex",
    "X": "only integers, byte buffers, and strings can be formatted as hex",
    "o": "octal clause can only be used on integers",
}


class FormatError(Exception):
    """The format, or what is to be put into it, is wrong."""


Clause = Callable[[str, int, int], str]
"""(letter, precision, index of the argument) → text."""


def interpolate(text: str, count: int, clause: Clause) -> tuple[str, int]:
    """The text with what the clauses give, and how many there are. `count`: of arguments. Raises FormatError."""
    parts: list[str] = []
    at, used = 0, 0
    while True:
        found = text.find("%", at)
        if found < 0:
            return "".join((*parts, text[at:])), used
        parts.append(text[at:found])
        at = found + 1
        if text[at : at + 1] == "%":
            parts.append("%")
            at += 1
            continue
        if at >= len(text):
            raise FormatError("unexpected end of string")
        if used >= count:
            raise FormatError(f"index {used} out of range")
        letter, precision, at = _clause(text, at)
        parts.append(clause(letter, precision, used))
        used += 1


def _clause(text: str, at: int) -> tuple[str, int, int]:
    """Letter, precision, and where the text goes on."""
    precision = _PRECISION
    unread = "could not parse formatting clause: "
    if text[at] == ".":
        end = at + 1
        while text[end : end + 1] in tuple("0123456789"):
            end += 1
        if end >= len(text):
            raise FormatError(f"{unread}error while parsing precision: could not find end of precision specifier")
        digits = text[at + 1 : end]
        if not digits or len(digits) > 4 or int(digits) > _MOST_PRECISE:
            wrong = f'strconv.Atoi: parsing "{digits}": invalid syntax'
            raise FormatError(f"{unread}error while parsing precision: error while converting precision to integer: {wrong}")
        precision, at = int(digits), end
    letter = text[at]
    if letter not in WRONG_TYPES:
        raise FormatError(f'{unread}unrecognized formatting clause "{letter}"')
    return letter, precision, at + 1


def formatted(text: str, arguments: Value) -> str:
    values = elements(arguments)

    def clause(letter: str, precision: int, index: int) -> str:
        try:
            return _CLAUSES[letter](values[index], precision)
        except _WrongType as error:
            raise FormatError(f"error during formatting: {WRONG_TYPES[letter]}, was given {error}") from None

    try:
        return interpolate(text, len(values), clause)[0]
    except FormatError as error:
        raise CelRuntimeError(str(error)) from None


class _WrongType(Exception):
    """Has the name of the type."""


def _wrong(value: Value) -> _WrongType:
    return _WrongType(type_of(value).name)


def _number(value: Value) -> float:
    if type(value) is float:
        return value
    if type(value) is str and value in _SPECIAL:
        return _SPECIAL[value]
    raise _wrong(value)


def _unusual(number: float) -> str | None:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    return None


def _fixed(value: Value, precision: int) -> str:
    number = _number(value)
    return _unusual(number) or f"{number:,.{precision}f}"


def _scientific(value: Value, precision: int) -> str:
    number = _number(value)
    if unusual := _unusual(number):
        return unusual
    mantissa, _, exponent = f"{number:.{precision}e}".partition("e")
    power = f"{'-' if exponent[0] == '-' else ''}{exponent[1:].zfill(2)}"
    return f"{mantissa}×10{power.translate(_SUPERSCRIPT)}"


def _integer(value: Value) -> int:
    if type(value) is int or type(value) is Uint:
        return int(value)
    raise _wrong(value)


def _binary(value: Value, precision: int) -> str:
    return f"{int(value) if type(value) is bool else _integer(value):b}"


def _hexadecimal(value: Value, precision: int) -> str:
    if type(value) is str:
        return value.encode("utf-8", "surrogatepass").hex()
    return value.hex() if type(value) is bytes else f"{_integer(value):x}"


def _string(value: Value, precision: int = 0) -> str:
    if isinstance(value, (list, Listed)):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, (dict, Mapped)):
        return _map(value)
    if value is None or isinstance(value, (int, float, str, bytes, CelType)):
        return to_string(value)
    raise _wrong(value)


def _map(value: dict[str, Value] | Mapped) -> str:
    entries = sorted((_key(key), _literal(find(value, key))) for key in value)
    return f"{{{', '.join(f'{key}:{entry}' for key, entry in entries)}}}"


def _key(key: Value) -> str:
    if type(key) not in (str, bool, int, Uint):
        raise CelRuntimeError(f"error during formatting: no formatting function for map key of type {type_of(key).name}")
    return _literal(key)


def _literal(value: Value) -> str:
    """As it could stand in an expression."""
    if type(value) is str:
        return quoted(value)
    if type(value) is bytes:
        return f"b{quoted(value.decode('utf-8', 'replace'))}"
    if type(value) is float:
        return f"{value:.6f}" if math.isfinite(value) else quoted(format_double(value))
    if isinstance(value, Timestamp):
        return f"timestamp({quoted(format_timestamp(value))})"
    if isinstance(value, Duration):
        return f"duration({quoted(format_duration(value))})"
    return _string(value)


_CLAUSES: Final[dict[str, Callable[[Value, int], str]]] = {
    "s": _string,
    "d": lambda value, precision: str(_integer(value)),
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "x": _hexadecimal,
    "X": lambda value, precision: _hexadecimal(value, precision).upper(),
    "o": lambda value, precision: f"{_integer(value):o}",
}

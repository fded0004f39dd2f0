"""Resource quantities: "100m", "1.5Gi", "2e3". Exact, after k8s.io/apimachinery/pkg/api/resource.

A quantity is an integer count of nano-units, the finest step there is: what is finer is rounded away from zero, so that who
asks for a little gets a little. It remembers in which of three ways it was written (decimal suffixes, binary suffixes,
exponent) and its canonical form keeps to that way: no fraction, the largest suffix that loses nothing.

    >>> canonical("0.1"), canonical("1.5Gi"), canonical("1024Mi"), canonical("1500")
    ('100m', '1536Mi', '1Gi', '1500')
    >>> milli_value("0.1"), value("100m")
    (100, 1)
"""

from __future__ import annotations

import re
from functools import lru_cache, total_ordering
from typing import Final

DECIMAL: Final = "DecimalSI"
BINARY: Final = "BinarySI"
EXPONENT: Final = "DecimalExponent"

FORMAT_MESSAGE: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)  # fmt: skip
SUFFIX_MESSAGE: Final = "unable to parse quantity's suffix"
NUMERIC_MESSAGE: Final = "unable to parse numeric part of quantity"

_NANO: Final = 10**9
_MAX_BINARY: Final = (2**63 - 1) * _NANO
_MAX_EXPONENT: Final = 300
"""Beyond it the number is no amount of anything, and its digits would be a way to make the server work for nothing."""
_MAX_LENGTH: Final = 400

_DECIMAL_SUFFIXES: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES: Final = {power: suffix for suffix, power in _DECIMAL_SUFFIXES.items()}
_BINARY_NAMES: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")

_grammar = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)").fullmatch
_exponent = re.compile(r"[eE]([-+]?[0-9]+)").fullmatch


class QuantityError(ValueError):
    """Not a quantity; the message is upstream's."""


@total_ordering
class Quantity:
    """An exact amount. Immutable; compares and hashes by amount, whatever the way of writing."""

    __slots__ = ("format", "nanos")

    def __init__(self, nanos: int, format: str = DECIMAL) -> None:
        self.nanos = nanos
        self.format = format

    def __str__(self) -> str:
        return _render(self.nanos, self.format)

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self.nanos == other.nanos if isinstance(other, Quantity) else NotImplemented

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __neg__(self) -> Quantity:
        return Quantity(-self.nanos, self.format)

    def __add__(self, other: Quantity) -> Quantity:
        """The sum is written as its first part is, or as the second where the first is zero."""
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    @property
    def value(self) -> int:
        """Whole units, rounded away from zero."""
        return _divide_away(self.nanos, _NANO)

    @property
    def milli_value(self) -> int:
        """Thousandths, rounded away from zero."""
        return _divide_away(self.nanos, 10**6)


ZERO: Final = Quantity(0)


def _divide_away(number: int, divisor: int) -> int:
    return -(-number // divisor) if number >= 0 else number // divisor


@lru_cache(maxsize=8192)
def parse(text: str) -> Quantity:
    """Raises QuantityError."""
    # Their length first: in what is no quantity the grammar tries every way to part its digits.
    match = _grammar(text) if 0 < len(text) <= _MAX_LENGTH else None
    if match is None:
        raise QuantityError(FORMAT_MESSAGE)
    sign, whole, fraction, suffix = match.groups(default="")
    if not whole and not fraction and "." in text:
        raise QuantityError(NUMERIC_MESSAGE)
    power_of_two, power_of_ten, written = _interpret(suffix)
    digits = int(whole + fraction or "0") * 2**power_of_two
    power_of_ten += 9 - len(fraction)
    nanos = digits * 10**power_of_ten if power_of_ten >= 0 else -(-digits // 10**-power_of_ten)
    if written == BINARY:
        nanos = min(nanos, _MAX_BINARY)
        if nanos < _NANO:
            written = DECIMAL
    return Quantity(-nanos if sign == "-" else nanos, written)


def _interpret(suffix: str) -> tuple[int, int, str]:
    """(power of two, power of ten, the way of writing) of a suffix."""
    if suffix in _DECIMAL_SUFFIXES:
        return 0, _DECIMAL_SUFFIXES[suffix], DECIMAL
    if suffix in _BINARY_SUFFIXES:
        return _BINARY_SUFFIXES[suffix], 0, BINARY
    exponent = _exponent(suffix)
    if exponent is None or len(exponent[1]) > 6:
        raise QuantityError(SUFFIX_MESSAGE)
    power = int(exponent[1])
    if abs(power) > _MAX_EXPONENT:
        raise QuantityError(SUFFIX_MESSAGE)
    return 0, power, EXPONENT


def _render(nanos: int, written: str) -> str:
    if nanos == 0:
        return "0"
    whole, rest = divmod(nanos, _NANO)
    if written == BINARY and not rest and abs(whole) >= 1024:
        times = 0
        while times < 6 and whole % 1024 == 0:
            whole //= 1024
            times += 1
        return f"{whole}{_BINARY_NAMES[times]}"
    power = -9
    while nanos % 1000 == 0 and (written == EXPONENT or power < 18):
        nanos //= 1000
        power += 3
    if written == EXPONENT:
        return f"{nanos}e{power}" if power else str(nanos)
    return f"{nanos}{_DECIMAL_NAMES[power]}"


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str:
    return str(parse(text))


def canonical(given: str | int | float) -> str:
    """The one way to write a quantity. JSON numbers are quantities, too. Raises QuantityError."""
    if isinstance(given, str):
        return _canonical(given.strip())
    if isinstance(given, bool):
        raise QuantityError(FORMAT_MESSAGE)
    return _canonical(repr(given))


@lru_cache(maxsize=8192)
def value(text: str) -> int:
    """Whole units (bytes, pods), rounded up. Raises QuantityError."""
    return parse(text).value


@lru_cache(maxsize=8192)
def milli_value(text: str) -> int:
    """Thousandths (millicores), rounded up. Raises QuantityError."""
    return parse(text).milli_value


def of_value(amount: int, format: str = DECIMAL) -> Quantity:
    """So many whole units."""
    return Quantity(amount * _NANO, format)


def of_milli_value(amount: int, format: str = DECIMAL) -> Quantity:
    """So many thousandths."""
    return Quantity(amount * 10**6, format)

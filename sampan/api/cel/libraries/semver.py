"""Semantic versions: `semver('1.2.3').isLessThan(semver('1.10.0'))`.

After k8s.io/apiserver/pkg/cel/library/semverlib.go and github.com/blang/semver.
"""

from __future__ import annotations

import re
from typing import Final

from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.types import object_type
from sampan.api.cel.values import Opaque, Value

SEMVER: Final = object_type("kubernetes.Semver")

_DECLARATIONS = """
    string_to_semver          semver(string) -> semver
    string_bool_to_semver     semver(string, bool) -> semver
    is_semver_string          isSemver(string) -> bool
    is_semver_string_bool     isSemver(string, bool) -> bool
    semver_is_greater_than    <semver>.isGreaterThan(semver) -> bool
    semver_is_less_than       <semver>.isLessThan(semver) -> bool
    semver_compare_to         <semver>.compareTo(semver) -> int
    semver_major              <semver>.major() -> int
    semver_minor              <semver>.minor() -> int
    semver_patch              <semver>.patch() -> int
"""
_digits = re.compile("[0-9]*", re.ASCII).fullmatch
_word = re.compile("[0-9A-Za-z-]*", re.ASCII).fullmatch

Part = tuple[int, int, str]
"""Of a prerelease: numbers before words."""


class Semver(Opaque):
    """A version; what it was built of does not count."""

    __slots__ = ("numbers", "prerelease")
    cel_type = SEMVER

    def __init__(self, numbers: tuple[int, int, int], prerelease: tuple[Part, ...]) -> None:
        self.numbers = numbers
        self.prerelease = prerelease

    def equals(self, other: Value) -> bool:
        return self.compare(other) == 0

    def compare(self, other: Value) -> int:
        if not isinstance(other, Semver):
            raise no_such_overload()
        mine, theirs = self._rank(), other._rank()
        return (mine > theirs) - (mine < theirs)

    def _rank(self) -> tuple[tuple[int, int, int], bool, tuple[Part, ...]]:
        return self.numbers, not self.prerelease, self.prerelease


def _number(text: str, name: str) -> int:
    if _digits(text) is None:
        raise CelRuntimeError(f'Invalid character(s) found in {name} number "{text}"')
    if len(text) > 1 and text[0] == "0":
        raise CelRuntimeError(f'{name.capitalize()} number must not contain leading zeroes "{text}"')
    return _uint64(text)


def _uint64(text: str) -> int:
    if not text:
        raise CelRuntimeError('strconv.ParseUint: parsing "": invalid syntax')
    if len(text) > 20 or int(text) >= 2**64:
        raise CelRuntimeError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _part(text: str) -> Part:
    if not text:
        raise CelRuntimeError("Prerelease is empty")
    if _digits(text):
        if len(text) > 1 and text[0] == "0":
            raise CelRuntimeError(f'Numeric PreRelease version must not contain leading zeroes "{text}"')
        return 0, _uint64(text), ""
    if _word(text) is None:
        raise CelRuntimeError(f'Invalid character(s) found in prerelease "{text}"')
    return 1, 0, text


def _check_build(text: str) -> None:
    for part in text.split("."):
        if not part:
            raise CelRuntimeError("Build meta data is empty")
        if _word(part) is None:
            raise CelRuntimeError(f'Invalid character(s) found in build meta data "{part}"')


def parse(text: str) -> Semver:
    """Raises CelRuntimeError."""
    if not text:
        raise CelRuntimeError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise CelRuntimeError("No Major.Minor.Patch elements found")
    major, minor = _number(parts[0], "major"), _number(parts[1], "minor")
    rest, plus, build = parts[2].partition("+")
    patch, dash, before = rest.partition("-")
    numbers = (major, minor, _number(patch, "patch"))
    prerelease = tuple(_part(part) for part in before.split(".")) if dash else ()
    if plus:
        _check_build(build)
    return Semver(numbers, prerelease)


def _normal(text: str) -> str:
    """Without a leading "v" and leading zeros, and with all three numbers."""
    parts = text.removeprefix("v").split(".", 2)
    for index, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            parts[index] = stripped if stripped[:1] in tuple("0123456789") else f"0{stripped}"
    if len(parts) < 3:
        if "+" in parts[-1] or "-" in parts[-1]:
            raise CelRuntimeError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def _semver(text: str, normalize: bool = False) -> Semver:
    return parse(_normal(text) if normalize else text)


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        _semver(text, normalize)
    except CelRuntimeError:
        return False
    return True


_BINDINGS: Final[dict[str, Binding]] = {
    "string_to_semver": _semver,
    "string_bool_to_semver": _semver,
    "is_semver_string": _is_semver,
    "is_semver_string_bool": _is_semver,
    "semver_is_greater_than": lambda left, right: left.compare(right) > 0,
    "semver_is_less_than": lambda left, right: left.compare(right) < 0,
    "semver_compare_to": lambda left, right: left.compare(right),
    "semver_major": lambda version: version.numbers[0],
    "semver_minor": lambda version: version.numbers[1],
    "semver_patch": lambda version: version.numbers[2],
}

LIBRARY: Final = Library("kubernetes.Semver", declared(_DECLARATIONS, _BINDINGS, {"semver": SEMVER}), since=33)

"""Functions as the checker knows them, and libraries of them.

A library says what it declares in lines such as

    string_char_at_int         <string>.charAt(int) -> string
    list_sets_contains_list    sets.contains(list<T>, list<T>) -> bool

and binds a Python function to each first word. A single capital letter is a type parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sampan.api.cel import types
from sampan.api.cel.macros import Macros
from sampan.api.cel.types import CelType, Kind
from sampan.api.cel.values import Value

Binding = Callable[..., Value]
"""What a function does: values in, value out. Raises CelRuntimeError."""


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function; `parameters` begin with the receiver, if there is one."""

    id: str
    function: str
    member: bool
    parameters: tuple[CelType, ...]
    result: CelType
    type_parameters: tuple[CelType, ...]
    binding: Binding | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Functions and macros that come and go together. `since` and `until` are minor versions of Kubernetes."""

    name: str
    overloads: tuple[Overload, ...] = ()
    macros: Macros = field(default_factory=dict)
    types: tuple[CelType, ...] = ()
    """Whose names are identifiers."""
    dispatchers: Mapping[str, Binding] = field(default_factory=dict)
    """By function name: what a call does whose overload the types do not tell. Others try their overloads one by one."""
    since: int = 0
    until: int | None = None

    def serves(self, minor: int) -> bool:
        return self.since <= minor and (self.until is None or minor < self.until)


_NAMED: Final = {
    "any": types.ANY,
    "bool": types.BOOL,
    "bytes": types.BYTES,
    "double": types.DOUBLE,
    "duration": types.DURATION,
    "dyn": types.DYN,
    "int": types.INT,
    "null": types.NULL,
    "string": types.STRING,
    "timestamp": types.TIMESTAMP,
    "type": types.TYPE,
    "uint": types.UINT,
}
_COMPOSED: Final[Mapping[str, Callable[..., CelType]]] = {
    "list": types.list_of,
    "map": types.map_of,
    "optional": types.optional_of,
    "type": types.type_of_type,
}
_word = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*|[<>,]").findall
_line = re.compile(
    r"(?P<id>\S+)\s+(?:<(?P<receiver>.+)>\.)?(?P<function>[^\s()]+)\((?P<parameters>.*)\)\s*->\s*(?P<result>.+)"
).fullmatch


class _Reader:
    """Of types, such as `map<string, list<T>>`."""

    def __init__(self, text: str, own: Mapping[str, CelType]) -> None:
        self._words = _word(text)
        self._own = own
        self._at = 0

    def all(self) -> tuple[CelType, ...]:
        found = []
        while self._at < len(self._words):
            found.append(self._one())
            self._at += 1  # past the comma
        return tuple(found)

    def _one(self) -> CelType:
        name = self._words[self._at]
        self._at += 1
        if self._words[self._at : self._at + 1] != ["<"]:
            if len(name) == 1:
                return types.parameter(name)
            return self._own[name] if name in self._own else _NAMED[name]
        parts = []
        while self._words[self._at] != ">":
            self._at += 1
            parts.append(self._one())
        self._at += 1
        return _COMPOSED[name](*parts)


def _parameters_in(of: CelType) -> Iterable[CelType]:
    if of.kind is Kind.PARAMETER:
        yield of
    for part in of.parameters:
        yield from _parameters_in(part)


def declared(
    text: str, bindings: Mapping[str, Binding] | None = None, own_types: Mapping[str, CelType] | None = None
) -> tuple[Overload, ...]:
    """The overloads of a text of such lines. `own_types`: names for types of the library."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _line(line)
        assert match, line
        own = own_types or {}
        receiver = _Reader(match["receiver"], own).all() if match["receiver"] else ()
        parameters = receiver + _Reader(match["parameters"], own).all()
        result = _Reader(match["result"], own).all()[0]
        variables = tuple(dict.fromkeys(p for of in (*parameters, result) for p in _parameters_in(of)))
        binding = (bindings or {}).get(match["id"])
        found.append(Overload(match["id"], match["function"], bool(receiver), parameters, result, variables, binding))
    return tuple(found)

"""What type each part of an expression has, and which functions it calls.

After github.com/google/cel-go/checker/checker.go and env.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sampan.api.cel import types, unify
from sampan.api.cel.declarations import Overload
from sampan.api.cel.errors import Issues
from sampan.api.cel.escaping import RESERVED
from sampan.api.cel.syntax import Call, Comprehension, Ident, ListLiteral, Literal, MapLiteral, Node, Select, StructLiteral
from sampan.api.cel.types import BOOL, DYN, ERROR, INT, CelType, Kind
from sampan.api.cel.values import type_of

Functions = Mapping[str, Sequence[Overload]]

_LOOPED_DYN: Final = frozenset((Kind.DYN, Kind.ERROR, Kind.PARAMETER))


@dataclass(slots=True)
class Scope:
    """Names that mean something, in order from the outermost."""

    variables: Mapping[str, CelType]
    functions: Functions
    type_names: Mapping[str, CelType]
    reserved_fields: bool = True
    """Whether words that CEL keeps for itself may be fields as they are, and not only as `__word__`."""
    local: list[tuple[str, CelType]] = field(default_factory=list)

    def lookup(self, name: str) -> tuple[CelType, CelType | None] | None:
        """The type of a name and, if it names a type, that one."""
        if not name.startswith("."):
            for own, of in reversed(self.local):
                if own == name:
                    return of, None
        plain = name.removeprefix(".")
        if plain in self.variables:
            return self.variables[plain], None
        if plain in self.type_names:
            of = self.type_names[plain]
            return types.type_of_type(of), of
        return None

    def function(self, name: str) -> Sequence[Overload] | None:
        return self.functions.get(name.removeprefix("."))


def check(root: Node, scope: Scope, issues: Issues) -> None:
    """Writes types and overloads into the tree; what does not fit goes to `issues`."""
    _Checker(scope, issues).run(root)


class _Checker:
    def __init__(self, scope: Scope, issues: Issues) -> None:
        self._scope = scope
        self._issues = issues
        self._bound: unify.Bindings = {}
        self._fresh = 0
        self._rules = {
            Literal: self._literal,
            Ident: self._ident,
            Select: self._select,
            Call: self._call,
            ListLiteral: self._list,
            MapLiteral: self._map,
            StructLiteral: self._struct,
            Comprehension: self._comprehension,
        }

    def run(self, root: Node) -> None:
        self._check(root)
        if self._issues:
            return
        for node in root.walk():
            node.type = unify.substitute(self._bound, node.type, to_dyn=True)

    def _check(self, node: Node) -> CelType:
        node.type = self._rules[type(node)](node)  # type: ignore[operator]  # each rule takes its own kind of node
        return node.type

    # What the rules share.

    def _new_variable(self) -> CelType:
        self._fresh += 1
        return types.parameter(f"_var{self._fresh - 1}")

    def _assignable(self, first: CelType, second: CelType) -> bool:
        bound = unify.assignable(self._bound, (first,), (second,))
        if bound is not None:
            self._bound = bound
        return bound is not None

    def _known(self, of: CelType) -> CelType:
        return unify.substitute(self._bound, of)

    def _mismatch(self, at: int, expected: CelType, actual: CelType) -> None:
        self._issues.add(at, f"expected type '{expected}' but found '{actual}'")

    def _undeclared(self, at: int, name: str) -> CelType:
        self._issues.add(at, f"undeclared reference to '{name}' (in container '')")
        return ERROR

    def _joined(self, previous: CelType | None, current: CelType) -> CelType:
        """One type for both; dyn if they have none in common, which a validator looks at later."""
        if previous is None:
            return current
        return unify.most_general(previous, current) if self._assignable(previous, current) else DYN

    def _required_optional(self, node: Node) -> CelType:
        """What is in the optional that an optional entry must be."""
        inner, is_optional = types.unwrap_optional(node.type)
        if not is_optional and not inner.is_dyn:
            self._mismatch(node.offset, types.optional_of(inner), inner)
        return inner

    # Rules, one a kind of node.

    def _literal(self, node: Literal) -> CelType:
        return type_of(node.value)

    def _ident(self, node: Ident) -> CelType:
        found = self._scope.lookup(node.name)
        if found is None:
            return self._undeclared(node.offset, node.name)
        node.name = node.name.removeprefix(".")
        node.type_value = found[1]
        return found[0]

    def _select(self, node: Select) -> CelType:
        name = None if node.test_only else qualified_name(node)
        found = self._scope.lookup(name) if name is not None else None
        if name is not None and found is not None:
            node.qualified = Ident(node.offset, name.removeprefix("."))
            node.qualified.type, node.qualified.type_value = found
            _forget(node.operand)
            return found[0]
        result = self._field(node, node.operand, node.name, optional=False)
        return BOOL if node.test_only else self._known(result)

    def _field(self, node: Node, operand: Node, name: str, *, optional: bool) -> CelType:
        of, was_optional = types.unwrap_optional(self._known(self._check(operand)))
        result = ERROR
        if of.kind is Kind.MAP:
            result = of.parameters[1]
        elif of.kind is Kind.STRUCT:
            result = self._declared_field(node.offset, of, name)
        elif of.kind is Kind.PARAMETER:
            self._assignable(DYN, of)
            result = DYN
        else:
            if not of.is_dyn and of.kind is not Kind.ERROR:
                self._issues.add(node.offset, f"type '{of}' does not support field selection")
            result = DYN
        return types.optional_of(result) if was_optional or optional else result

    def _declared_field(self, at: int, of: CelType, name: str) -> CelType:
        if of.fields is None:
            self._issues.add(at, f"unexpected failed resolution of '{of}'")
            return ERROR
        found = of.fields.get(name)
        if found is None and self._scope.reserved_fields and name in RESERVED:
            found = of.fields.get(f"__{name}__")
        if found is None:
            self._issues.add(at, f"undefined field '{name}'")
            return ERROR
        return found

    def _call(self, node: Call) -> CelType:
        if node.function == "_?._":
            return self._optional_select(node)
        for argument in node.arguments:
            self._check(argument)
        if node.target is None:
            return self._resolved(node, node.function)
        prefix = qualified_name(node.target)
        if prefix is not None and self._scope.function(f"{prefix}.{node.function}") is not None:
            node.function, node.target = f"{prefix}.{node.function}", None
            return self._resolved(node, node.function)
        self._check(node.target)
        return self._resolved(node, node.function)

    def _optional_select(self, node: Call) -> CelType:
        operand, name = node.arguments
        assert isinstance(name, Literal)
        name.type = types.STRING
        result = self._field(node, operand, str(name.value), optional=True)
        node.overloads = ("select_optional_field",)
        return self._known(result)

    def _resolved(self, node: Call, name: str) -> CelType:
        overloads = self._scope.function(name)
        if overloads is None:
            return self._undeclared(node.offset, name)
        node.function = name.removeprefix(".")
        given = [operand.type for operand in node.operands]
        member = node.target is not None
        if node.function in ("_&&_", "_||_"):
            return self._logical(node, overloads[0].id)
        result: CelType | None = None
        matching: list[str] = []
        for overload in overloads:
            if overload.member is not member or len(overload.parameters) != len(given):
                continue
            returned = self._applied(overload, given)
            if returned is None:
                continue
            matching.append(overload.id)
            if result is None:
                result = returned
            elif not result.is_dyn and returned != result:
                result = DYN
        if result is None:
            shown = types.signature([unify.substitute(self._bound, of, to_dyn=True) for of in given], member)
            self._issues.add(node.offset, f"found no matching overload for '{node.function}' applied to '{shown}'")
            return ERROR
        node.overloads = tuple(matching)
        return result

    def _applied(self, overload: Overload, given: list[CelType]) -> CelType | None:
        """The type of what the overload gives for these; None if it does not take them."""
        parameters, result = overload.parameters, overload.result
        if overload.type_parameters:
            fresh = {variable: self._new_variable() for variable in overload.type_parameters}
            whole = unify.substitute(fresh, unify.function_type(result, parameters))
            result, *parameters_ = whole.parameters
            parameters = tuple(parameters_)
        bound = unify.assignable(self._bound, given, parameters)
        if bound is None:
            return None
        self._bound = bound
        return unify.substitute(bound, result)

    def _logical(self, node: Call, overload: str) -> CelType:
        fits = True
        for argument in node.arguments:
            if not self._assignable(argument.type, BOOL):
                self._mismatch(argument.offset, BOOL, argument.type)
                fits = False
        node.overloads = (overload,)
        return BOOL if fits else ERROR

    def _list(self, node: ListLiteral) -> CelType:
        common: CelType | None = None
        for index, element in enumerate(node.elements):
            of = self._check(element)
            if index in node.optional:
                of = self._required_optional(element)
            common = self._joined(common, of)
        return types.list_of(self._new_variable() if common is None else common)

    def _map(self, node: MapLiteral) -> CelType:
        key: CelType | None = None
        value: CelType | None = None
        for entry in node.entries:
            key = self._joined(key, self._check(entry.key))
            of = self._check(entry.value)
            if entry.optional:
                of = self._required_optional(entry.value)
            value = self._joined(value, of)
        return types.map_of(key or self._new_variable(), value or self._new_variable())

    def _struct(self, node: StructLiteral) -> CelType:
        """No type of Kubernetes can be made in an expression, so this only words what is wrong."""
        found = self._scope.lookup(node.name)
        if found is None:
            return self._undeclared(node.offset, node.name)
        of, value = found
        if value is None:
            self._issues.add(node.offset, f"'{of}' is not a type")
        else:
            self._issues.add(node.offset, f"'{value.name}' is not a message type")
        for entry in node.entries:
            self._check(entry.value)
        return ERROR

    def _comprehension(self, node: Comprehension) -> CelType:
        self._check(node.range)
        accumulated = self._check(node.start)
        first, second = self._iterated(node, self._known(node.range.type))
        local = self._scope.local
        depth = len(local)
        local.append((node.accumulator, accumulated))
        local.append((node.variable, first))
        if node.second:
            local.append((node.second, second))
        self._asserted(node.condition, BOOL)
        self._asserted(node.step, accumulated)
        del local[depth + 1 :]
        self._check(node.result)
        del local[depth:]
        return self._known(node.result.type)

    def _asserted(self, node: Node, expected: CelType) -> None:
        actual = self._check(node)
        if not self._assignable(expected, actual):
            self._mismatch(node.offset, expected, actual)

    def _iterated(self, node: Comprehension, over: CelType) -> tuple[CelType, CelType]:
        """The types of the iteration variables."""
        if over.kind is Kind.LIST:
            return (INT, over.parameters[0]) if node.second else (over.parameters[0], ERROR)
        if over.kind is Kind.MAP:
            return over.parameters[0], over.parameters[1]
        if over.kind in _LOOPED_DYN:
            self._assignable(DYN, over)
            return DYN, DYN
        what = f"expression of type '{over}' cannot be range of a comprehension (must be list, map, or dynamic)"
        self._issues.add(node.range.offset, what)
        return ERROR, ERROR


def qualified_name(node: Node) -> str | None:
    """`a.b.c` as one name; None for what is more than names and dots."""
    parts: list[str] = []
    while isinstance(node, Select) and not node.test_only:
        parts.append(node.name)
        node = node.operand
    if not isinstance(node, Ident):
        return None
    return ".".join((node.name, *reversed(parts)))


def _forget(node: Node) -> None:
    """Types for nodes that turned out to be part of a name."""
    for part in node.walk():
        part.type = DYN

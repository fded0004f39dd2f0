"""A checked expression to closures that evaluate it and count what that costs, to the unit as upstream does.

After github.com/google/cel-go/interpreter/{planner,interpretable,decorators}.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sampan.api.cel import attributes, calls, loops
from sampan.api.cel.code import ABSORBED, COST, VARIABLES, Code, Frame, charge, constant, plain
from sampan.api.cel.declarations import Binding, Overload
from sampan.api.cel.errors import CelProgramError, CelRuntimeError, CostExceeded, no_such_overload
from sampan.api.cel.limits import LIST_COST, MAP_COST
from sampan.api.cel.syntax import Call, Comprehension, Entry, Ident, ListLiteral, Literal, Loop, MapLiteral, Node, Select
from sampan.api.cel.types import CelType
from sampan.api.cel.values import NONE, Optional, Value, new_map, type_of

_FOLDED = frozenset(["bool", "bytes", "double", "dyn", "duration", "int", "string", "timestamp", "type", "uint"])
"""Conversions that are done once, if their argument is always the same."""
_INDICES = frozenset(("_[_]", "_[?_]", "_?._"))


class Compiler:
    """Of one expression. `names` are the variables that it asks for, in the order in which a frame has them."""

    def __init__(self, functions: Mapping[str, Sequence[Overload]], dispatchers: Mapping[str, Binding]) -> None:
        self._functions = functions
        self._dispatchers = dispatchers
        self.names: list[str] = []
        self._slots = 0
        self._local: list[tuple[str, Code]] = []
        self._patches: list[tuple[str, int]] = []
        self._rules: dict[type[Node], Callable[[Any], Code]] = {
            Literal: lambda node: constant(node.value),
            Ident: self._ident,
            Select: self._select,
            Call: self._call,
            ListLiteral: self._list,
            MapLiteral: self._map,
            Comprehension: self._comprehension,
        }

    def compile(self, root: Node) -> Code:
        """Raises CelProgramError for what can be seen to fail whenever it runs."""
        self.names = sorted({name for node in root.walk() if (name := _free_name(node)) is not None})
        return self._code(root)

    @property
    def locals(self) -> int:
        """How many places a frame has after its variables."""
        return self._slots

    def _new_slot(self) -> int:
        self._slots += 1
        return VARIABLES + len(self.names) + self._slots - 1

    def _code(self, node: Node) -> Code:
        return self._rules[type(node)](node)

    # Names.

    def _ident(self, node: Ident) -> Code:
        for name, code in reversed(self._local):
            if name == node.name:
                return code
        if node.type_value is not None:
            return attributes.type_name(node.type_value)
        return attributes.variable(node.name, VARIABLES + self.names.index(node.name))

    def _select(self, node: Select) -> Code:
        if node.qualified is not None:
            return self._ident(node.qualified)
        operand = self._code(node.operand)
        if node.test_only:
            return attributes.test(operand, node.name)
        if node.operand.type.is_optional:
            return attributes.optional_item(operand, constant(node.name))
        return attributes.select(operand, node.name)

    # Literals.

    def _list(self, node: ListLiteral) -> Code:
        codes = [self._code(element) for element in node.elements]
        runs = [code.run for code in codes]
        if node.optional:
            run = _optional_list(codes, node.optional)
        else:

            def run(frame: Frame) -> Value:
                return [run_(frame) for run_ in runs]

        if all(code.is_constant for code in codes):
            return constant(run([]))
        return plain(run, LIST_COST + sum(code.cost for code in codes))

    def _map(self, node: MapLiteral) -> Code:
        entries = [(self._code(entry.key), self._code(entry.value), entry) for entry in node.entries]

        def run(frame: Frame) -> Value:
            found: list[tuple[Value, Value]] = []
            for key, value, entry in entries:
                _entry(found, key.run(frame), value.run(frame), entry)
            return new_map(found)

        if all(key.is_constant and value.is_constant for key, value, _ in entries):
            return constant(run([]))
        return plain(run, MAP_COST + sum(key.cost + value.cost for key, value, _ in entries))

    # Calls.

    def _call(self, node: Call) -> Code:
        codes = [self._code(operand) for operand in node.operands]
        if node.function == "_&&_":
            return _logical(*codes, decisive=False)
        if node.function == "_||_":
            return _logical(*codes, decisive=True)
        if node.function == "_?_:_":
            return _conditional(*codes)
        if node.function in _INDICES:
            optional = node.function != "_[_]" or node.arguments[0].type.is_optional
            return attributes.optional_item(*codes) if optional else attributes.index(*codes)
        overload = node.overloads[0] if len(node.overloads) == 1 else ""
        if overload in ("optional_or_optional", "optional_orValue_value"):
            return _alternative(*codes, unwrap=overload == "optional_orValue_value")
        types = [operand.type for operand in node.operands]
        if overload == "in_list" and codes[1].is_constant:
            member = calls.membership(codes[0], cast("list[Value]", codes[1].constant))
            if member is not None:
                return member
        binding = calls.fixed_pattern(node.function, overload, codes) or self._binding(node, overload)
        code = calls.call(node.function, overload, binding, codes, types)
        if node.function in _FOLDED and len(codes) == 1 and codes[0].is_constant:
            return _folded(code)
        return code

    def _binding(self, node: Call, overload: str) -> Binding:
        overloads = self._functions[node.function]
        chosen = next((o for o in overloads if o.id == overload), None)
        certain = not any(operand.type.is_dyn for operand in node.operands)
        if chosen is not None and chosen.binding is not None and certain:
            return chosen.binding
        dispatcher = self._dispatchers.get(node.function)
        if dispatcher is not None:
            return dispatcher
        return _dispatcher(node.function, overloads if chosen is None else [chosen])

    # Loops.

    def _comprehension(self, node: Comprehension) -> Code:
        if node.loop is Loop.BINDING:
            return self._bound(node)
        over = self._code(node.range)
        variable = self._new_slot()
        second = self._new_slot() if node.second else None
        depth = len(self._local)
        self._local.append((node.variable, attributes.variable(node.variable, variable)))
        if second is not None:
            self._local.append((node.second, attributes.variable(node.second, second)))
        test = None if node.test is None else self._code(node.test)
        outcome = None if node.outcome is None else self._code(node.outcome)
        del self._local[depth:]
        return _loop(node, loops.Range(over, variable, second), test, outcome)

    def _bound(self, node: Comprehension) -> Code:
        start = self._code(node.start)

        def outcome(name: Code) -> Code:
            self._local.append((node.accumulator, name))
            code = self._code(node.result)
            self._local.pop()
            return code

        return loops.binding(start, self._new_slot(), outcome)


def _free_name(node: Node) -> str | None:
    if isinstance(node, Select) and node.qualified is not None:
        node = node.qualified
    return node.name if isinstance(node, Ident) and node.type_value is None else None


def _loop(node: Comprehension, over: loops.Range, test: Code | None, outcome: Code | None) -> Code:
    match node.loop, test, outcome:
        case Loop.ALL, Code(), _:
            return loops.quantifier(over, test, decisive=False)
        case Loop.EXISTS, Code(), _:
            return loops.quantifier(over, test, decisive=True)
        case Loop.EXISTS_ONE, Code(), _:
            return loops.exists_one(over, test)
        case Loop.LIST, _, Code():
            return loops.listing(over, test, outcome)
    assert outcome is not None
    step = cast(Call, node.step)
    insert = step if node.test is None else cast(Call, step.arguments[1])
    return loops.mapping(over, test, outcome, entries=len(insert.arguments) == 2)


def _optional_list(codes: list[Code], optional: frozenset[int]) -> Callable[[Frame], Value]:
    def run(frame: Frame) -> Value:
        found: list[Value] = []
        for index, code in enumerate(codes):
            value = code.run(frame)
            if index not in optional:
                found.append(value)
            elif not isinstance(value, Optional):
                raise CelRuntimeError("cannot initialize optional list element from non-optional value")
            elif value.has_value:
                found.append(value.value)
        return found

    return run


def _entry(found: list[tuple[Value, Value]], key: Value, value: Value, entry: Entry) -> None:
    if entry.optional:
        if not isinstance(value, Optional):
            raise CelRuntimeError(f"cannot initialize optional entry '{attributes.shown(key)}' from non-optional value")
        if not value.has_value:
            return
        value = value.value
    found.append((key, value))


def _logical(left: Code, right: Code, *, decisive: bool) -> Code:
    """`&&`, which False decides, and `||`, which True does, whatever else fails."""
    run_left, run_right, cost = left.run, right.run, right.cost

    def run(frame: Frame) -> Value:
        try:
            value = run_left(frame)
        except CostExceeded:
            raise
        except ABSORBED as error:
            return rescue(frame, error)
        if value is decisive:
            return decisive
        if value.__class__ is not bool:
            return rescue(frame, no_such_overload())
        frame[COST] += cost
        value = run_right(frame)
        if value is True or value is False:
            return value
        raise no_such_overload()

    def rescue(frame: Frame, error: Exception) -> Value:
        frame[COST] += cost
        try:
            value = run_right(frame)
        except CostExceeded:
            raise
        except ABSORBED:
            raise error from None
        if value is decisive:
            return decisive
        raise error

    return plain(run, left.cost)


def _conditional(condition: Code, yes: Code, no: Code) -> Code:
    test, run_yes, run_no = condition.run, yes.run, no.run
    yes_cost = yes.part_cost if yes.is_attribute else yes.cost
    no_cost = no.part_cost if no.is_attribute else no.cost

    def run(frame: Frame) -> Value:
        value = test(frame)
        if value is True:
            frame[COST] += yes_cost
            return run_yes(frame)
        if value is False:
            frame[COST] += no_cost
            return run_no(frame)
        raise no_such_overload()

    return Code(run, condition.cost, condition.cost, is_attribute=True, conditional=True)


def _alternative(left: Code, right: Code, *, unwrap: bool) -> Code:
    """`or` and `orValue`, which look at the other only if there is nothing here."""

    def run(frame: Frame) -> Value:
        value = left.run(frame)
        if not isinstance(value, Optional):
            return value
        if value.has_value:
            return value.value if unwrap else value
        charge(frame, right.cost)
        return right.run(frame)

    return plain(run, left.cost)


def _folded(code: Code) -> Code:
    try:
        return constant(code.run([0, 2**63]))
    except (CelRuntimeError, TypeError) as error:
        raise CelProgramError(str(error)) from None


def _dispatcher(function: str, overloads: Sequence[Overload]) -> Binding:
    """Calls the first overload that takes what it is given."""

    def dispatch(*given: Value) -> Value:
        for overload in overloads:
            if overload.binding is not None and calls.takes(overload.parameters, given):
                return overload.binding(*given)
        raise CelRuntimeError(f"no such overload: {function}({', '.join(type_of(value).name for value in given)})")

    return dispatch


__all__ = ["NONE", "CelType", "Compiler"]

"""Macros: calls that the parser writes out as loops, `list.all(x, p)` and its like.

After github.com/google/cel-go/parser/macro.go, ext/comprehensions.go and the optional types of cel/library.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Final

from sampan.api.cel.syntax import Call, Comprehension, Ident, ListLiteral, Literal, Loop, MapLiteral, Node, Select

ACCUMULATOR: Final = "@result"
_OLD_ACCUMULATOR: Final = "__result__"
MAP_INSERT: Final = "cel.@mapInsert"
_MOST_COPIED: Final = 10_000
"""Nodes: a chain of optMap doubles with each link, and would fill the memory."""


class MacroError(Exception):
    """Arguments that the macro cannot be written out with."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


Macro = Callable[[int, Node | None, list[Node]], Node]
"""(offset, receiver, arguments) → what it stands for. Raises MacroError."""
Macros = Mapping[tuple[str, int, bool], Macro]
"""By name, number of arguments, and whether there is a receiver."""


def _call(at: int, function: str, *arguments: Node) -> Call:
    return Call(at, function, None, list(arguments))


def _receiver(target: Node | None) -> Node:
    assert target is not None
    return target


def _variable(node: Node, message: str) -> str:
    if not isinstance(node, Ident):
        raise MacroError(node.offset, message)
    return node.name


def _checked(name: str, node: Node) -> str:
    if name in (ACCUMULATOR, _OLD_ACCUMULATOR):
        raise MacroError(node.offset, "iteration variable overwrites accumulator variable")
    return name


def _names(arguments: list[Node], count: int, message: str) -> tuple[str, str]:
    """The iteration variables; the second is empty where there is one only."""
    if count == 1:
        return _checked(_variable(arguments[0], message), arguments[0]), ""
    first, second = (_variable(argument, message) for argument in arguments[:2])
    if first == second:
        raise MacroError(arguments[1].offset, f"duplicate variable name: {first}")
    return _checked(first, arguments[0]), _checked(second, arguments[1])


_SIMPLE_NAME = "argument must be a simple name"
_IDENTIFIER = "argument is not an identifier"


def _has(at: int, target: Node | None, arguments: list[Node]) -> Node:
    (argument,) = arguments
    if not isinstance(argument, Select):
        raise MacroError(argument.offset, "invalid argument to has() macro")
    return Select(at, argument.operand, argument.name, test_only=True)


def _quantifier(loop: Loop, count: int) -> Macro:
    """`all` and `exists`, which end at the first element that decides."""
    function, start = ("_&&_", True) if loop is Loop.ALL else ("_||_", False)

    def expand(at: int, target: Node | None, arguments: list[Node]) -> Node:
        variable, second = _names(arguments, count, _SIMPLE_NAME)
        test = arguments[count]
        undecided: Node = Ident(at, ACCUMULATOR)
        if loop is Loop.EXISTS:
            undecided = _call(at, "!_", undecided)
        condition = _call(at, "@not_strictly_false", undecided)
        step = _call(at, function, Ident(at, ACCUMULATOR), test)
        first, end = Literal(at, start), Ident(at, ACCUMULATOR)
        over = _receiver(target)
        return Comprehension(at, loop, test, None, over, variable, second, ACCUMULATOR, first, condition, step, end)

    return expand


def _exists_one(count: int) -> Macro:
    def expand(at: int, target: Node | None, arguments: list[Node]) -> Node:
        names = _names(arguments, count, _SIMPLE_NAME)
        test = arguments[count]
        one_more = _call(at, "_+_", Ident(at, ACCUMULATOR), Literal(at, 1))
        end = _call(at, "_==_", Ident(at, ACCUMULATOR), Literal(at, 1))
        return _whole(at, Loop.EXISTS_ONE, target, names, Literal(at, 0), one_more, test, None, end)

    return expand


def _whole(
    at: int,
    loop: Loop,
    target: Node | None,
    names: tuple[str, str],
    start: Node,
    more: Node,
    test: Node | None,
    outcome: Node | None,
    end: Node,
) -> Node:
    """A loop over all elements, of which `more` counts those that pass the test, if there is one."""
    step = more if test is None else _call(at, "_?_:_", test, more, Ident(at, ACCUMULATOR))
    going_on = Literal(at, True)
    return Comprehension(at, loop, test, outcome, _receiver(target), *names, ACCUMULATOR, start, going_on, step, end)


def _listed(at: int, target: Node | None, names: tuple[str, str], test: Node | None, outcome: Node) -> Node:
    more = _call(at, "_+_", Ident(at, ACCUMULATOR), ListLiteral(at, [outcome]))
    return _whole(at, Loop.LIST, target, names, ListLiteral(at, []), more, test, outcome, Ident(at, ACCUMULATOR))


def _map(at: int, target: Node | None, arguments: list[Node]) -> Node:
    names = _names(arguments, 1, _IDENTIFIER)
    return _listed(at, target, names, arguments[1] if len(arguments) == 3 else None, arguments[-1])


def _filter(at: int, target: Node | None, arguments: list[Node]) -> Node:
    return _listed(at, target, _names(arguments, 1, _IDENTIFIER), arguments[1], arguments[0])


def _transform_list(at: int, target: Node | None, arguments: list[Node]) -> Node:
    names = _names(arguments, 2, _SIMPLE_NAME)
    return _listed(at, target, names, arguments[2] if len(arguments) == 4 else None, arguments[-1])


def _transform_map(entries: bool) -> Macro:
    """To a map of the same keys or, of `entries`, to one of what each element gives."""

    def expand(at: int, target: Node | None, arguments: list[Node]) -> Node:
        names = _names(arguments, 2, _SIMPLE_NAME)
        test = arguments[2] if len(arguments) == 4 else None
        what = arguments[-1:] if entries else [Ident(at, names[0]), arguments[-1]]
        more = _call(at, MAP_INSERT, Ident(at, ACCUMULATOR), *what)
        return _whole(at, Loop.MAP, target, names, MapLiteral(at, []), more, test, arguments[-1], Ident(at, ACCUMULATOR))

    return expand


def _optional_map(name: str, flat: bool) -> Macro:
    def expand(at: int, target: Node | None, arguments: list[Node]) -> Node:
        over = _receiver(target)
        variable = _variable(arguments[0], f"{name}() variable name must be a simple identifier")
        if sum(1 for _ in over.walk()) > _MOST_COPIED:
            raise MacroError(at, f"{name}() receiver is too large")
        # The checker writes into nodes, and so each stands in one place only.
        value = Call(at, "value", deepcopy(over), [])
        nothing, never, itself = ListLiteral(at, []), Literal(at, False), Ident(at, variable)
        bound: Node = Comprehension(
            at, Loop.BINDING, None, arguments[1], nothing, "#unused", "", variable, value, never, itself, arguments[1]
        )
        if not flat:
            bound = _call(at, "optional.of", bound)
        return _call(at, "_?_:_", Call(at, "hasValue", over, []), bound, _call(at, "optional.none"))

    return expand


STANDARD: Final[Macros] = {
    ("has", 1, False): _has,
    ("all", 2, True): _quantifier(Loop.ALL, 1),
    ("exists", 2, True): _quantifier(Loop.EXISTS, 1),
    ("exists_one", 2, True): _exists_one(1),
    ("map", 2, True): _map,
    ("map", 3, True): _map,
    ("filter", 2, True): _filter,
}
OPTIONAL: Final[Macros] = {
    ("optMap", 2, True): _optional_map("optMap", flat=False),
    ("optFlatMap", 2, True): _optional_map("optFlatMap", flat=True),
}
TWO_VARIABLES: Final[Macros] = {
    ("all", 3, True): _quantifier(Loop.ALL, 2),
    ("exists", 3, True): _quantifier(Loop.EXISTS, 2),
    ("existsOne", 3, True): _exists_one(2),
    ("exists_one", 3, True): _exists_one(2),
    ("transformList", 3, True): _transform_list,
    ("transformList", 4, True): _transform_list,
    ("transformMap", 3, True): _transform_map(entries=False),
    ("transformMap", 4, True): _transform_map(entries=False),
    ("transformMapEntry", 3, True): _transform_map(entries=True),
    ("transformMapEntry", 4, True): _transform_map(entries=True),
}

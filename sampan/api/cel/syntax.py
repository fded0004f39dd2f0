"""The syntax tree of an expression, after the macros. The checker writes types and overloads into it.

After github.com/google/cel-go/common/ast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from sampan.api.cel.types import CelType


@dataclass(slots=True, eq=False)
class Node:
    offset: int
    """Where in the text errors point to, in code points."""
    type: CelType = field(init=False)

    def children(self) -> Iterator[Node]:
        return iter(())

    def walk(self) -> Iterator[Node]:
        """This node and all below it, itself first."""
        stack: list[Node] = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(tuple(node.children())))


@dataclass(slots=True, eq=False)
class Literal(Node):
    value: object


@dataclass(slots=True, eq=False)
class Ident(Node):
    name: str
    type_value: CelType | None = field(default=None, init=False)
    """The type that the name stands for, if it is a type's name."""


@dataclass(slots=True, eq=False)
class Select(Node):
    """`operand.name`, or `has(operand.name)`."""

    operand: Node
    name: str
    test_only: bool = False
    qualified: Ident | None = field(default=None, init=False)
    """Set by the checker where all of it is the name of one variable."""

    def children(self) -> Iterator[Node]:
        yield self.operand


@dataclass(slots=True, eq=False)
class Call(Node):
    function: str
    target: Node | None
    arguments: list[Node]
    overloads: tuple[str, ...] = field(default=(), init=False)
    """Which could apply, of those declared; more than one where types are known at run time only."""

    def children(self) -> Iterator[Node]:
        if self.target is not None:
            yield self.target
        yield from self.arguments

    @property
    def operands(self) -> list[Node]:
        """The receiver, if there is one, and the arguments."""
        return self.arguments if self.target is None else [self.target, *self.arguments]


@dataclass(slots=True, eq=False)
class ListLiteral(Node):
    elements: list[Node]
    optional: frozenset[int] = frozenset()
    """Which elements are there only if they have a value."""

    def children(self) -> Iterator[Node]:
        yield from self.elements


@dataclass(slots=True, eq=False)
class Entry:
    offset: int
    key: Node
    value: Node
    optional: bool = False


@dataclass(slots=True, eq=False)
class MapLiteral(Node):
    entries: list[Entry]

    def children(self) -> Iterator[Node]:
        for entry in self.entries:
            yield entry.key
            yield entry.value


@dataclass(slots=True, eq=False)
class FieldEntry:
    offset: int
    name: str
    value: Node
    optional: bool = False


@dataclass(slots=True, eq=False)
class StructLiteral(Node):
    name: str
    entries: list[FieldEntry]

    def children(self) -> Iterator[Node]:
        for entry in self.entries:
            yield entry.value


class Loop(Enum):
    """What a comprehension comes to; there are no others, as only macros make them."""

    ALL = "all"
    EXISTS = "exists"
    EXISTS_ONE = "exists one"
    LIST = "list"
    MAP = "map"
    BINDING = "binding"


@dataclass(slots=True, eq=False)
class Comprehension(Node):
    """A loop: `accumulator = start; for variable in range: if not condition: break; accumulator = step`, then `result`.

    The checker and the estimate of costs see it so; what runs it knows its `loop`, the test and the outcome of each element.
    """

    loop: Loop
    test: Node | None
    outcome: Node | None
    range: Node
    variable: str
    second: str
    """The value beside the index or key; empty where there is one variable only."""
    accumulator: str
    start: Node
    condition: Node
    step: Node
    result: Node

    def children(self) -> Iterator[Node]:
        yield from (self.range, self.start, self.condition, self.step, self.result)

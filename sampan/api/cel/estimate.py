"""What an expression costs at least and at most, before it has run, by how large its values may be.

After github.com/google/cel-go/checker/cost.go. The estimate decides which rules a CustomResourceDefinition may have, so that
its figures are part of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sampan.api.cel import estimated_calls, limits
from sampan.api.cel.estimates import FREE, NOTHING, UNBOUNDED, UNKNOWN, Cost, Operand, Range, fixed
from sampan.api.cel.syntax import (
    Call,
    Comprehension,
    Ident,
    ListLiteral,
    Literal,
    Loop,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
)
from sampan.api.cel.types import CelType, Kind

Sizes = Callable[[Sequence[str]], int | None]
"""How large a value at a path may be; None: who knows. A path is a variable, then fields, `@items`, `@keys`, `@values`."""

_SELECT = fixed(limits.SELECT_COST)
_SIZED_ONE = frozenset((Kind.BOOL, Kind.DOUBLE, Kind.DURATION, Kind.INT, Kind.TIMESTAMP, Kind.UINT))
_SELECTABLE = frozenset((Kind.MAP, Kind.STRUCT, Kind.PARAMETER))
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entries:
    """How large what a list or map holds may be."""

    kind: Kind
    key: Range
    value: Range

    def union(self, other: _Entries | None) -> _Entries | None:
        return None if other is None else _Entries(self.kind, self.key.union(other.key), self.value.union(other.value))


@dataclass(frozen=True, slots=True)
class _Local:
    path: Path
    size: Range | None
    entries: _Entries | None


def estimate(root: Node, sizes: Sizes | None = None) -> Cost:
    cost = _Estimator(sizes or (lambda path: None)).cost(root)
    return Cost(cost.min, cost.max)


def _scalar(of: CelType) -> bool:
    return of.kind in _SIZED_ONE or (of.is_optional and _scalar(of.parameters[0]))


class _Estimator:
    def __init__(self, sizes: Sizes) -> None:
        self._size_at = sizes
        self._paths: dict[Node, Path] = {}
        self._sizes: dict[Node, Range] = {}
        self._entries: dict[Node, _Entries] = {}
        self._locals: dict[str, list[_Local]] = {}

    # Costs, by kind of node.

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return FREE
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral():
                return self._list(node)
            case MapLiteral():
                return self._map(node)
            case Comprehension():
                return self._binding(node) if node.loop is Loop.BINDING else self._loop(node)
            case StructLiteral():
                return fixed(limits.STRUCT_COST).plus(*(self.cost(entry.value) for entry in node.entries))
        return FREE

    def _ident(self, node: Ident) -> Range:
        local = self._local(node.name)
        self._paths[node] = (node.name,) if local is None else local.path
        return _SELECT

    def _select(self, node: Select) -> Range:
        if node.qualified is not None:
            self._paths[node] = (node.qualified.name,)
            return _SELECT
        cost = self.cost(node.operand)
        if node.test_only:
            return cost
        if node.operand.type.kind in _SELECTABLE:
            cost = cost.plus(_SELECT)
        self._paths[node] = (*self._path(node.operand), node.name)
        return cost

    def _call(self, node: Call) -> Range:
        if node.function == "dyn":
            (argument,) = node.arguments
            cost = self.cost(argument).plus(_SELECT)
            self._copy(node, argument)
            return cost
        costs = [self.cost(argument) for argument in node.arguments]
        operands = [self._operand(argument) for argument in node.arguments]
        target: Operand | None = None
        outside = FREE
        if node.target is not None:
            outside = self.cost(node.target)
            target = self._operand(node.target)
        total = NOTHING
        size: Range | None = None
        for overload in node.overloads:
            cost, result = self._overload(node, overload, target, operands, costs)
            total = total.union(cost)
            if result is not None:
                size = result if size is None else size.union(result)
            size = self._indexed(node, overload, size)
            if size is None:
                size = self._computed_size(node)
        if size is not None:
            self._sizes[node] = size
        return outside.plus(total)

    def _indexed(self, node: Call, overload: str, size: Range | None) -> Range | None:
        """An index leads on along the path, to what the list or map holds."""
        part = {"index_list": "@items", "index_map": "@values"}.get(overload)
        if part is None:
            return size
        entries = self._held(node.arguments[0])
        self._paths[node] = (*self._path(node.arguments[0]), part)
        return None if entries is None else entries.value

    def _overload(
        self, node: Call, overload: str, target: Operand | None, operands: list[Operand], costs: list[Range]
    ) -> tuple[Range, Range | None]:
        """Cost and size of the result."""
        if overload in ("logical_and", "logical_or"):
            left, right = costs
            return Range(left.min, left.plus(right).max), None
        if overload == "conditional":
            return self._conditional(node, operands, costs)
        arguments = FREE.plus(*costs)
        if overload in ("add_string", "add_bytes", "add_list"):
            self._joined(node)
        done, size = estimated_calls.estimate(node.function, overload, target, operands)
        return done.plus(arguments), size

    def _conditional(self, node: Call, operands: list[Operand], costs: list[Range]) -> tuple[Range, Range]:
        test, yes, no = costs
        entries = self._held(node.arguments[1])
        joined = None if entries is None else entries.union(self._held(node.arguments[2]))
        if joined is not None:
            self._entries[node] = joined
        return test.plus(yes.union(no)), operands[1].size.union(operands[2].size)

    def _joined(self, node: Call) -> None:
        left, right = (self._held(argument) for argument in node.arguments)
        joined = None if left is None else left.union(right)
        if joined is not None:
            self._entries[node] = joined

    def _list(self, node: ListLiteral) -> Range:
        cost = FREE.plus(*(self.cost(element) for element in node.elements))
        value = self._union(node.elements)
        self._entries[node] = _Entries(Kind.LIST, fixed(1), value)
        return cost.plus(fixed(limits.LIST_COST))

    def _map(self, node: MapLiteral) -> Range:
        cost = FREE.plus(*(self.cost(child) for child in node.children()))
        key = self._union([entry.key for entry in node.entries])
        value = self._union([entry.value for entry in node.entries])
        self._entries[node] = _Entries(Kind.MAP, key, value)
        return cost.plus(fixed(limits.MAP_COST))

    def _union(self, nodes: Sequence[Node]) -> Range:
        size = NOTHING if nodes else FREE
        for node in nodes:
            size = size.union(self._size(node))
        return size

    def _loop(self, node: Comprehension) -> Range:
        total = self.cost(node.range).plus(self.cost(node.start))
        self._push(node.accumulator, _Local(self._path(node.start), self._computed_size(node.start), self._held(node.start)))
        pushed = self._push_variables(node)
        look = self.cost(node.condition)
        step = self.cost(node.step)
        for name in pushed:
            self._locals[name].pop()
        total = total.plus(self.cost(node.result))
        self._locals[node.accumulator].pop()
        times = self._size(node.range)
        if isinstance(node.start, Literal):
            self._sizes[node] = fixed(1)
        else:
            self._sizes[node] = times
            held = self._held(node.step)
            if held is not None:
                self._entries[node] = held
        return total.plus(times.times(step.plus(look)))

    def _push_variables(self, node: Comprehension) -> list[str]:
        entries = self._held(node.range)
        path = self._path(node.range)
        kind = node.range.type.kind if entries is None else entries.kind
        key = None if entries is None else entries.key
        value = None if entries is None else entries.value
        is_list = kind is Kind.LIST
        if not node.second:
            part = "@items" if is_list else "@keys"
            self._push(node.variable, _Local((*path, part), value if is_list else key, None))
            return [node.variable]
        self._push(node.variable, _Local((*path, "@indices" if is_list else "@keys"), key, None))
        self._push(node.second, _Local((*path, "@items" if is_list else "@values"), value, None))
        return [node.variable, node.second]

    def _binding(self, node: Comprehension) -> Range:
        total = self.cost(node.range).plus(self.cost(node.start))
        self._push(node.accumulator, _Local(self._path(node.start), self._computed_size(node.start), self._held(node.start)))
        total = total.plus(self.cost(node.result))
        self._locals[node.accumulator].pop()
        self._copy(node, node.result)
        return total

    # Paths and sizes.

    def _push(self, name: str, local: _Local) -> None:
        self._locals.setdefault(name, []).append(local)

    def _local(self, name: str) -> _Local | None:
        found = self._locals.get(name)
        return found[-1] if found else None

    def _path(self, node: Node) -> Path:
        if isinstance(node, Ident):
            local = self._local(node.name)
            if local is not None:
                return local.path
        return self._paths.get(node, ())

    def _operand(self, node: Node) -> Operand:
        path = self._path(node)
        size = self._computed_size(node)
        shown = () if path and path[0] in ("@result", "__result__") else path
        return Operand(node, UNKNOWN if size is None else size, shown, self._size_of_path)

    def _size_of_path(self, path: Path) -> Range | None:
        most = self._size_at(path) if path else None
        return None if most is None else Range(0, most)

    def _copy(self, to: Node, of: Node) -> None:
        size = self._computed_size(of)
        if size is not None:
            self._sizes[to] = size
        entries = self._held(of)
        if entries is not None:
            self._entries[to] = entries

    def _size(self, node: Node) -> Range:
        size = self._computed_size(node)
        return UNKNOWN if size is None else size

    def _computed_size(self, node: Node) -> Range | None:
        if node in self._sizes:
            return self._sizes[node]
        own = _own_size(node)
        if own is not None:
            return own
        known = self._size_of_path(self._path(node))
        if known is not None:
            self._sizes[node] = known
            return known
        if _scalar(node.type):
            return fixed(1)
        local = self._local(node.name) if isinstance(node, Ident) else None
        return None if local is None else local.size

    def _held(self, node: Node) -> _Entries | None:
        if node in self._entries:
            return self._entries[node]
        local = self._local(node.name) if isinstance(node, Ident) else None
        return None if local is None else local.entries


def _own_size(node: Node) -> Range | None:
    """Of what is written in the expression itself."""
    if isinstance(node, Literal):
        return fixed(len(node.value) if isinstance(node.value, (str, bytes)) else 1)
    if isinstance(node, ListLiteral):
        return fixed(len(node.elements))
    return fixed(len(node.entries)) if isinstance(node, MapLiteral) else None


__all__ = ["UNBOUNDED", "Cost", "Sizes", "estimate"]

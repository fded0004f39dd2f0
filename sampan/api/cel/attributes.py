"""Variables, fields, entries and elements: `self.a['b'][0]`, `has(self.a)`, `self.?a`.

After github.com/google/cel-go/interpreter/attributes.go.
"""

from __future__ import annotations

from collections.abc import Callable

from sampan.api.cel.code import COST, Code, Frame, constant
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.schema_values import ObjectValue
from sampan.api.cel.types import CelType
from sampan.api.cel.values import MISSING, NONE, Duration, Listed, Mapped, Optional, Timestamp, Uint, Value, type_of


def variable(name: str, slot: int) -> Code:
    def run(frame: Frame) -> Value:
        value = frame[slot]
        if value is MISSING:
            raise CelRuntimeError(f"no such attribute(s): {name}")
        return value

    return Code(run, 1, 0, is_attribute=True, slot=slot)


def type_name(of: CelType) -> Code:
    return constant(of)


def _part(operand: Code) -> int:
    """What the operand of a selection costs."""
    return operand.part_cost if operand.is_attribute else operand.cost


def _attribute(run: Callable[[Frame], Value], part_cost: int, operand: Code) -> Code:
    cost = part_cost if operand.conditional else part_cost + 1
    return Code(run, cost, part_cost, is_attribute=True, conditional=operand.conditional)


def select(operand: Code, name: str) -> Code:
    """`operand.name`."""
    inner = operand.run
    slot = operand.slot

    def run_variable(frame: Frame) -> Value:
        of = frame[slot]
        if of.__class__ is ObjectValue:
            rule = of.rule.fields.get(name)
            if rule is not None:
                value = of.raw.get(rule.name)
                if value.__class__ is rule.plain:
                    return value
        return item(inner(frame), name)

    def run(frame: Frame) -> Value:
        of = inner(frame)
        if of.__class__ is ObjectValue:
            rule = of.rule.fields.get(name)
            if rule is not None:
                value = of.raw.get(rule.name)
                if value.__class__ is rule.plain:
                    return value
        elif of.__class__ is dict:
            value = of.get(name, MISSING)
            if value is not MISSING:
                return value
        return item(of, name)

    return _attribute(run_variable if slot else run, _part(operand) + 1, operand)


def index(operand: Code, key: Code) -> Code:
    """`operand[key]`."""
    inner, find_key = operand.run, key.run
    key_cost = key.part_cost if key.is_attribute else key.cost
    return _attribute(lambda frame: item(inner(frame), find_key(frame)), _part(operand) + 1 + key_cost, operand)


def test(operand: Code, name: str) -> Code:
    """`has(operand.name)`."""
    inner = operand.run
    part_cost = _part(operand) + 1
    cost = part_cost - operand.conditional

    def run(frame: Frame) -> bool:
        of = inner(frame)
        if type(of) is dict:
            return name in of
        if isinstance(of, Optional):
            return of.has_value and _present(of.value, name) is not MISSING
        return _present(of, name) is not MISSING

    return Code(run, cost, part_cost, is_attribute=True, conditional=operand.conditional)


def optional_item(operand: Code, key: Code) -> Code:
    """`operand.?key`, `operand[?key]`, and `.key` or `[key]` of what is optional already.

    What is not there costs nothing, nor does what would have been looked for in it.
    """
    inner, find_key = operand.run, key.run
    key_cost = key.part_cost if key.is_attribute else key.cost

    def run(frame: Frame) -> Value:
        of = inner(frame)
        if isinstance(of, Optional):
            if not of.has_value:
                return NONE
            of = of.value
        frame[COST] += key_cost
        value = _present(of, find_key(frame))
        if value is MISSING:
            return NONE
        frame[COST] += 1
        return Optional(value)

    return _attribute(run, _part(operand), operand)


def item(of: Value, key: Value) -> Value:
    """The field, entry or element of a value. Raises CelRuntimeError."""
    if type(of) is dict:
        value = of.get(key, MISSING) if type(key) is str else MISSING
        if value is MISSING:
            raise no_such_key(key)
        return value
    if isinstance(of, Mapped):
        value = of.find(key)
        if value is MISSING:
            raise no_such_key(key)
        return value
    if isinstance(of, (list, Listed)):
        at = _index(key)
        if not 0 <= at < len(of):
            raise CelRuntimeError(f"index out of bounds: {shown(key)}")
        return of[at] if isinstance(of, list) else of.at(at)
    if isinstance(of, Optional):
        if not of.has_value:
            return NONE
        value = _present(of.value, key)
        return NONE if value is MISSING else Optional(value)
    raise no_such_key(key)


def _present(of: Value, key: Value) -> Value:
    """As `item`, but MISSING for what is not there."""
    if type(of) is dict:
        return of.get(key, MISSING) if type(key) is str else MISSING
    if isinstance(of, Mapped):
        return of.find(key)
    if isinstance(of, (list, Listed)):
        at = _index(key)
        if not 0 <= at < len(of):
            return MISSING
        return of[at] if isinstance(of, list) else of.at(at)
    return MISSING


def _index(key: Value) -> int:
    if type(key) is int or type(key) is Uint:
        return int(key)
    if isinstance(key, float):
        if key.is_integer() and abs(key) < 2.0**63:
            return int(key)
        raise CelRuntimeError(f"unsupported index value {shown(key)} in list")
    raise CelRuntimeError(f"unsupported index type '{type_of(key).name}' in list")


def shown(key: Value) -> str:
    """A key as errors show it."""
    if type(key) is bool:
        return "true" if key else "false"
    if isinstance(key, (Timestamp, Duration)):
        return str(int(key))
    return str(int(key)) if isinstance(key, Uint) else str(key)


def no_such_key(key: Value) -> CelRuntimeError:
    return CelRuntimeError(f"no such key: {shown(key)}")

"""What stands in an object of a built-in kind although nobody sent it: what Go writes of a struct that is empty.

`omitempty` leaves out what is zero, but a struct is never: a new Deployment has `status: {}`, a container `resources: {}`, the
metadata of a template `creationTimestamp: null`. Clients look into these without asking whether they are there. They are put
in once, when an object is written, so that reads cost nothing:

    fill(schema_of("io.k8s.api.apps.v1.Deployment"), tree)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from sampan.api.decoding import TypeProblem
from sampan.api.gofields import NULLS, SHOWN, plain_fields
from sampan.api.schema import PLAIN_ZEROES, Schema, Shape, Type, schema_of

Tree = dict[str, Any]
Value = Any
"""A JSON value."""

_STRUCTS: Final[dict[Type, Value]] = {
    Type.OBJECT: {},
    Type.TIME: None,
    Type.MICRO_TIME: None,
    Type.FREE: None,
    Type.QUANTITY: "0",
    Type.INT_OR_STRING: 0,
}
"""What a struct in Go is in JSON when it is empty. That of an object is not all: more stands in it."""


def zeroes(shape: Shape) -> dict[str, Value]:
    """The fields of an object that always stand, with what they are when nobody set them: {} for any object."""
    found: dict[str, Value] = {}
    plain = plain_fields(shape.name) if shape.name else frozenset()
    for name in shape.field_names:
        if name not in plain:
            continue
        inner = _place(shape, name)
        if inner.type in _STRUCTS:
            found[name] = _STRUCTS[inner.type]
        elif name not in shape.omitted_zeroes:
            zero = PLAIN_ZEROES.get(inner.type)
            found[name] = zero or None if isinstance(zero, (list, dict)) else zero
    return found | dict.fromkeys(NULLS.get(shape.name, ()))


def fill(schema: Schema, tree: Tree) -> None:
    """Put in what always stands and is absent."""
    _filler(schema.shape).fill(tree)


def fill_field(schema: Schema, tree: Tree, name: str) -> None:
    """As `fill`, of one field that always stands."""
    _filler(schema.shape).fill_field(tree, name)


def settled(definition: str, convert: Callable[[Tree], Tree]) -> Callable[[Tree], Tree]:
    """A conversion whose outcome stands as Go would write it: what is zero is left out or put in as its new form has it."""

    def converted(tree: Tree) -> Tree:
        found = convert(tree)
        schema = schema_of(definition)
        with suppress(TypeProblem):  # what is but a part of an object need not be one
            found = schema.admit_tree(found).tree
            fill(schema, found)
        return found

    return converted


class _Filler:
    """Of the objects of one shape. Made once; `inside` are the fields that need not stand, but in which something does."""

    __slots__ = ("inside", "scalars", "structs")

    def __init__(self) -> None:
        self.scalars: tuple[tuple[str, Value], ...] = ()
        self.structs: dict[str, _Filler] = {}
        self.inside: dict[str, tuple[_Filler, bool]] = {}
        """With whether the field holds many."""

    @property
    def is_empty(self) -> bool:
        return not (self.scalars or self.structs or self.inside)

    def fill(self, tree: Tree) -> None:
        for name, zero in self.scalars:
            if name not in tree:
                tree[name] = zero
        for name, filler in self.structs.items():
            found = tree.get(name)
            if found is None:
                found = tree[name] = {}
            filler.fill(found)
        inside = self.inside
        if not inside:
            return
        for name, found in tree.items():
            if name not in inside or found is None:
                continue
            filler, many = inside[name]
            if not many:
                filler.fill(found)
                continue
            for item in found if isinstance(found, list) else found.values():
                filler.fill(item)

    def fill_field(self, tree: Tree, name: str) -> None:
        filler = self.structs.get(name)
        if filler is not None:
            filler.fill(tree.setdefault(name, {}))


def _filler(shape: Shape) -> _Filler:
    if shape.filler is None:
        # Kept before it is made: a shape may contain itself.
        made = shape.filler = _Filler()
        always = {name: zero for name, zero in zeroes(shape).items() if zero is not None or _may_be_null(shape, name)}
        made.scalars = tuple((name, zero) for name, zero in always.items() if zero != {})
        made.structs = {name: _filler(_place(shape, name).shape) for name, zero in always.items() if zero == {}}
        found = ((name, *_inside(_place(shape, name))) for name in shape.field_names if name not in made.structs)
        made.inside = {name: (inner, many) for name, inner, many in found if inner is not None and not inner.is_empty}
    return shape.filler  # type: ignore[no-any-return]


def _may_be_null(shape: Shape, name: str) -> bool:
    """Other lists are refused when they are empty, and those who refuse them need not tell null from nothing."""
    return _place(shape, name).type in _STRUCTS or name in SHOWN.get(shape.name, ()) or name in NULLS.get(shape.name, ())


def _place(shape: Shape, name: str) -> Schema:
    found = shape.field(name)
    assert found is not None
    return found


def _inside(place: Schema) -> tuple[_Filler | None, bool]:
    """The filler of an object, or of each of many."""
    items = place.items or place.values
    if place.type is Type.OBJECT:
        return _filler(place.shape), False
    return (_filler(items.shape), True) if items is not None and items.type is Type.OBJECT else (None, False)

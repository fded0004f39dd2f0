"""Short ways to say sets of fields and schemas in tests of server-side apply."""

from __future__ import annotations

from functools import reduce
from typing import Any

import msgspec

from sampan.api.apply.fieldset import EMPTY, Fields, of_path, parse, paths, union
from sampan.api.apply.places import Place
from sampan.api.schema import Schema

Tree = dict[str, Any]

TEXT: Tree = {"type": "string"}
NUMBER: Tree = {"type": "integer"}


def fields(text: str) -> Fields:
    """From FieldsV1."""
    return parse(text.encode())


def dotted(*names: str) -> Fields:
    """From paths of plain names: dotted("spec.replicas")."""
    return reduce(union, (of_path(tuple(f"f:{part}" for part in name.split("."))) for name in names), EMPTY)


def shown(found: Fields) -> set[str]:
    """Paths of plain names back again; other elements as FieldsV1 has them."""
    return {".".join(element.removeprefix("f:") for element in path) for path in paths(found)}


def json(found: Fields) -> str:
    return msgspec.json.encode(found).decode()


def obj(**properties: Tree) -> Tree:
    return {"type": "object", "properties": properties}


def each(values: Tree, **more: Any) -> Tree:
    """A map."""
    return {"type": "object", "additionalProperties": values, **more}


def items(of: Tree, *keys: str) -> Tree:
    """A list whose items these keys tell apart; a set if there are none."""
    kind = (
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
        if keys
        else {"x-kubernetes-list-type": "set"}
    )
    return {"type": "array", "items": of, **kind}


def place(raw: Tree) -> Place:
    return Place(Schema(raw))

"""Defaults in a schema: they must be what the schema itself would accept, with nothing in them that it would take out.

After k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting/{validation,prune}.go.
"""

from __future__ import annotations

from sampan.api.crd.embedded import BadMetadata, coerce, validate_embedded
from sampan.api.crd.pruning import prune
from sampan.api.crd.rules import BUDGET, rules_of
from sampan.api.crd.structural import inner_schemas
from sampan.api.crd.structure import META_FIELDS, Structure, Tree, Value, copied
from sampan.api.crd.values import judge
from sampan.api.crd.verdict import Place
from sampan.api.errors import FieldError, invalid
from sampan.api.gotext import shown

_ITEM = None
"""A step into a list, among the names of fields."""


def has_defaults(raw: Tree) -> bool:
    return raw.get("default") is not None or any(map(has_defaults, inner_schemas(raw)))


def validate_defaults(raw: Tree, path: str, *, pruned: bool) -> list[FieldError]:
    """`pruned`: whether a default may hold nothing that is not specified."""
    if not has_defaults(raw):
        return []
    walk = _Walk(pruned)
    root = Structure(raw).as_root()
    walk.node(root, root, [], path, False)
    return walk.errors


class _Walk:
    def __init__(self, pruned: bool) -> None:
        self.pruned = pruned
        self.errors: list[FieldError] = []
        self.budget = BUDGET

    def node(self, structure: Structure, root: Structure, way: list[str | None], path: str, in_meta: bool) -> None:
        """`way`: how to get here from `root`, the object around; `in_meta`: whether that is by its apiVersion, kind or
        metadata."""
        if structure.embedded:
            root, way, in_meta = structure, [], False
        if structure.default is not None:
            found = self._in_meta(structure, root, way, path) if in_meta else self._plain(structure, path)
            self.errors += found or self._by_values(structure, path, structure is root)
        if self.budget < 0:
            return
        if structure.items is not None:
            self.node(structure.items, root, [*way, _ITEM], f"{path}.items", in_meta)
        for name, inner in structure.properties.items():
            meta = in_meta or (structure.embedded and name in META_FIELDS)
            self.node(inner, root, [*way, name], f"{path}.properties[{name}]", meta)

    def _plain(self, structure: Structure, path: str) -> list[FieldError]:
        place, default = f"{path}.default", structure.default
        errors: list[FieldError] = []
        if self.pruned:
            left = copied(default)
            prune(left, structure, root=structure.embedded)
            if left != default:
                errors.append(invalid(place, shown(default), "must not have unknown fields"))
        try:
            coerce(copied(default), structure, place)
        except BadMetadata as bad:
            return [*errors, bad.error]
        return errors + validate_embedded(default, structure, place)

    def _in_meta(self, structure: Structure, root: Structure, way: list[str | None], path: str) -> list[FieldError]:
        """A default of metadata is judged within an object that has nothing else."""
        tree = _surrounding(copied(structure.default), way)
        tree.setdefault("kind", "Validation")
        tree.setdefault("apiVersion", "validation/v1")
        try:
            coerce(tree, root.as_root())
            problems = [str(error) for error in validate_embedded(tree, root.as_root())]
        except BadMetadata as bad:
            problems = [str(bad)]
        if not problems:
            return []
        why = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
        return [invalid(f"{path}.default", shown(structure.default), f"must result in valid metadata: {why}")]

    def _by_values(self, structure: Structure, path: str, is_root: bool) -> list[FieldError]:
        place = f"{path}.default"
        errors = list(judge(structure.raw, structure.default, Place(place)).errors.values())
        rules = None if errors else rules_of(structure, root=is_root)
        if rules is not None:
            errors, self.budget = rules.validate_default(structure.default, place, self.budget)
        return errors


def _surrounding(value: Value, way: list[str | None]) -> Tree:
    for step in reversed(way):
        value = [value] if step is _ITEM else {step: value}
    tree: Tree = value
    return tree


def prune_defaults(raw: Tree) -> Tree:
    """A schema whose defaults hold nothing that is not specified, as old definitions' may."""
    return _pruned(raw) if has_defaults(raw) else raw


def _pruned(raw: Tree) -> Tree:
    raw = dict(raw)
    if isinstance(raw.get("default"), (dict, list)):
        raw["default"] = copied(raw["default"])
        prune(raw["default"], Structure(raw))
    for key in ("items", "additionalProperties"):
        if isinstance(raw.get(key), dict):
            raw[key] = _pruned(raw[key])
    if raw.get("properties"):
        raw["properties"] = {name: _pruned(inner) for name, inner in raw["properties"].items()}
    return raw

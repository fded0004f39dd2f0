"""Definitions and objects for these tests: short to write, whole to the rules."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from sampan.api.crd.resources import build_resources
from sampan.api.errors import FieldError, Forgiven
from sampan.api.groups.apiextensions.customresourcedefinition import RESOURCE as DEFINITIONS
from sampan.api.resource import Resource

Tree = dict[str, Any]
_UNSET: Any = object()


def obj(**properties: Any) -> Tree:
    """A schema of known fields."""
    return {"type": "object", "properties": properties}


def version(name: str = "v1", schema: Tree | None = None, **fields: Any) -> Tree:
    return {
        "name": name,
        "served": True,
        "storage": name == "v1",
        "schema": {"openAPIV3Schema": schema or {"type": "object"}},
        **fields,
    }


def definition(schema: Tree | None = None, **spec: Any) -> Tree:
    """Of Foo in example.com, of one version; `spec` replaces its fields."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "foos", "kind": "Foo"},
            "versions": [version(schema=schema)],
            **spec,
        },
    }


def created(crd: Tree) -> Tree:
    """As the registry has it once it is created."""
    tree, strict = DEFINITIONS.schema.admit(json.dumps(crd).encode(), kind=DEFINITIONS.kind, version="v1")
    assert not strict
    DEFINITIONS.default(tree)
    DEFINITIONS.strategy.prepare_create(tree)
    return tree


def definition_errors(crd: Tree) -> list[str]:
    return words(DEFINITIONS.strategy.validate(created(crd)))


def update_errors(crd: Tree, old: Tree, *, established: bool = False) -> list[str]:
    """Of `crd` in the place of `old`, which needs not have been valid."""
    before = created(old)
    if established:
        before["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    tree = DEFINITIONS.schema.admit(json.dumps(crd).encode(), kind=DEFINITIONS.kind, version="v1").tree
    DEFINITIONS.default(tree)
    DEFINITIONS.strategy.prepare_update(tree, before)
    change = DEFINITIONS.strategy.validate_change
    assert change is not None
    return words(change(tree, before))


def words(errors: list[FieldError]) -> list[str]:
    return [str(error) for error in errors]


def resource(schema: Tree | None = None, **fields: Any) -> Resource:
    """Of Foo v1; `fields` are the version's."""
    (built,) = build_resources(created(definition(versions=[version(schema=schema, **fields)])))
    return built


def foo(spec: Any = _UNSET, **fields: Any) -> Tree:
    tree = {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a", "namespace": "default"}, **fields}
    return tree if spec is _UNSET else {**tree, "spec": spec}


def admitted(kind: Resource, tree: Tree) -> tuple[Tree, list[str]]:
    """What is kept of an object, defaults included, and what strict decoding says."""
    body = json.dumps(tree).encode()
    found, strict = kind.schema.admit(body, kind=kind.kind, version=kind.group_version)
    again = kind.schema.admit_tree(deepcopy(tree))
    assert (again.tree, again.strict) == (found, strict), "bytes and trees are admitted alike"
    kind.default(found)
    return found, strict


def object_errors(kind: Resource, spec: Any = _UNSET, **fields: Any) -> list[str]:
    """Of a new object, without its prefix of "spec."."""
    return words(kind.strategy.validate(foo(spec, **fields)))


def change_errors(kind: Resource, new: Tree, old: Tree) -> list[str]:
    assert kind.strategy.validate_change is not None
    return words([error for error in kind.strategy.validate_change(new, old) if not isinstance(error, Forgiven)])

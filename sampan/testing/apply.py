"""What an object becomes when its manifest is applied again: kubectl's three-way merge.

Of `before` (the manifest applied last), `wanted` (the manifest now) and `current` (what is there): what the manifest says is
set, what it no longer says is removed, what it never said stays as others wrote it. Lists merge by the keys of the
Kubernetes schemas (containers by name, ports by port …) and are replaced where a kind has none, as custom ones.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.api.schema import Schema, schema_of
from sampan.api.scheme import Scheme, builtin

Tree = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def noted(tree: Tree) -> Tree:
    """The manifest with itself in the annotation by which kubectl, too, knows what was applied last."""
    metadata = tree["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != LAST_APPLIED}
    said = {**tree, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(said, separators=(",", ":"), sort_keys=True, default=str) + "\n"
    return {**tree, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: text}}}


def merged(current: Tree, wanted: Tree) -> Tree:
    """`wanted` is `noted`. Changes neither."""
    text = (current["metadata"].get("annotations") or {}).get(LAST_APPLIED, "{}")
    before = json.loads(text)
    return _object(current, before, wanted, _schema(wanted["apiVersion"], wanted["kind"]))


@functools.cache
def _scheme() -> Scheme:
    return builtin()


def _schema(api_version: str, kind: str) -> Schema | None:
    group, _, version = api_version.rpartition("/")
    resource = _scheme().for_kind(group, version, kind)
    return schema_of(resource.definition) if resource is not None else None


def _object(current: Tree, before: Mapping[str, Any], wanted: Mapping[str, Any], schema: Schema | None) -> Tree:
    result = {name: value for name, value in current.items() if name in wanted or name not in before}
    for name, value in wanted.items():
        if value is None:
            result.pop(name, None)
        else:
            place = schema.field(name) if schema is not None else None
            result[name] = _value(result.get(name), before.get(name), value, place)
    return result


def _value(current: object, before: object, wanted: Any, place: Schema | None) -> Any:
    strategy = place.patch_strategy if place is not None else frozenset()
    if isinstance(wanted, Mapping) and isinstance(current, dict):
        if "retainKeys" in strategy:
            current = {name: value for name, value in current.items() if name in wanted}
        return _object(current, before if isinstance(before, Mapping) else {}, wanted, place)
    if isinstance(wanted, list) and isinstance(current, list) and place is not None and "merge" in strategy:
        return _list(current, before if isinstance(before, list) else [], wanted, place)
    return wanted


def _list(current: list[Any], before: list[Any], wanted: list[Any], place: Schema) -> list[Any]:
    """The manifest's items in its order, then those that others added."""
    key = place.merge_key
    if not key:
        return wanted + [item for item in current if item not in wanted and item not in before]
    if not all(isinstance(item, Mapping) and key in item for item in (*current, *wanted)):
        return wanted
    there, was = _by_key(current, key), _by_key(before, key)
    retains = "retainKeys" in place.patch_strategy
    result: list[Any] = []
    for item in wanted:
        found = there.pop(item[key], {})
        if retains:
            found = {name: value for name, value in found.items() if name in item}
        result.append(_object(found, was.get(item[key], {}), item, place.items))
    return result + [item for name, item in there.items() if name not in was]


def _by_key(items: Sequence[Any], key: str) -> dict[Any, Tree]:
    return {item[key]: item for item in items if isinstance(item, dict) and key in item}

"""CSINode."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, invalid, required
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.resources import NOT_NEGATIVE
from sampan.api.groups.validation.volumesources import validate_driver_name
from sampan.api.repeats import repeats
from sampan.api.resource import Column, Resource, Strategy, Tree

_NODE_ID_LENGTH = 256


def _validate(tree: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, driver in enumerate(tree.get("spec", {}).get("drivers") or ()):
        path, name = f"spec.drivers[{index}]", driver.get("name", "")
        errors += validate_driver_name(name, f"{path}.name")
        errors += _validate_node_id(driver.get("nodeID", ""), f"{path}.nodeID")
        count = driver.get("allocatable", {}).get("count", 0)
        if count < 0:
            errors.append(invalid(f"{path}.allocatable.count", count, NOT_NEGATIVE))
        if name in seen:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
        errors += _validate_topology(driver.get("topologyKeys") or [], path)
    return errors


def _validate_node_id(identity: str, path: str) -> list[FieldError]:
    if not identity:
        return [required(path)]
    if len(identity.encode()) > _NODE_ID_LENGTH:
        return [invalid(path, identity, f"must be {_NODE_ID_LENGTH} characters or less")]
    return []


def _validate_topology(keys: list[str], path: str) -> list[FieldError]:
    """Upstream complains of a key at its driver."""
    errors: list[FieldError] = []
    again = {index for index, _ in repeats(keys)}
    for index, key in enumerate(keys):
        if not key:
            errors.append(required(path))
        if index in again:
            errors.append(duplicate(path, key))
        errors += [invalid(path, key, why) for why in names.qualified_name(key)]
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    """Drivers come and go; one that stays is the same."""
    before = {driver.get("name"): driver for driver in old.get("spec", {}).get("drivers") or ()}
    errors: list[FieldError] = []
    for driver in new.get("spec", {}).get("drivers") or ():
        errors += immutable("spec.drivers", driver, before.get(driver.get("name"), driver))
    return errors


RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    definition="io.k8s.api.storage.v1.CSINode",
    namespaced=False,
    strategy=Strategy(validate=_validate, validate_update=_validate_update, allow_unconditional_update=False),
    columns=(NAME, Column("Drivers", lambda tree, now: len(tree.get("spec", {}).get("drivers") or ()), "integer"), AGE),
)

"""CSIStorageCapacity."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, invalid
from sampan.api.groups.columns import NAME
from sampan.api.groups.validation.amounts import validate_not_negative_amount
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.nodelabels import warn_of_selector
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.resource import Column, Resource, Strategy, Tree


def _validate(tree: Tree) -> list[FieldError]:
    errors = validate_label_selector(tree.get("nodeTopology", {}), "nodeTopology")
    name = tree.get("storageClassName", "")
    errors += [invalid("storageClassName", name, why) for why in names.name_is_subdomain(name)]
    return errors + (validate_not_negative_amount(tree["capacity"], "capacity") if "capacity" in tree else [])


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    errors = immutable("nodeTopology", new.get("nodeTopology"), old.get("nodeTopology"))
    return errors + immutable("storageClassName", new.get("storageClassName", ""), old.get("storageClassName", ""))


def _warn(new: Tree, old: Tree | None) -> list[str]:
    return warn_of_selector(new.get("nodeTopology", {}), "nodeTopology")


RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    definition="io.k8s.api.storage.v1.CSIStorageCapacity",
    strategy=Strategy(validate=_validate, validate_update=_validate_update, warn=_warn, allow_unconditional_update=False),
    columns=(
        NAME,
        Column("StorageClassName", lambda tree, now: tree.get("storageClassName", "")),
        Column("Capacity", lambda tree, now: tree.get("capacity", "<unset>")),
    ),
)

"""PersistentVolumeClaim."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.core.persistentvolume import (
    CLASS_WARNING,
    attributes_class_of,
    class_of,
    mode_of,
    modes_in_short,
    phase_of,
)
from sampan.api.groups.strategies import keep_spec, keep_status
from sampan.api.groups.validation.amounts import compare, validate_basic, validate_resource_amount
from sampan.api.groups.validation.claims import CLASS_ANNOTATION, validate_claim_spec, warn_of_claim
from sampan.api.groups.validation.difference import difference
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.resources import is_native
from sampan.api.resource import Column, Resource, Strategy, Tree

_ATTRIBUTES_CLASS = "volumeAttributesClassName"
_RESIZE_STATES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)
_SIZE = "spec.resources.requests.storage"


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    status = tree.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"


def _prepare_create(new: Tree) -> None:
    new["status"] = {"phase": "Pending"}
    _settle_sources(new["spec"], {})


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_status(new, old)
    _settle_sources(new["spec"], old["spec"])
    # Claims of before the two fields were kept in step must not look changed.
    _mirror_sources(old["spec"])


def _settle_sources(spec: Tree, before: Tree) -> None:
    """Drop what features off by default brought; keep the old field for data sources and the new one in step.

    https://kubernetes.io/docs/concepts/storage/persistent-volumes/#data-source-references
    """
    if _ATTRIBUTES_CLASS not in before:
        spec.pop(_ATTRIBUTES_CLASS, None)
    if spec.get("dataSourceRef", {}).get("namespace") and "dataSourceRef" not in before:
        del spec["dataSourceRef"]
    if "dataSource" not in before and "dataSourceRef" not in before and "dataSourceRef" not in spec:
        source = spec.get("dataSource", {})
        known = (("PersistentVolumeClaim", ""), ("VolumeSnapshot", "snapshot.storage.k8s.io"))
        if (source.get("kind", ""), source.get("apiGroup") or "") not in known:
            spec.pop("dataSource", None)
    _mirror_sources(spec)


def _mirror_sources(spec: Tree) -> None:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = {field: value for field, value in reference.items() if field != "namespace"}


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree["spec"]
    stands = bool(tree["metadata"].get("resourceVersion"))
    return validate_claim_spec(spec, "spec", any_source_group=stands and _names_group(spec))


def _names_group(spec: Tree) -> bool:
    return any(spec.get(field, {}).get("apiGroup") is not None for field in ("dataSource", "dataSourceRef"))


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    spec, before = copy.deepcopy(new["spec"]), dict(old["spec"])
    if not before.get("volumeName") and "volumeName" in spec:
        before["volumeName"] = spec["volumeName"]
    errors = _settle_class(new, old, spec)
    if new.get("status", {}).get("phase") == "Bound":
        _free_bound_fields(spec, before)
    if spec != before:
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
            f"{difference(before, spec)}"
        )
        errors.append(forbidden_field("spec", why))
    errors += _validate_size_change(new, old)
    errors += immutable("volumeMode", new["spec"].get("volumeMode"), old["spec"].get("volumeMode"))
    if new["spec"].get(_ATTRIBUTES_CLASS) != old["spec"].get(_ATTRIBUTES_CLASS):
        why = "update is forbidden when the VolumeAttributesClass feature gate is disabled"
        errors.append(forbidden_field(f"spec.{_ATTRIBUTES_CLASS}", why))
    return errors


def _settle_class(new: Tree, old: Tree, spec: Tree) -> list[FieldError]:
    """The class may be moved from the annotation to the field, and given to a claim that has none yet; else it stays."""
    annotations, before = new["metadata"].get("annotations", {}), old["metadata"].get("annotations", {})
    name, was = spec.get("storageClassName"), old["spec"].get("storageClassName")
    annotated = before.get(CLASS_ANNOTATION)
    if (
        annotated is not None
        and was is None
        and name == annotated
        and annotations.get(CLASS_ANNOTATION, annotated) == annotated
    ):
        del spec["storageClassName"]
        return []
    if name is not None and was is None and annotated in (None, name):
        del spec["storageClassName"]
    path = f"metadata.annotations.{CLASS_ANNOTATION}"
    return immutable(path, annotations.get(CLASS_ANNOTATION, ""), before.get(CLASS_ANNOTATION, ""))


def _free_bound_fields(spec: Tree, before: Tree) -> None:
    """Set back what may change in a bound claim."""
    size = before.get("resources", {}).get("requests", {}).get("storage")
    requests = spec.get("resources", {}).get("requests")
    if requests and size is not None:
        requests["storage"] = size
    if _ATTRIBUTES_CLASS in spec and _ATTRIBUTES_CLASS in before:
        spec[_ATTRIBUTES_CLASS] = before[_ATTRIBUTES_CLASS]


def _validate_size_change(new: Tree, old: Tree) -> list[FieldError]:
    """A claim can ask for less only while the volume has not become as large yet: that undoes an expansion that failed."""

    def size(tree: Tree) -> str | int:
        found: str | int = tree["spec"].get("resources", {}).get("requests", {}).get("storage", "0")
        return found

    has = old.get("status", {}).get("capacity", {}).get("storage", "0")
    if compare(size(new), size(old)) >= 0 or compare(size(new), has) > 0:
        return []
    return [forbidden_field(_SIZE, "field can not be less than status.capacity")]


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    errors = [] if new["spec"].get("accessModes") else [required("Spec.accessModes")]
    for name, amount in status.get("capacity", {}).items():
        errors += validate_basic(amount, f"status.capacity[{name}]")
    path = "status.allocatedResourceStatus"
    for name, state in status.get("allocatedResourceStatuses", {}).items():
        errors += _validate_resource_key(name, path)
        if state not in _RESIZE_STATES:
            errors.append(not_supported(path, name, sorted(_RESIZE_STATES)))
    return errors + _validate_allocated(status.get("allocatedResources", {}), "status.allocatedResources")


def _validate_allocated(resources: Mapping[str, str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, amount in resources.items():
        where = f"{path}[{name}]"
        found = _validate_resource_key(name, path) or validate_basic(amount, where)
        errors += found or validate_resource_amount("storage", amount, where)
    return errors


def _validate_resource_key(name: str, path: str) -> list[FieldError]:
    if problems := names.qualified_name(name):
        return [invalid(path, name, why) for why in problems]
    return [not_supported(path, name, ("storage",))] if is_native(name) and name != "storage" else []


def _prepare_status(new: Tree, old: Tree) -> None:
    keep_spec(new, old)
    status, before = new.get("status", {}), old.get("status", {})
    for field in ("currentVolumeAttributesClassName", "modifyVolumeStatus"):
        if field not in before:
            status.pop(field, None)


def _warn(new: Tree, old: Tree | None) -> list[str]:
    warnings = [CLASS_WARNING] if CLASS_ANNOTATION in new["metadata"].get("annotations", {}) else []
    return warnings + warn_of_claim(new["spec"], "spec")


def _capacity(tree: Tree, now: float) -> str:
    if not tree["spec"].get("volumeName"):
        return ""
    capacity: str = tree.get("status", {}).get("capacity", {}).get("storage", "0")
    return capacity


def _access_modes(tree: Tree, now: float) -> str:
    return modes_in_short(tree.get("status", {}).get("accessModes", [])) if tree["spec"].get("volumeName") else ""


RESOURCE = Resource(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    definition="io.k8s.api.core.v1.PersistentVolumeClaim",
    short=("pvc",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=_prepare_status,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_status,
        warn=_warn,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Status", phase_of),
        Column("Volume", lambda tree, now: tree["spec"].get("volumeName", "")),
        Column("Capacity", _capacity),
        Column("Access Modes", _access_modes),
        Column("StorageClass", lambda tree, now: class_of(tree)),
        Column("VolumeAttributesClass", attributes_class_of),
        AGE,
        Column("VolumeMode", mode_of, priority=1),
    ),
    status=True,
)

"""Rules of PersistentVolumes, and of the specs of volumes that a VolumeAttachment carries in line.

After ValidatePersistentVolumeSpec and ValidatePersistentVolumeUpdate (pkg/apis/core/validation).
"""

from __future__ import annotations

import posixpath

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.groups.validation.amounts import validate_basic, validate_positive_amount
from sampan.api.groups.validation.claims import VOLUME_MODES, validate_access_modes
from sampan.api.groups.validation.difference import difference
from sampan.api.groups.validation.metadata import IMMUTABLE, immutable
from sampan.api.groups.validation.nodelabels import LATER_NAMES
from sampan.api.groups.validation.scheduling import validate_node_terms
from sampan.api.groups.validation.volumesources import PERSISTENT, SHOWN_AS, validate_iscsi_name
from sampan.api.resource import Tree

RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
_NOT_INLINE = "may not be specified in the context of inline volumes"
_REPEATED_AS = {"cephfs": "cephFS"}


def validate_volume(tree: Tree) -> list[FieldError]:
    spec, path = tree["spec"], "spec"
    modes = spec.get("accessModes", ())
    errors = [] if modes else [required(f"{path}.accessModes")]
    errors += validate_access_modes(modes, f"{path}.accessModes")
    errors += _validate_capacity(spec.get("capacity", {}), f"{path}.capacity")
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in RECLAIM_POLICIES:
        errors.append(not_supported(f"{path}.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES))
    if "nodeAffinity" in spec:
        errors += _validate_node_affinity(spec["nodeAffinity"], f"{path}.nodeAffinity")
    errors += _validate_source(spec, tree["metadata"].get("name", ""), path)
    if name := spec.get("storageClassName"):
        errors += [invalid(f"{path}.storageClassName", name, why) for why in names.name_is_subdomain(name)]
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))
    return errors


def validate_inline_volume(spec: Tree, path: str) -> list[FieldError]:
    """The spec of a volume that has no object of its own: a CSI driver's, migrated from a pod's."""
    errors = [forbidden_field(f"{path}.{field}", _NOT_INLINE) for field in ("claimRef", "capacity") if spec.get(field)]
    if "csi" not in spec:
        errors.append(required(f"{path}.csi", "has to be specified in the context of inline volumes"))
    modes = spec.get("accessModes", ())
    if not modes:
        errors.append(required(f"{path}.accessModes"))
    errors += validate_access_modes(modes, f"{path}.accessModes")
    if spec.get("persistentVolumeReclaimPolicy", "Retain") != "Retain":
        why = "may only be Retain in the context of inline volumes"
        errors.append(forbidden_field(f"{path}.persistentVolumeReclaimPolicy", why))
    if "nodeAffinity" in spec:
        errors.append(forbidden_field(f"{path}.nodeAffinity", _NOT_INLINE))
    errors += _validate_source(spec, "", path)
    if spec.get("storageClassName"):
        errors.append(forbidden_field(f"{path}.storageClassName", _NOT_INLINE))
    if spec.get("volumeMode", "Filesystem") != "Filesystem":
        why = "may not specify volumeMode other than Filesystem in the context of inline volumes"
        errors.append(forbidden_field(f"{path}.volumeMode", why))
    return errors


def _validate_capacity(capacity: Tree, path: str) -> list[FieldError]:
    errors = [] if capacity else [required(path)]
    if list(capacity) != ["storage"]:
        errors.append(not_supported(path, capacity, ("storage",)))
    for name, amount in capacity.items():
        where = f"{path}[{name}]"
        errors += validate_basic(amount, where) + validate_positive_amount(amount, where)
    return errors


def _validate_node_affinity(affinity: Tree, path: str) -> list[FieldError]:
    if "required" not in affinity:
        return [required(f"{path}.required", "must specify required node constraints")]
    return validate_node_terms(affinity["required"], f"{path}.required")


def _validate_source(spec: Tree, name: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    found = 0
    for kind, check in PERSISTENT.items():
        source = spec.get(kind)
        if source is None:
            continue
        # A flexVolume is never one too many, only what comes after it.
        if found and kind != "flexVolume":
            why = "may not specify more than 1 volume type"
            errors.append(forbidden_field(f"{path}.{_REPEATED_AS.get(kind, kind)}", why))
            continue
        found += 1
        where = f"{path}.{SHOWN_AS.get(kind, kind)}"
        if kind == "iscsi":
            errors += validate_iscsi_name(source, name, where)
        errors += check(source, where)
        if kind == "local" and "nodeAffinity" not in spec:
            errors.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    if not found:
        errors.append(required(path, "must specify a volume type"))
    target = spec.get("hostPath", {}).get("path", "")
    if target and posixpath.normpath(target).strip("/") == "" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(forbidden_field(f"{path}.persistentVolumeReclaimPolicy", why))
    return errors


def validate_volume_update(new: Tree, old: Tree) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors: list[FieldError] = []
    source, earlier = _source(spec), _source(before)
    if "csi" in source and "csi" in earlier and "controllerExpandSecretRef" not in earlier["csi"]:
        source["csi"] = {key: value for key, value in source["csi"].items() if key != "controllerExpandSecretRef"}
    if source != earlier:
        why = f"spec.persistentvolumesource is immutable after creation\n{difference(earlier, source)}"
        errors.append(forbidden_field("spec.persistentvolumesource", why))
    errors += immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    affinity = before.get("nodeAffinity")
    if affinity is not None and not _same_affinity(spec.get("nodeAffinity"), affinity):
        why = f"{IMMUTABLE}, except for updating from beta label to GA"
        errors.append(invalid("nodeAffinity", spec.get("nodeAffinity"), why))
    name, was = spec.get("volumeAttributesClassName"), before.get("volumeAttributesClassName")
    if name != was:
        why = "update is forbidden when the VolumeAttributesClass feature gate is disabled"
        errors.append(forbidden_field("spec.volumeAttributesClassName", why))
    return errors


def _source(spec: Tree) -> Tree:
    return {kind: spec[kind] for kind in PERSISTENT if kind in spec}


def _same_affinity(new: Tree | None, old: Tree) -> bool:
    """Labels may be called by their later names."""
    if new is None:
        return False
    terms, before = (affinity.get("required", {}).get("nodeSelectorTerms", []) for affinity in (new, old))
    return len(terms) == len(before) and all(map(_same_term, terms, before))


def _same_term(new: Tree, old: Tree) -> bool:
    for field in ("matchExpressions", "matchFields"):
        expressions, before = new.get(field, []), old.get(field, [])
        if len(expressions) != len(before):
            return False
        for expression, earlier in zip(expressions, before, strict=True):
            key = earlier.get("key", "")
            if expression not in (earlier, earlier | {"key": LATER_NAMES.get(key, (key,))[0]}):
                return False
    return True

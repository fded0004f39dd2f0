"""What a claim to storage may ask for, in a PersistentVolumeClaim and in the templates that make such claims.

After ValidatePersistentVolumeClaimSpec (pkg/apis/core/validation).
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.groups.validation.amounts import validate_positive_amount, validate_resource_amount, warn_of_fractions
from sampan.api.groups.validation.metadata import validate_annotations, validate_labels
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.resource import Tree

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
"""Where the storage class stood before it had a field."""


def validate_access_modes(modes: Sequence[str], path: str) -> list[FieldError]:
    errors = [not_supported(path, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    known = {mode for mode in modes if mode in ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        errors.append(forbidden_field(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def validate_claim_template(template: Tree, path: str) -> list[FieldError]:
    """ValidatePersistentVolumeClaimTemplate: of its metadata only labels and annotations come to anything."""
    meta = template.get("metadata", {})
    errors = validate_annotations(meta.get("annotations", {}), f"{path}.metadata.annotations")
    errors += validate_labels(meta.get("labels", {}), f"{path}.metadata.labels")
    others = [field for field, value in meta.items() if field not in ("annotations", "labels") and value]
    errors += [forbidden_field(f"{path}.metadata.{field}", "cannot be set") for field in others]
    return errors + validate_claim_spec(template.get("spec", {}), f"{path}.spec")


def validate_claim_spec(spec: Tree, path: str, *, any_source_group: bool = False) -> list[FieldError]:
    """`any_source_group`: the claim stands already and names a data source's group, good or bad."""
    modes = spec.get("accessModes", ())
    errors = [] if modes else [required(f"{path}.accessModes", "at least 1 access mode is required")]
    if "selector" in spec:
        errors += validate_label_selector(spec["selector"], f"{path}.selector")
    errors += validate_access_modes(modes, f"{path}.accessModes")
    errors += _validate_size(spec.get("resources", {}).get("requests", {}).get("storage"), f"{path}.resources[storage]")
    if name := spec.get("storageClassName"):
        errors += [invalid(f"{path}.storageClassName", name, why) for why in names.name_is_subdomain(name)]
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))
    return errors + _validate_data_sources(spec, path, any_source_group)


def _validate_size(size: str | int | None, path: str) -> list[FieldError]:
    if size is None:
        return [required(path)]
    return validate_positive_amount(size, path) or validate_resource_amount("storage", size, path)


def _validate_data_sources(spec: Tree, path: str, any_group: bool) -> list[FieldError]:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    errors: list[FieldError] = []
    if source is not None:
        errors += _validate_data_source(source, f"{path}.dataSource", any_group)
    if reference is not None:
        where = f"{path}.dataSourceRef"
        errors += _validate_data_source(reference, where, any_group)
        if namespace := reference.get("namespace"):
            errors += [invalid(f"{where}.namespace", namespace, why) for why in names.name_is_label(namespace)]
    if source is None or reference is None:
        return errors
    if reference.get("namespace"):
        errors.append(invalid(path, f"{path}.dataSource", "may not be specified when dataSourceRef.namespace is specified"))
    elif any(source.get(field) != reference.get(field) for field in ("apiGroup", "kind", "name")):
        errors.append(invalid(path, f"{path}.dataSource", "must match dataSourceRef"))
    return errors


def _validate_data_source(source: Tree, path: str, any_group: bool) -> list[FieldError]:
    errors = [required(f"{path}.{field}") for field in ("name", "kind") if not source.get(field)]
    group, kind = source.get("apiGroup") or "", source.get("kind", "")
    if not group and kind != "PersistentVolumeClaim":
        errors.append(invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
    if group and not any_group:
        errors += [invalid(f"{path}.apiGroup", group, why) for why in names.dns_subdomain(group)]
    return errors


def warn_of_claim(spec: Tree, path: str) -> list[str]:
    """After GetWarningsForPersistentVolumeClaimSpec."""
    resources = spec.get("resources", {})
    requested = warn_of_fractions(resources.get("requests", {}), ("storage",), f"{path}.resources.requests")
    return requested + warn_of_fractions(resources.get("limits", {}), ("storage",), f"{path}.resources.limits")

"""The rules of `metadata`, the same for every kind; the registry applies them before a kind's own rules.

After k8s.io/apimachinery/pkg/api/validation/objectmeta.go and .../apis/meta/v1/validation. A create is checked by
`validate_metadata`, an update by `validate_metadata_update`, which also covers what may never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sampan.api import names
from sampan.api.errors import FieldError, GoText, forbidden_field, invalid, not_supported, required, too_long
from sampan.api.resource import Tree

IMMUTABLE = "field is immutable"
ANNOTATIONS_LIMIT_BYTES = 256 * 1024
STANDARD_FINALIZERS = frozenset(("kubernetes", "foregroundDeletion", "orphan"))
_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"
_NOTHING: Any = {}

NameRule = Callable[[str, bool], list[str]]


def validate_metadata(
    tree: Tree, namespaced: bool, name_is_valid: NameRule | None = None, *, any_finalizer: bool = False
) -> list[FieldError]:
    """Errors in the metadata of a new object, whose name has been generated already. No rule: a DNS subdomain."""
    meta = tree.get("metadata") or _NOTHING
    errors = _validate_names(meta, name_is_valid or names.name_is_subdomain)
    namespace = meta.get("namespace", "")
    if namespaced:
        if not namespace:
            errors.append(required("metadata.namespace"))
        else:
            errors += [invalid("metadata.namespace", namespace, why) for why in names.dns_label(namespace)]
    elif namespace:
        errors.append(forbidden_field("metadata.namespace", "not allowed on this type"))
    if meta.get("generation", 0) < 0:
        errors.append(invalid("metadata.generation", meta["generation"], "must be greater than or equal to 0"))
    return errors + _validate_contents(meta, any_finalizer)


def validate_metadata_update(new: Tree, old: Tree, *, any_finalizer: bool = False) -> list[FieldError]:
    """Errors in the metadata of an object that replaces `old`."""
    meta, before = new.get("metadata") or _NOTHING, old.get("metadata") or _NOTHING
    errors = []
    if before.get("deletionTimestamp") and meta.get("finalizers"):
        errors += _validate_no_new_finalizers(meta["finalizers"], before.get("finalizers", ()))
    if not meta.get("resourceVersion"):
        errors.append(invalid("metadata.resourceVersion", "", "must be specified for an update"))
    if meta.get("generation", 0) < before.get("generation", 0):
        errors.append(invalid("metadata.generation", meta.get("generation", 0), "must not be decremented"))
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if meta.get(field) != before.get(field):
            value = _go_time(meta[field]) if field == "deletionTimestamp" else meta.get(field, "")
            errors.append(invalid(f"metadata.{field}", value, IMMUTABLE))
    return errors + _validate_contents(meta, any_finalizer)


def _go_time(text: str) -> GoText:
    """A time as Go prints it."""
    return GoText(text.replace("T", " ").replace("Z", " +0000 UTC"))


def immutable(path: str, new: Any, old: Any) -> list[FieldError]:
    """ValidateImmutableField."""
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def validate_labels(labels: Mapping[str, str], path: str) -> list[FieldError]:
    errors = []
    for key, value in labels.items():
        errors += [invalid(path, key, why) for why in names.qualified_name(key)]
        errors += [invalid(path, value, why) for why in names.label_value(value)]
    return errors


def validate_annotations(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    errors = [invalid(path, key, why) for key in annotations for why in names.qualified_name(key.lower())]
    if _size(annotations) > ANNOTATIONS_LIMIT_BYTES:
        errors.append(too_long(path, ANNOTATIONS_LIMIT_BYTES))
    return errors


def validate_finalizer_name(name: str, path: str) -> list[FieldError]:
    """A finalizer is one of Kubernetes' own words or a qualified name with a domain."""
    if problems := names.qualified_name(name):
        return [invalid(path, name, why) for why in problems]
    if "/" not in name and name not in STANDARD_FINALIZERS:
        return [invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")]
    return []


def _size(annotations: Mapping[str, str]) -> int:
    # Characters bound bytes from below and, four times, from above: encoding is for the few objects in between.
    characters = sum(map(len, annotations)) + sum(map(len, annotations.values()))
    if characters * 4 <= ANNOTATIONS_LIMIT_BYTES or characters > ANNOTATIONS_LIMIT_BYTES:
        return characters
    return sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())


def _validate_names(meta: Tree, rule: NameRule) -> list[FieldError]:
    errors = []
    if prefix := meta.get("generateName"):
        errors += [invalid("metadata.generateName", prefix, why) for why in rule(prefix, True)]
    name = meta.get("name")
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        errors += [invalid("metadata.name", name, why) for why in rule(name, False)]
    return errors


def _validate_contents(meta: Tree, any_finalizer: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if labels := meta.get("labels"):
        errors += validate_labels(labels, "metadata.labels")
    if annotations := meta.get("annotations"):
        errors += validate_annotations(annotations, "metadata.annotations")
    if owners := meta.get("ownerReferences"):
        errors += _validate_owners(owners)
    if finalizers := meta.get("finalizers"):
        errors += _validate_finalizers(finalizers, any_finalizer)
    if managed := meta.get("managedFields"):
        errors += validate_managed_fields(managed)
    return errors


def _validate_owners(owners: Sequence[Tree]) -> list[FieldError]:
    path = "metadata.ownerReferences"
    errors: list[FieldError] = []
    controller = ""
    for owner in owners:
        errors += _validate_owner(owner, path)
        if owner.get("controller"):
            this = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                why = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {controller} and {this}'
                )
                errors.append(invalid(path, list(owners), why))
            else:
                controller = this
    return errors


def _validate_owner(owner: Tree, path: str) -> list[FieldError]:
    errors = []
    version = owner.get("apiVersion", "")
    if not version.rpartition("/")[2] or version.count("/") > 1:
        errors.append(invalid(f"{path}.apiVersion", version, "version must not be empty"))
    missing = (field for field in ("kind", "name", "uid") if not owner.get(field))
    errors += [invalid(f"{path}.{field}", "", f"{field} must not be empty") for field in missing]
    if version == "v1" and owner.get("kind") == "Event":
        errors.append(invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
    return errors


def _validate_finalizers(finalizers: Sequence[str], any_finalizer: bool) -> list[FieldError]:
    path = "metadata.finalizers"
    errors = [invalid(path, name, why) for name in finalizers for why in names.qualified_name(name)]
    if _ORPHAN in finalizers and _FOREGROUND in finalizers:
        why = f"finalizer {_ORPHAN} and {_FOREGROUND} cannot be both set"
        errors.append(invalid(path, list(finalizers), why))
    for index, name in enumerate(() if any_finalizer else finalizers):
        if "/" not in name and name not in STANDARD_FINALIZERS:
            errors += validate_finalizer_name(name, f"{path}[{index}]")
    return errors


def _validate_no_new_finalizers(finalizers: Iterable[str], before: Iterable[str]) -> list[FieldError]:
    extra = sorted(set(finalizers) - set(before))
    if not extra:
        return []
    shown = ", ".join(f'"{name}"' for name in extra)
    why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
    return [forbidden_field("metadata.finalizers", why)]


def validate_managed_fields(entries: Sequence[Tree]) -> list[FieldError]:
    """After metav1's ValidateManagedFields."""
    errors = []
    for index, entry in enumerate(entries):
        path = f"metadata.managedFields[{index}]"
        if entry.get("operation") not in ("Apply", "Update"):
            errors.append(invalid(f"{path}.operation", entry.get("operation", ""), "must be `Apply` or `Update`"))
        if entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            errors.append(invalid(f"{path}.fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
        if len(entry.get("manager", "")) > 128:
            errors.append(too_long(f"{path}.manager", 128))
        if len(entry.get("subresource", "")) > 256:
            errors.append(too_long(f"{path}.subresource", 256))
    return errors


def validate_condition_status(status: str, path: str) -> list[FieldError]:
    """The three values a condition can have."""
    return [] if status in ("True", "False", "Unknown") else [not_supported(path, status, ("False", "True", "Unknown"))]

"""VolumeAttachment."""

from __future__ import annotations

from collections.abc import Mapping

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, required, too_long
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.core.persistentvolume import default_volume_source
from sampan.api.groups.core.persistentvolume_validation import validate_inline_volume
from sampan.api.groups.strategies import keep_field, keep_status
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.volumesources import validate_driver_name
from sampan.api.resource import Column, Resource, Strategy, Tree

_METADATA_LIMIT_BYTES = 256 * 1024
_MESSAGE_LIMIT_BYTES = 1024
_MAX_INT32 = 2**31 - 1
_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def _default(tree: Tree) -> None:
    inline = tree.get("spec", {}).get("source", {}).get("inlineVolumeSpec")
    if inline is not None:
        default_volume_source(inline)
    # `attached` is a required field of a status that always stands.
    tree.setdefault("status", {}).setdefault("attached", False)


def _prepare_create(new: Tree) -> None:
    new["status"] = {"attached": False}


def _prepare_status(new: Tree, old: Tree) -> None:
    keep_field(new, old, "spec")
    # Of the metadata only what is the server's own may change with the status.
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        keep_field(new["metadata"], old["metadata"], field)
    for field in ("attachError", "detachError"):  # whose codes are an alpha feature, off by default
        if "errorCode" not in old.get("status", {}).get(field, {}):
            new.get("status", {}).get(field, {}).pop("errorCode", None)


def _validate(tree: Tree) -> list[FieldError]:
    spec, path = tree.get("spec", {}), "spec"
    attacher, source = spec.get("attacher", ""), spec.get("source", {})
    errors = [] if attacher else [required(f"{path}.attacher")]
    errors += _validate_source(source, f"{path}.source")
    node = spec.get("nodeName", "")
    errors += [invalid(f"{path}.nodeName", node, why) for why in names.name_is_subdomain(node)]
    errors += _validate_status(tree.get("status", {}), "status")
    if tree["metadata"].get("resourceVersion"):
        return errors
    errors += validate_driver_name(attacher, f"{path}.attacher")
    volume = source.get("persistentVolumeName")
    why_not = () if volume is None else names.name_is_subdomain(volume)
    return errors + [invalid(f"{path}.source.persistentVolumeName", volume, why) for why in why_not]


def _validate_source(source: Tree, path: str) -> list[FieldError]:
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and volume is None:
        return [required(path, _ONE_SOURCE)]
    if inline is not None and volume is not None:
        return [forbidden_field(path, _ONE_SOURCE)]
    if inline is not None:
        return validate_inline_volume(inline, f"{path}.inlineVolumeSpec")
    return [] if volume else [required(f"{path}.persistentVolumeName", "must specify non empty persistentVolumeName")]


def _validate_status(status: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if _size(status.get("attachmentMetadata", {})) > _METADATA_LIMIT_BYTES:
        errors.append(too_long(f"{path}.attachmentMetadata", _METADATA_LIMIT_BYTES))
    for field in ("attachError", "detachError"):
        problem, where = status.get(field, {}), f"{path}.{field}"
        if len(problem.get("message", "").encode()) > _MESSAGE_LIMIT_BYTES:
            # The limit named is not the one that holds, as upstream's is not.
            errors.append(too_long(f"{where}.message", _METADATA_LIMIT_BYTES))
        if (code := problem.get("errorCode", 0)) < 0:
            errors.append(invalid(f"{where}.errorCode", code, names.range_message(0, _MAX_INT32)))
    return errors


def _size(texts: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in texts.items())


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return immutable("spec", new.get("spec"), old.get("spec"))


def _validate_status_update(new: Tree, old: Tree) -> list[FieldError]:
    return _validate(new) + _validate_update(new, old)


RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    definition="io.k8s.api.storage.v1.VolumeAttachment",
    namespaced=False,
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=keep_status,
        prepare_status=_prepare_status,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_status_update,
        allow_unconditional_update=False,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Attacher", lambda tree, now: tree["spec"].get("attacher", ""), format_="name"),
        Column("PV", lambda tree, now: tree["spec"].get("source", {}).get("persistentVolumeName", "")),
        Column("Node", lambda tree, now: tree["spec"].get("nodeName", "")),
        Column("Attached", lambda tree, now: tree.get("status", {}).get("attached", False), "boolean"),
        AGE,
    ),
    status=True,
)

"""Volumes of a pod and the mounts of its containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.api import names, quantity
from sampan.api.errors import (
    FieldError,
    duplicate,
    forbidden_field,
    invalid,
    not_found_field,
    not_supported,
    required,
)
from sampan.api.groups.validation.claims import validate_claim_template
from sampan.api.groups.validation.environment import (
    VOLUME_FIELDS,
    validate_field_reference,
    validate_resource_reference,
)
from sampan.api.groups.validation.volumesources import COMMON, SHOWN_AS, Check, local_descending_path, validate_portal_length
from sampan.api.resource import Tree

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")
_DUPLICATE_PATHS = "conflicting duplicate paths"
_MIN_TOKEN_SECONDS, _MAX_TOKEN_SECONDS = 600, 1 << 32


def validate_volumes(volumes: Sequence[Tree], pod: str, path: str) -> tuple[dict[str, Tree], list[FieldError]]:
    """The good volumes by name, and the errors of the others. `pod`: the name of the Pod, "" in a template."""
    good: dict[str, Tree] = {}
    errors: list[FieldError] = []
    for index, volume in enumerate(volumes):
        name = volume.get("name")
        found = _validate_sources(volume, pod, f"{path}[{index}]")
        if not name:
            found.append(required(f"{path}[{index}].name"))
        elif problems := names.dns_label(name):
            found += [invalid(f"{path}[{index}].name", name, why) for why in problems]
        elif name in good:
            found.append(duplicate(f"{path}[{index}].name", name))
        if found:
            errors += found
        else:
            assert name
            good[name] = volume
        if pod and "persistentVolumeClaim" in volume:
            errors += _validate_claim_of_others(volume["persistentVolumeClaim"], volumes, pod, f"{path}[{index}]")
    return good, errors


def _validate_claim_of_others(source: Tree, volumes: Sequence[Tree], pod: str, path: str) -> list[FieldError]:
    """A volume is not of a claim that is only made for another of the pod's volumes."""
    claim = source.get("claimName", "")
    if all(claim != f"{pod}-{volume.get('name', '')}" for volume in volumes if "ephemeral" in volume):
        return []
    why = "must not reference a PVC that gets created for an ephemeral volume"
    return [invalid(f"{path}.persistentVolumeClaim.claimName", claim, why)]


def _validate_sources(volume: Tree, pod: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    found = 0
    kinds = [kind for kind in volume if kind != "name"]
    if len(kinds) > 1:  # The second in upstream's order is one too many.
        kinds.sort(key=lambda kind: _ORDER.index(kind) if kind in _ORDER else len(_ORDER))
    for kind in kinds:
        source = volume[kind]
        found += 1
        if kind == "iscsi":
            errors += validate_portal_length(source, volume.get("name", ""), f"{path}.name", volume.get("name", ""))
        if found > 1:
            errors.append(forbidden_field(f"{path}.{_REPEATED_AS.get(kind, kind)}", "may not specify more than 1 volume type"))
        elif kind == "ephemeral":
            errors += _validate_ephemeral(source, f"{path}.ephemeral") + _validate_claim_name(volume, pod, path)
        elif check := _SOURCES.get(kind):
            errors += check(source, f"{path}.{SHOWN_AS.get(kind, kind)}")
        elif fields := _REQUIRED.get(kind):
            errors += [required(f"{path}.{kind}.{field}") for field in fields if not source.get(field)]
    return errors if found else [required(path, "must specify a volume type")]


def _local_path(target: str, path: str) -> list[FieldError]:
    errors = local_descending_path(target, path)
    if target.startswith("..") and not target.startswith("../"):
        errors.append(invalid(path, target, "must not start with '..'"))
    return errors


def _validate_mode(mode: int | None, path: str) -> list[FieldError]:
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(path, mode, _MODE)]


def _validate_items(items: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, item in enumerate(items):
        where = f"{path}.items[{index}]"
        if not item.get("key"):
            errors.append(required(f"{where}.key"))
        target = item.get("path")
        errors += _local_path(target, f"{where}.path") if target else [required(f"{where}.path")]
        errors += _validate_mode(item.get("mode"), f"{where}.mode")
    return errors


def _validate_empty_dir(source: Tree, path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is None or quantity.parse(str(limit)).nanos >= 0:
        return []
    return [forbidden_field(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]


def _validate_config_map(source: Tree, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name")]
    errors += _validate_mode(source.get("defaultMode"), f"{path}.defaultMode")
    return errors + _validate_items(source.get("items", ()), path)


def _validate_secret(source: Tree, path: str) -> list[FieldError]:
    errors = [] if source.get("secretName") else [required(f"{path}.secretName")]
    errors += _validate_mode(source.get("defaultMode"), f"{path}.defaultMode")
    return errors + _validate_items(source.get("items", ()), path)


def _validate_downward_api(source: Tree, path: str) -> list[FieldError]:
    errors = _validate_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items", ()):
        errors += _validate_downward_file(item, path)
    return errors


def _validate_downward_file(item: Tree, path: str) -> list[FieldError]:
    # Upstream names the volume's field here, not the entry of the list.
    target = item.get("path")
    errors = _local_path(target, f"{path}.path") if target else [required(f"{path}.path")]
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        errors += validate_field_reference(field, VOLUME_FIELDS, f"{path}.fieldRef")
        if resource is not None:
            why = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid(path, "resource", why))
    elif resource is not None:
        errors += validate_resource_reference(resource, f"{path}.resourceFieldRef", needs_container=True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + _validate_mode(item.get("mode"), f"{path}.mode")


def _validate_projected(source: Tree, path: str) -> list[FieldError]:
    errors = _validate_mode(source.get("defaultMode"), f"{path}.defaultMode")
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        where = f"{path}.sources[{index}]"
        for kind in ("secret", "configMap"):
            if (part := projection.get(kind)) is not None:
                if not part.get("name"):
                    errors.append(required(f"{where}.{kind}.name"))
                errors += _validate_items(part.get("items", ()), f"{where}.{kind}")
                targets = [item.get("path", "") for item in part.get("items", ())]
                errors += _take(targets, taken, path, part.get("name", ""))
        if (part := projection.get("downwardAPI")) is not None:
            for item in part.get("items", ()):
                errors += _validate_downward_file(item, f"{where}.downwardAPI")
                errors += _take([item.get("path", "")], taken, path, item.get("path", ""))
        if (part := projection.get("serviceAccountToken")) is not None:
            errors += _validate_token(part, f"{where}.serviceAccountToken", path)
        if len(projection) > 1:
            errors.append(forbidden_field(where, "may not specify more than 1 volume type per source"))
    return errors


def _take(targets: Sequence[str], taken: set[str], path: str, shown: str) -> list[FieldError]:
    errors = []
    for target in targets:
        if target in taken:
            errors.append(invalid(path, shown, _DUPLICATE_PATHS))
        elif target:
            taken.add(target)
    return errors


def _validate_token(token: Tree, where: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seconds = token.get("expirationSeconds", 0)
    if seconds < _MIN_TOKEN_SECONDS:
        why = "may not specify a duration less than 10 minutes"
        errors.append(invalid(f"{where}.expirationSeconds", seconds, why))
    if seconds > _MAX_TOKEN_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid(f"{where}.expirationSeconds", seconds, why))
    target = token.get("path")
    return errors + (_local_path(target, f"{path}.path") if target else [required(f"{path}.path")])


def _validate_git_repo(source: Tree, path: str) -> list[FieldError]:
    errors = [] if source.get("repository") else [required(f"{path}.repository")]
    return errors + local_descending_path(source.get("directory", ""), f"{path}.directory")


def _validate_ephemeral(source: Tree, path: str) -> list[FieldError]:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{path}.volumeClaimTemplate")]
    return validate_claim_template(template, f"{path}.volumeClaimTemplate")


def _validate_claim_name(volume: Tree, pod: str, path: str) -> list[FieldError]:
    """The claim of an ephemeral volume is called by the pod and the volume."""
    name = volume.get("name", "")
    if not pod or not name:
        return []
    claim = f"{pod}-{name}"
    return [invalid(f"{path}.name", name, f'PVC name "{claim}": {why}') for why in names.name_is_subdomain(claim)]


_SOURCES: Mapping[str, Check] = {
    **COMMON,
    "emptyDir": _validate_empty_dir,
    "configMap": _validate_config_map,
    "secret": _validate_secret,
    "downwardAPI": _validate_downward_api,
    "projected": _validate_projected,
    "gitRepo": _validate_git_repo,
}
_REQUIRED: Mapping[str, Sequence[str]] = {"persistentVolumeClaim": ("claimName",)}
_REPEATED_AS = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
"""What upstream calls a source that is one too many, where that is not its name."""
# fmt: off
_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi", "glusterfs",
    "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc", "flexVolume", "configMap",
    "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO",
    "csi", "ephemeral",
)
# fmt: on


def validate_mounts(container: Tree, volumes: Mapping[str, Tree], path: str) -> list[FieldError]:
    """`volumeMounts` of a container; `path` is that of the list."""
    errors: list[FieldError] = []
    taken: set[str] = set()
    devices = container.get("volumeDevices", ())
    for index, mount in enumerate(container["volumeMounts"]):
        name, target = mount.get("name", ""), mount.get("mountPath", "")
        if name not in volumes:
            if not name:
                errors.append(required(f"{path}[{index}].name"))
            errors.append(not_found_field(f"{path}[{index}].name", name))
        if not target:
            errors.append(required(f"{path}[{index}].mountPath"))
        if target in taken:
            errors.append(invalid(f"{path}[{index}].mountPath", target, "must be unique"))
        taken.add(target)
        if devices:
            errors += _validate_no_device(name, target, devices, f"{path}[{index}]")
        if len(mount) > 2:
            errors += _validate_mount_options(mount, container, f"{path}[{index}]", path)
    return errors


def _validate_no_device(name: str, target: str, devices: Sequence[Tree], path: str) -> list[FieldError]:
    errors = []
    if any(device.get("name") == name for device in devices):
        errors.append(invalid(f"{path}.name", name, "must not already exist in volumeDevices"))
    if any(device.get("devicePath") == target for device in devices):
        errors.append(invalid(f"{path}.mountPath", target, "must not already exist as a path in volumeDevices"))
    return errors


def _validate_mount_options(mount: Tree, container: Tree, path: str, list_path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if sub_path := mount.get("subPath"):
        errors += local_descending_path(sub_path, f"{list_path}.subPath")
    if expression := mount.get("subPathExpr"):
        if sub_path:
            errors.append(invalid(f"{path}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive"))
        errors += local_descending_path(expression, f"{list_path}.subPathExpr")
    if (propagation := mount.get("mountPropagation")) is not None:
        where = f"{list_path}.mountPropagation"
        if propagation not in _PROPAGATIONS:
            errors.append(not_supported(where, propagation, _PROPAGATIONS))
        if propagation == "Bidirectional" and not container.get("securityContext", {}).get("privileged"):
            why = "Bidirectional mount propagation is available only to privileged containers"
            errors.append(forbidden_field(where, why))
    recursive = mount.get("recursiveReadOnly", "Disabled")
    if recursive != "Disabled":
        errors += _validate_recursive(recursive, mount, f"{list_path}.recursiveReadOnly")
    return errors


def _validate_recursive(recursive: str, mount: Tree, path: str) -> list[FieldError]:
    if recursive not in _RECURSIVE:
        return [not_supported(path, recursive, _RECURSIVE)]
    errors = []
    if not mount.get("readOnly"):
        errors.append(forbidden_field(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation", "None") != "None":
        why = "may only be specified when mountPropagation is None or not specified"
        errors.append(forbidden_field(path, why))
    return errors


def validate_devices(container: Tree, volumes: Mapping[str, Tree], path: str) -> list[FieldError]:
    """`volumeDevices` of a container: block devices out of claims."""
    errors: list[FieldError] = []
    seen_names: set[str] = set()
    seen_paths: set[str] = set()
    mounted = {mount.get("name", "") for mount in container.get("volumeMounts", ())}
    targets = {mount.get("mountPath", "") for mount in container.get("volumeMounts", ())}
    for index, device in enumerate(container["volumeDevices"]):
        where, name, target = f"{path}[{index}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            errors.append(required(f"{where}.name"))
        if name in seen_names:
            errors.append(invalid(f"{where}.name", name, "must be unique"))
        if name not in volumes:
            errors.append(not_found_field(f"{where}.name", name))
        elif not {"persistentVolumeClaim", "ephemeral"} & volumes[name].keys():
            why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(f"{where}.name", name, why))
        if not target:
            errors.append(required(f"{where}.devicePath"))
        if target in seen_paths:
            errors.append(invalid(f"{where}.devicePath", target, "must be unique"))
        if ".." in target.split("/"):
            errors.append(invalid(f"{where}.devicePath", target, "can not contain backsteps ('..')"))
        if name in mounted:
            errors.append(invalid(f"{where}.name", name, "must not already exist in volumeMounts"))
        if target in targets:
            errors.append(invalid(f"{where}.devicePath", target, "must not already exist as a path in volumeMounts"))
        seen_names.add(name)
        seen_paths.add(target)
    return errors

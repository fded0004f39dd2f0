"""Where the bytes of a volume come from: the sources that pods and PersistentVolumes name, each with its own few rules.

After the validate…VolumeSource functions of pkg/apis/core/validation. `COMMON` holds the sources that both have in one form;
`PERSISTENT` those of PersistentVolumes, in the order in which upstream looks at them: the second found is one too many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sampan.api import names
from sampan.api.errors import FieldError, invalid, not_supported, required, too_long
from sampan.api.patterns import matches
from sampan.api.resource import Tree

Check = Callable[[Tree, str], list[FieldError]]

_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
SHOWN_AS = {"gcePersistentDisk": "persistentDisk"}
"""What upstream calls a source in the paths of its errors, where that is not its name."""
_DRIVER_NAME_LENGTH = 63
_ISCSI_NAME_LENGTH = 64
_RESERVED = (".kubernetes.io", ".k8s.io")
_REGISTRY = "must be a host:port pair or multiple pairs separated by commas"
_DISK_URIS = {
    True: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
    False: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
}
_initiators = {
    "iqn": r"iqn\.\d{4}-\d{2}\.([a-zA-Z0-9.-]+)(:[^,;*&$|\s]+)$",
    "eui": r"^eui.[a-zA-Z0-9]{16}$",
    "naa": r"^naa.[a-zA-Z0-9]{32}$",
}
_host_and_port = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):[^:\[\]]*").fullmatch


def no_backsteps(target: str, path: str) -> list[FieldError]:
    return [invalid(path, target, "must not contain '..'")] if ".." in target.split("/") else []


def local_descending_path(target: str, path: str) -> list[FieldError]:
    errors = [invalid(path, target, "must be a relative path")] if target.startswith("/") else []
    return errors + no_backsteps(target, path)


def validate_driver_name(name: str, path: str) -> list[FieldError]:
    """ValidateCSIDriverName."""
    errors = [] if name else [required(path)]
    if len(name.encode()) > _DRIVER_NAME_LENGTH:
        errors.append(too_long(path, _DRIVER_NAME_LENGTH))
    return errors + [invalid(path, name, why) for why in names.dns_subdomain(name.lower())]


def _needs(*fields: str) -> Check:
    def check(source: Tree, path: str) -> list[FieldError]:
        return [required(f"{path}.{field}") for field in fields if not source.get(field)]

    return check


def _needs_secret(source: Tree, path: str, *fields: str) -> list[FieldError]:
    secret = source.get("secretRef")
    if secret is None:
        return []
    return [required(f"{path}.secretRef.{field}") for field in fields if not secret.get(field)]


def validate_host_path(source: Tree, path: str) -> list[FieldError]:
    target = source.get("path")
    if not target:
        return [required(f"{path}.path")]
    errors = no_backsteps(target, f"{path}.path")
    type_ = source.get("type", "")
    return errors if type_ in _HOST_PATH_TYPES else [*errors, not_supported(f"{path}.type", type_, _HOST_PATH_TYPES)]


def validate_nfs(source: Tree, path: str) -> list[FieldError]:
    errors = _needs("server", "path")(source, path)
    target = source.get("path", "")
    if not target.startswith("/"):
        errors.append(invalid(f"{path}.path", target, "must be an absolute path"))
    return errors


def _validate_disk(field: str) -> Check:
    def check(source: Tree, path: str) -> list[FieldError]:
        errors = _needs(field)(source, path)
        partition = source.get("partition", 0)
        if not 0 <= partition <= 255:
            errors.append(invalid(f"{path}.partition", partition, names.range_message(1, 255)))
        return errors

    return check


def _validate_flocker(source: Tree, path: str) -> list[FieldError]:
    name, uuid = source.get("datasetName", ""), source.get("datasetUUID", "")
    errors = [] if name or uuid else [required(path, "one of datasetName and datasetUUID is required")]
    if name and uuid:
        errors.append(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    if "/" in name:
        errors.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return errors


def _validate_quobyte(source: Tree, path: str) -> list[FieldError]:
    registry = source.get("registry", "")
    errors: list[FieldError] = []
    if not registry:
        errors.append(required(f"{path}.registry", _REGISTRY))
    elif len(source.get("tenant", "")) >= 65:
        errors.append(required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters"))
    else:
        # The same error for each pair, which quotes them all: made once, however many are wrong.
        wrong = invalid(f"{path}.registry", registry, _REGISTRY)
        errors += [wrong for pair in registry.split(",") if not _host_and_port(pair)]
    return errors + _needs("volume")(source, path)


def _validate_fc(source: Tree, path: str) -> list[FieldError]:
    targets, ids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    where = f"{path}.targetWWNs"
    if not targets and not ids:
        return [required(where, "must specify either targetWWNs or wwids, but not both")]
    errors: list[FieldError] = []
    if targets and ids:
        errors.append(invalid(where, targets, "targetWWNs and wwids can not be specified simultaneously"))
    if not targets:
        return errors
    if lun is None:
        errors.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif not 0 <= lun <= 255:
        errors.append(invalid(f"{path}.lun", lun, names.range_message(0, 255)))
    return errors


def _validate_flex(source: Tree, path: str) -> list[FieldError]:
    errors = _needs("driver")(source, path)
    for key in source.get("options", ()):
        if f".{key.partition('/')[0].lower()}".endswith(_RESERVED):
            why = "kubernetes.io and k8s.io namespaces are reserved"
            errors.append(invalid(f"{path}.options[{key}]", key, why))
    return errors


def _validate_azure_disk(source: Tree, path: str) -> list[FieldError]:
    errors = _needs("diskName", "diskURI")(source, path)
    modes, kinds = ("None", "ReadOnly", "ReadWrite"), ("Dedicated", "Managed", "Shared")
    mode, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI", "")
    if mode is not None and mode not in modes:
        errors.append(not_supported(f"{path}.cachingMode", mode, modes))
    if kind is not None and kind not in kinds:
        errors.append(not_supported(f"{path}.kind", kind, kinds))
    managed = kind == "Managed"
    if kind is not None and not uri.startswith("/subscriptions/" if managed else "https://"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_DISK_URIS[managed],)))
    return errors


def _validate_storageos(source: Tree, path: str) -> list[FieldError]:
    volume, namespace = source.get("volumeName", ""), source.get("volumeNamespace", "")
    errors = [] if volume else [required(f"{path}.volumeName")]
    errors += [invalid(f"{path}.volumeName", volume, why) for why in (names.dns_label(volume) if volume else ())]
    why_not = names.dns_label(namespace) if namespace else ()
    return errors + [invalid(f"{path}.volumeNamespace", namespace, why) for why in why_not]


def _validate_initiator(name: str, path: str, unknown: str) -> list[FieldError]:
    """An iSCSI name: iqn, eui or naa; `unknown` is said of what begins otherwise."""
    pattern = _initiators.get(name[:3])
    if pattern is None:
        return [invalid(path, name, unknown)]
    return [] if matches(pattern, name) else [invalid(path, name, "must be valid format")]


def validate_iscsi(
    source: Tree, path: str, unknown: str = "must be valid format starting with iqn, eui, or naa"
) -> list[FieldError]:
    errors = _needs("targetPortal", "iqn")(source, path)
    if iqn := source.get("iqn"):
        errors += _validate_initiator(iqn, f"{path}.iqn", unknown)
    lun = source.get("lun", 0)
    if not 0 <= lun <= 255:
        errors.append(invalid(f"{path}.lun", lun, names.range_message(0, 255)))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and "secretRef" not in source:
        errors.append(required(f"{path}.secretRef"))
    if (initiator := source.get("initiatorName")) is not None:
        errors += _validate_initiator(initiator, f"{path}.initiatorname", unknown)
    return errors


def _validate_cinder(source: Tree, path: str) -> list[FieldError]:
    return _needs("volumeID")(source, path) + _needs_secret(source, path, "name")


def _validate_csi(source: Tree, path: str) -> list[FieldError]:
    errors = validate_driver_name(source.get("driver", ""), f"{path}.driver")
    secret = source.get("nodePublishSecretRef")
    if secret is None:
        return errors
    name = secret.get("name", "")
    if not name:
        return [*errors, required(f"{path}.nodePublishSecretRef.name")]
    return errors + [invalid(f"{path}.name", name, why) for why in names.name_is_subdomain(name)]


COMMON: Mapping[str, Check] = {
    "hostPath": validate_host_path,
    "gcePersistentDisk": _validate_disk("pdName"),
    "awsElasticBlockStore": _validate_disk("volumeID"),
    "glusterfs": _needs("endpoints", "path"),
    "flocker": _validate_flocker,
    "nfs": validate_nfs,
    "rbd": _needs("monitors", "image"),
    "quobyte": _validate_quobyte,
    "cephfs": _needs("monitors"),
    "iscsi": validate_iscsi,
    "cinder": _validate_cinder,
    "fc": _validate_fc,
    "flexVolume": _validate_flex,
    "azureFile": _needs("secretName", "shareName"),
    "vsphereVolume": _needs("volumePath"),
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "azureDisk": _validate_azure_disk,
    "scaleIO": _needs("gateway", "system", "volumeName"),
    "storageos": _validate_storageos,
    "csi": _validate_csi,
}


def _validate_persistent_glusterfs(source: Tree, path: str) -> list[FieldError]:
    errors = COMMON["glusterfs"](source, path)
    namespace = source.get("endpointsNamespace")
    where = f"{path}.endpointsNamespace"
    if namespace is None:
        return errors
    if not namespace:
        return [*errors, invalid(where, "", "if the endpointnamespace is set, it must be a valid namespace name")]
    return errors + [invalid(where, namespace, why) for why in names.name_is_label(namespace)]


def _validate_persistent_iscsi(source: Tree, path: str) -> list[FieldError]:
    errors = validate_iscsi(source, path, "must be valid format")
    return errors + _needs_secret(source, path, "name")


def validate_iscsi_name(source: Tree, volume: str, path: str) -> list[FieldError]:
    """The name that a node gives the connection is made of the volume's and the portal's."""
    return validate_portal_length(source, volume, f"{path}.targetportal", source.get("targetPortal", ""))


def validate_portal_length(source: Tree, volume: str, path: str, shown: str) -> list[FieldError]:
    """The rule itself; of pods' volumes and of PersistentVolumes different fields are complained of."""
    portal = source.get("targetPortal", "")
    if "initiatorName" not in source or len(f"{volume}:{portal}".encode()) <= _ISCSI_NAME_LENGTH:
        return []
    why = (
        f"Total length of <volume name>:<iscsi.targetPortal> must be under {_ISCSI_NAME_LENGTH} characters "
        "if iscsi.initiatorName is specified."
    )
    return [invalid(path, shown, why)]


def _validate_persistent_cinder(source: Tree, path: str) -> list[FieldError]:
    return _needs("volumeID")(source, path) + _needs_secret(source, path, "name", "namespace")


def _validate_persistent_azure_file(source: Tree, path: str) -> list[FieldError]:
    errors = COMMON["azureFile"](source, path)
    return [*errors, required(f"{path}.secretNamespace")] if source.get("secretNamespace") == "" else errors


def _validate_persistent_storageos(source: Tree, path: str) -> list[FieldError]:
    return _validate_storageos(source, path) + _needs_secret(source, path, "name", "namespace")


def _validate_local(source: Tree, path: str) -> list[FieldError]:
    target = source.get("path", "")
    return no_backsteps(target, f"{path}.path") if target else [required(f"{path}.path")]


_CSI_SECRETS = ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")


def _validate_persistent_csi(source: Tree, path: str) -> list[FieldError]:
    errors = validate_driver_name(source.get("driver", ""), f"{path}.driver")
    errors += _needs("volumeHandle")(source, path)
    for field in _CSI_SECRETS:
        if (secret := source.get(field)) is not None:
            for part, rule in (("name", names.dns_subdomain), ("namespace", names.dns_label)):
                value, where = secret.get(part, ""), f"{path}.{field}.{part}"
                errors += [invalid(where, value, why) for why in rule(value)] if value else [required(where)]
    return errors


PERSISTENT: Mapping[str, Check] = {
    **{kind: check for kind, check in COMMON.items() if kind not in ("storageos", "csi")},
    "glusterfs": _validate_persistent_glusterfs,
    "iscsi": _validate_persistent_iscsi,
    "cinder": _validate_persistent_cinder,
    "azureFile": _validate_persistent_azure_file,
    "local": _validate_local,
    "storageos": _validate_persistent_storageos,
    "csi": _validate_persistent_csi,
}

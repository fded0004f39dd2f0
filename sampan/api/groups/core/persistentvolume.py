"""PersistentVolume."""

from __future__ import annotations

from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.core.persistentvolume_validation import validate_volume, validate_volume_update
from sampan.api.groups.strategies import keep_spec, keep_status
from sampan.api.groups.validation.claims import CLASS_ANNOTATION
from sampan.api.groups.validation.nodelabels import warn_of_expressions
from sampan.api.resource import Column, Resource, Strategy, Tree

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_UNSET = "<unset>"
CLASS_WARNING = f'metadata.annotations[{CLASS_ANNOTATION}]: deprecated since v1.8; use "storageClassName" attribute instead'
_RECYCLE_WARNING = (
    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. "
    "Instead, the recommended approach is to use dynamic provisioning."
)
_GONE_SOURCES = {
    "cephfs": ("v1.28", "v1.31"),
    "photonPersistentDisk": ("v1.11", "v1.16"),
    "scaleIO": ("v1.16", "v1.22"),
    "storageos": ("v1.22", "v1.25"),
    "glusterfs": ("v1.25", "v1.26"),
    "rbd": ("v1.28", "v1.31"),
}
"""Volumes whose drivers have left Kubernetes: since when they were deprecated, and since when they do nothing."""
_WARNED_AS = {"storageos": "storageOS"}
_SOURCE_DEFAULTS = {
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def default_volume_source(spec: Tree) -> None:
    """What a source gets wherever it stands, in line with a VolumeAttachment as well."""
    for kind, defaults in _SOURCE_DEFAULTS.items():
        if kind in spec:
            spec[kind] = defaults | spec[kind]


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    spec.setdefault("volumeMode", "Filesystem")
    default_volume_source(spec)
    status = tree.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"


def _prepare_create(new: Tree) -> None:
    new["status"] = {"phase": "Pending"}
    # Attributes classes are a beta feature, off by default: the field is dropped.
    new["spec"].pop("volumeAttributesClassName", None)


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_status(new, old)
    if "volumeAttributesClassName" not in old["spec"]:
        new["spec"].pop("volumeAttributesClassName", None)


def _warn(new: Tree, old: Tree | None) -> list[str]:
    warnings = [CLASS_WARNING] if CLASS_ANNOTATION in new["metadata"].get("annotations", {}) else []
    spec = new["spec"]
    if spec["persistentVolumeReclaimPolicy"] == "Recycle":
        warnings.append(_RECYCLE_WARNING)
    terms = spec.get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms", ())
    for index, term in enumerate(terms):
        warnings += warn_of_expressions(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
    gone = [(kind, since) for kind, since in _GONE_SOURCES.items() if kind in spec]
    return warnings + [
        f"spec.{_WARNED_AS.get(kind, kind)}: deprecated in {since}, non-functional in {end}+" for kind, (since, end) in gone
    ]


def modes_in_short(modes: list[str]) -> str:
    """ "RWO,ROX,RWX,RWOP", each that is there, in this order."""
    return ",".join(short for mode, short in _MODES.items() if mode in modes)


def class_of(tree: Tree) -> str:
    """The storage class a volume or a claim is of, by the annotation of old or by the field."""
    found: str | None = tree["metadata"].get("annotations", {}).get(CLASS_ANNOTATION)
    return found if found is not None else tree["spec"].get("storageClassName") or ""


def phase_of(tree: Tree, now: float) -> str:
    phase: str = tree.get("status", {}).get("phase", "")
    return "Terminating" if "deletionTimestamp" in tree["metadata"] else phase


def attributes_class_of(tree: Tree, now: float) -> str:
    name: str = tree["spec"].get("volumeAttributesClassName", _UNSET)
    return name


def mode_of(tree: Tree, now: float) -> str:
    mode: str = tree["spec"].get("volumeMode", _UNSET)
    return mode


def _claim(tree: Tree, now: float) -> str:
    claim = tree["spec"].get("claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim is not None else ""


RESOURCE = Resource(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    definition="io.k8s.api.core.v1.PersistentVolume",
    short=("pv",),
    namespaced=False,
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=keep_spec,
        validate=validate_volume,
        validate_update=validate_volume_update,
        warn=_warn,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Capacity", lambda tree, now: tree["spec"].get("capacity", {}).get("storage", "0")),
        Column("Access Modes", lambda tree, now: modes_in_short(tree["spec"].get("accessModes", []))),
        Column("Reclaim Policy", lambda tree, now: tree["spec"].get("persistentVolumeReclaimPolicy", "")),
        Column("Status", phase_of),
        Column("Claim", _claim),
        Column("StorageClass", lambda tree, now: class_of(tree)),
        Column("VolumeAttributesClass", attributes_class_of),
        Column("Reason", lambda tree, now: tree.get("status", {}).get("reason", "")),
        AGE,
        Column("VolumeMode", mode_of, priority=1),
    ),
    status=True,
)

"""Pod."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.api.groups.core.pod_apparmor import agree_on_apparmor
from sampan.api.groups.core.pod_columns import COLUMNS, completion
from sampan.api.groups.core.pod_defaults import default_pod
from sampan.api.groups.core.pod_parts import count_generation, qos_class
from sampan.api.groups.core.pod_validation import validate_pod, validate_pod_status, validate_pod_update
from sampan.api.groups.strategies import keep_field, keep_spec
from sampan.api.groups.validation.podwarnings import (
    has_old_annotations,
    warn_of_name,
    warn_of_pod,
    warn_of_pod_status,
)
from sampan.api.resource import Resource, Strategy, Tree
from sampan.lib.remember import Passed

_NAME = (
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: "
)
_quiet = Passed(entries=256, longest=8 * 1024)
"""Specs of which nothing is to be warned."""
_encode = msgspec.json.encode
_AFFINITY_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"


def _prepare_create(new: Tree) -> None:
    new["metadata"]["generation"] = 1
    new.pop("status", None)
    spec = new["spec"]
    status: Tree = {"phase": "Pending", "qosClass": qos_class(new)}
    if spec.get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]
    new["status"] = status
    if "affinity" in spec:
        _apply_label_keys(new)
    agree_on_apparmor(new)


def _apply_label_keys(tree: Tree) -> None:
    """Pod affinity may name keys of the pod's own labels; they become requirements when the pod is made."""
    labels = tree["metadata"].get("labels", {})
    for field in ("podAffinity", "podAntiAffinity"):
        affinity = tree["spec"]["affinity"].get(field, {})
        weighted = (preferred.get("podAffinityTerm", {}) for preferred in affinity.get(_PREFERRED_TERMS, ()))
        for term in (*affinity.get(_AFFINITY_TERMS, ()), *weighted):
            selector = term.get("labelSelector")
            if selector is None:
                continue
            for keys, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
                for key in term.get(keys, ()):
                    if key in labels:
                        requirement = {"key": key, "operator": operator, "values": [labels[key]]}
                        selector.setdefault("matchExpressions", []).append(requirement)


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_field(new, old, "status")
    count_generation(new, old)


def _prepare_status(new: Tree, old: Tree) -> None:
    keep_spec(new, old)
    keep_field(new["metadata"], old["metadata"], "ownerReferences")
    status = new.setdefault("status", {})
    if not status.get("qosClass"):
        keep_field(status, old.get("status", {}), "qosClass")
    _drop_disabled(status)


def _drop_disabled(status: Tree) -> None:
    """What belongs to features that are off by default."""
    status.pop("observedGeneration", None)
    status.pop("resourceClaimStatuses", None)
    for condition in status.get("conditions", ()):
        condition.pop("observedGeneration", None)
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for container in status.get(field, ()):
            for gone in ("allocatedResources", "allocatedResourcesStatus", "stopSignal"):
                container.pop(gone, None)


def _warn(new: Tree, old: Tree | None) -> list[str]:
    """Of new ones alone: people seldom change pods, and kubelets and schedulers would never read it."""
    if old is not None:
        return []
    return warn_of_name(new, _NAME) + _warn_of_spec(new["spec"], new["metadata"])


def _warn_of_spec(spec: Tree, meta: Tree) -> list[str]:
    text = _encode(spec)
    if text in _quiet and not has_old_annotations(meta):
        return []
    warnings = warn_of_pod(spec, meta)
    if not warnings:
        _quiet.add(text)
    return warnings


def default_grace_seconds(tree: Tree) -> int:
    """How long a deletion without a period waits for the kubelet; 0 where no kubelet has anything to stop."""
    spec = tree["spec"]
    if not spec.get("nodeName") or tree.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds: int = spec.get("terminationGracePeriodSeconds", 0)
    return seconds if seconds >= 0 else 1


def _of(part: str, field: str, missing: str = "") -> Callable[[Tree], str]:
    def value(tree: Tree) -> str:
        found: Any = tree.get(part, {}).get(field)
        return found or missing

    return value


def _host_network(tree: Tree) -> str:
    return "true" if tree.get("spec", {}).get("hostNetwork") else "false"


def _pod_ip(tree: Tree) -> str:
    status = tree.get("status", {})
    addresses = status.get("podIPs")
    address: str = addresses[0].get("ip", "") if addresses else status.get("podIP", "")
    return address


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    definition="io.k8s.api.core.v1.Pod",
    short=("po",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=_prepare_status,
        validate=validate_pod,
        validate_update=validate_pod_update,
        validate_status=validate_pod_status,
        default_grace_seconds=default_grace_seconds,
        warn=_warn,
        warn_status=warn_of_pod_status,
    ),
    default=default_pod,
    columns=COLUMNS,
    row_conditions=completion,
    selectable={
        "spec.nodeName": _of("spec", "nodeName"),
        "spec.restartPolicy": _of("spec", "restartPolicy"),
        "spec.schedulerName": _of("spec", "schedulerName"),
        "spec.serviceAccountName": _of("spec", "serviceAccountName"),
        "spec.hostNetwork": _host_network,
        "status.phase": _of("status", "phase"),
        "status.podIP": _pod_ip,
        "status.nominatedNodeName": _of("status", "nominatedNodeName"),
    },
    status=True,
)

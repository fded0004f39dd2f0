"""Rules of Pods beyond those of a pod spec: annotations, what an update may change, how a status may move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, forbidden_field, invalid, required
from sampan.api.groups.validation.containers import validate_image
from sampan.api.groups.validation.difference import difference
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.podannotations import (
    APPARMOR_PREFIX,
    MIRROR,
    validate_matching_fields,
    validate_pod_annotations,
)
from sampan.api.groups.validation.podspec import validate_pod_spec
from sampan.api.groups.validation.scheduling import validate_tolerations
from sampan.api.repeats import repeats
from sampan.api.resource import Tree
from sampan.lib.remember import Passed

_MAX_INT32 = 2**31 - 1
_UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_MUTABLE_LISTS = ("containers", "initContainers")
_good = Passed(entries=256, longest=8 * 1024)
"""Specs. Pods come in replicas, and most writes of one leave its spec as it is."""
_encode = msgspec.json.encode
_CONTAINER_LISTS = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def validate_pod(tree: Tree) -> list[FieldError]:
    """A Pod after defaults. An object that has no resourceVersion yet is being created."""
    spec, meta = tree["spec"], tree["metadata"]
    errors: list[FieldError] = []
    annotations = meta.get("annotations")
    if annotations:
        errors += validate_pod_annotations(annotations, spec, "metadata.annotations")
    errors += _validate_spec(spec, meta)
    if not spec.get("serviceAccountName") and "volumes" in spec:
        errors += _validate_no_tokens(spec["volumes"])
    for field in _MUTABLE_LISTS:
        for index, container in enumerate(spec.get(field, ())):
            image = container.get("image", "")
            if image != image.strip():
                errors += validate_image(container, f"spec.{field}[{index}]")
    if not meta.get("resourceVersion"):
        if spec.get("ephemeralContainers"):
            errors.append(forbidden_field("spec.ephemeralContainers", "cannot be set on create"))
        if spec.get("nodeName") and spec.get("schedulingGates"):
            why = "cannot be set until all schedulingGates have been cleared"
            errors.append(forbidden_field("spec.nodeName", why))
        if annotations:
            errors += validate_matching_fields(annotations, spec, "spec")
    return errors


def _validate_spec(spec: Tree, meta: Tree) -> list[FieldError]:
    text = _encode(spec)
    if text in _good:
        return []
    errors = validate_pod_spec(spec, "spec", meta)
    # The claims of ephemeral volumes take the Pod's name into theirs; nothing else looks beyond the spec.
    if not errors and b'"ephemeral":' not in text:
        _good.add(text)
    return errors


def _validate_no_tokens(volumes: Sequence[Tree]) -> list[FieldError]:
    """Tokens are a service account's."""
    return [
        forbidden_field(
            f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken",
            "must not be specified when serviceAccountName is not set",
        )
        for index, volume in enumerate(volumes)
        for number, source in enumerate(volume.get("projected", {}).get("sources") or ())
        if "serviceAccountToken" in source
    ]


def validate_annotation_changes(new: Tree, old: Tree) -> list[FieldError]:
    after, before = new["metadata"].get("annotations", {}), old["metadata"].get("annotations", {})
    if after == before:
        return []
    errors: list[FieldError] = []
    for key in before:
        if after.get(key) != before[key]:
            path = f"metadata.annotations[{key}]"
            if key.startswith(APPARMOR_PREFIX):
                errors.append(forbidden_field(path, "may not remove or update AppArmor annotations"))
            elif key == MIRROR:
                errors.append(forbidden_field(path, "may not remove or update mirror pod annotation"))
    for key in after.keys() - before.keys():
        path = f"metadata.annotations[{key}]"
        if key.startswith(APPARMOR_PREFIX):
            errors.append(forbidden_field(path, "may not add AppArmor annotations"))
        elif key == MIRROR:
            errors.append(forbidden_field(path, "may not add mirror pod annotation"))
    return errors


def validate_pod_update(new: Tree, old: Tree) -> list[FieldError]:
    """Nearly all of a pod's spec is fixed once it exists."""
    errors = validate_annotation_changes(new, old)
    spec, before = new["spec"], old["spec"]
    if spec == before:
        return errors
    for field in _MUTABLE_LISTS:
        found, stop = _validate_container_changes(spec.get(field, ()), before.get(field, ()), f"spec.{field}")
        errors += found
        if stop:
            return errors
    found, stop = _validate_deadline_change(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    errors += found
    if stop:
        return errors
    errors += _validate_toleration_changes(spec.get("tolerations", ()), before.get("tolerations", ()))
    errors += _validate_gate_changes(spec.get("schedulingGates", ()), before.get("schedulingGates", ()))
    masked = _masked(spec, before)
    if before.get("schedulingGates"):
        errors += _validate_gated_changes(masked, before)
    if masked != before:
        why = f"pod updates may not change fields other than {_UPDATABLE}\n{difference(before, masked)}"
        errors.append(forbidden_field("spec", why))
    return errors


def _validate_container_changes(new: Sequence[Tree], old: Sequence[Tree], path: str) -> tuple[list[FieldError], bool]:
    if len(new) != len(old):
        return [forbidden_field(path, "pod updates may not add or remove containers")], True
    errors: list[FieldError] = []
    for index, container in enumerate(new):
        if not container.get("image"):
            errors.append(required(f"{path}[{index}].image"))
        errors += validate_image(container, f"{path}[{index}]")
    return errors, False


def _validate_deadline_change(new: int | None, old: int | None) -> tuple[list[FieldError], bool]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        if old is None:
            return [], False
        return [invalid(path, None, "must not update from a positive integer to nil value")], False
    if not 0 <= new <= _MAX_INT32:
        return [invalid(path, new, names.range_message(0, _MAX_INT32))], True
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")], True
    return [], False


def _without_seconds(toleration: Tree) -> Tree:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _validate_toleration_changes(new: Sequence[Tree], old: Sequence[Tree]) -> list[FieldError]:
    kept = [_without_seconds(toleration) for toleration in new]
    if any(_without_seconds(toleration) not in kept for toleration in old):
        why = "existing toleration can not be modified except its tolerationSeconds"
        return [forbidden_field("spec.tolerations", why)]
    return validate_tolerations(new, "spec.tolerations")


def _validate_gate_changes(new: Sequence[Tree], old: Sequence[Tree]) -> list[FieldError]:
    known = {gate.get("name") for gate in old}
    return [
        forbidden_field(
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'",
        )
        for index, gate in enumerate(new)
        if gate.get("name") not in known
    ]


def _masked(spec: Tree, before: Tree) -> Tree:
    """The new spec with the fields that may change set back."""
    masked = dict(spec)
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _set_back(masked, before, field)
    for field in _MUTABLE_LISTS:
        if field in spec:
            pairs = zip(spec[field], before.get(field, ()), strict=True)
            masked[field] = [container | {"image": earlier.get("image")} for container, earlier in pairs]
    if before.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        masked["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    return masked


def _set_back(masked: Tree, before: Tree, field: str) -> None:
    if field in before:
        masked[field] = before[field]
    else:
        masked.pop(field, None)


def _validate_gated_changes(masked: Tree, before: Tree) -> list[FieldError]:
    """A gated pod may still be given a narrower node selector and, where it had none, a node affinity."""
    errors: list[FieldError] = []
    selector, earlier = masked.get("nodeSelector", {}), before.get("nodeSelector", {})
    if selector != earlier:
        if any(selector.get(key) != value for key, value in earlier.items()):
            why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            errors.append(invalid("spec.nodeSelector", selector, why))
        _set_back(masked, before, "nodeSelector")
    affinity, known = masked.get("affinity", {}), before.get("affinity", {})
    now, was = affinity.get("nodeAffinity"), known.get("nodeAffinity")
    if now != was:
        errors += _validate_affinity_change(now or {}, was or {})
        rest = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
        masked["affinity"] = rest | ({} if was is None else {"nodeAffinity": was})
        if not masked["affinity"] and "affinity" not in before:
            del masked["affinity"]
    return errors


def _validate_affinity_change(new: Tree, old: Tree) -> list[FieldError]:
    """What a gated pod requires of nodes may become more."""
    before = old.get(_REQUIRED, {}).get("nodeSelectorTerms", ())
    terms = new.get(_REQUIRED, {}).get("nodeSelectorTerms", ())
    path = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"
    if before and len(before) != len(terms):
        return [invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")]
    return [
        invalid(f"{path}[{index}]", term, "only additions are allowed (no mutations or deletions)")
        for index, (term, earlier) in enumerate(zip(terms, before, strict=False))
        if not _only_adds(term, earlier)
    ]


def _only_adds(term: Tree, earlier: Tree) -> bool:
    fields = ("matchExpressions", "matchFields")
    if not any(earlier.get(field) for field in fields):
        return not any(term.get(field) for field in fields)
    return all(term.get(field, [])[: len(earlier.get(field, ()))] == earlier.get(field, []) for field in fields)


def validate_pod_status(new: Tree, old: Tree) -> list[FieldError]:
    errors = validate_annotation_changes(new, old)
    status, before = new.get("status", {}), old.get("status", {})
    errors += _validate_conditions(status.get("conditions", ()))
    nominated = status.get("nominatedNodeName", "")
    if nominated and nominated != before.get("nominatedNodeName"):
        path = "status.nominatedNodeName"
        errors += [invalid(path, nominated, why) for why in names.name_is_subdomain(nominated)]
    errors += immutable("status.qosClass", status.get("qosClass", ""), before.get("qosClass", ""))
    policy = old["spec"].get("restartPolicy")
    sidecars = {c.get("name") for c in old["spec"].get("initContainers", ()) if c.get("restartPolicy") == "Always"}
    for field in _CONTAINER_LISTS:
        applied = "Never" if field == "ephemeralContainerStatuses" else policy
        exempt = sidecars if field == "initContainerStatuses" else set()
        errors += _validate_transitions(status.get(field, ()), before.get(field, ()), f"status.{field}", applied, exempt)
    return errors + _validate_addresses(status)


def _validate_conditions(conditions: Sequence[Tree]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, condition in enumerate(conditions):
        type_ = condition.get("type", "")
        if type_ not in ("PodScheduled", "Ready", "Initialized"):
            # Upstream's path says metadata here, by a slip that clients may have come to know.
            path = f"metadata.conditions[{index}].Type"
            errors += [invalid(path, type_, why) for why in names.qualified_name(type_)]
    return errors


def _validate_transitions(
    new: Sequence[Tree], old: Sequence[Tree], path: str, policy: str | None, exempt: set[Any]
) -> list[FieldError]:
    """A container that ended for good does not come back."""
    if policy == "Always":
        return []
    errors: list[FieldError] = []
    now = {status.get("name"): status for status in new}
    for index, status in enumerate(old):
        terminated = status.get("state", {}).get("terminated")
        if terminated is None or status.get("name") in exempt:
            continue
        if terminated.get("exitCode") and policy == "OnFailure":
            continue
        later = now.get(status.get("name"))
        if later is not None and later.get("state", {}).get("terminated") is None:
            why = "may not be transitioned to non-terminated state"
            errors.append(forbidden_field(f"{path}[{index}].state", why))
    return errors


def _validate_addresses(status: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("podIPs", "hostIPs"):
        entries = status.get(field, ())
        addresses = [entry.get("ip", "") for entry in entries]
        if field == "hostIPs" and addresses and addresses[0] != status.get("hostIP", ""):
            errors.append(invalid("status.hostIPs[0].ip", addresses[0], "must be equal to `hostIP`"))
        for index, address in enumerate(addresses):
            errors += [invalid(f"status.{field}[{index}]", address, why) for why in names.ip_address(address)]
        if len(addresses) > 1 and (len(addresses) > 2 or len({":" in address for address in addresses}) < 2):
            why = "may specify no more than one IP for each IP family"
            errors.append(invalid(f"status.{field}", entries, why))
        errors += [duplicate(f"status.{field}[{index}]", entries[index]) for index, _ in repeats(addresses)]
    return errors

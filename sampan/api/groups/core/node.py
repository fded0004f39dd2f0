"""Node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, forbidden_field, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME, NONE, UNKNOWN
from sampan.api.groups.strategies import keep_field, keep_spec
from sampan.api.groups.validation.amounts import validate_resource_amount
from sampan.api.groups.validation.ranges import warn_of_cidr
from sampan.api.repeats import repeats
from sampan.api.resource import Column, Resource, Strategy, Tree

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def _default(tree: Tree) -> None:
    status = tree.get("status")
    if status and "allocatable" not in status and "capacity" in status:
        status["allocatable"] = dict(status["capacity"])
    spec = tree.get("spec")
    if spec:
        _mirror_pod_cidr(spec)


def _mirror_pod_cidr(spec: Tree) -> None:
    """The old single field and the list say the same; a client may write either."""
    single, several = spec.get("podCIDR"), spec.get("podCIDRs")
    if single and not several:
        spec["podCIDRs"] = [single]
    elif several and several[0] != single:
        if single:
            spec["podCIDRs"] = [single]
        else:
            spec["podCIDR"] = several[0]


def _prepare_create(new: Tree) -> None:
    new.get("spec", {}).pop("configSource", None)


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_field(new, old, "status")
    # Configuration by objects is a feature that is gone; who still names one may keep it.
    if "configSource" not in old.get("spec", {}):
        new.get("spec", {}).pop("configSource", None)


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree.get("spec", {})
    errors: list[FieldError] = []
    if taints := spec.get("taints"):
        errors += _validate_taints(taints)
    if cidrs := spec.get("podCIDRs"):
        errors += _validate_pod_cidrs(cidrs)
    return errors + _validate_resources(tree.get("status", {}))


def _validate_resources(status: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("capacity", "allocatable"):
        for name, amount in status.get(field, {}).items():
            errors += validate_resource_amount(name, amount, f"status.{field}.{name}")
    return errors


def _validate_taints(taints: Sequence[Tree]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        path = f"metadata.taints[{index}]"
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        errors += [invalid(f"{path}.key", key, why) for why in names.qualified_name(key)]
        if problems := names.label_value(value):
            errors.append(invalid(f"{path}.value", value, ";".join(problems)))
        if not effect:
            errors.append(required(f"{path}.effect"))
        elif effect not in TAINT_EFFECTS:
            errors.append(not_supported(f"{path}.effect", effect, TAINT_EFFECTS))
        if effect and (key, effect) in seen:
            repeated = duplicate(path, taint)
            why = f"{repeated.message}: taints must be unique by key and effect pair"
            errors.append(replace(repeated, message=why))
        seen.add((key, effect))
    return errors


def _validate_pod_cidrs(cidrs: Sequence[str]) -> list[FieldError]:
    path = "spec.podCIDRs"
    errors = [invalid(f"{path}[{i}]", cidr, why) for i, cidr in enumerate(cidrs) for why in names.cidr(cidr)]
    if len(cidrs) > 1:
        if len(cidrs) > 2 or len({":" in cidr for cidr in cidrs}) < 2:
            errors.append(invalid(path, list(cidrs), "may specify no more than one CIDR for each IP family"))
        errors += [duplicate(f"{path}[{i}]", cidr) for i, cidr in repeats(cidrs)]
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    spec, before = new.get("spec", {}), old.get("spec", {})
    errors = _validate_resources(new.get("status", {})) + _validate_addresses(new)
    if before.get("podCIDRs") and before["podCIDRs"] != spec.get("podCIDRs"):
        why = 'node updates may not change podCIDR except from "" to valid'
        errors.append(forbidden_field("spec.podCIDRs", why))
    if before.get("providerID") and before["providerID"] != spec.get("providerID"):
        why = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden_field("spec.providerID", why))
    if before.get("externalID") != spec.get("externalID"):
        errors.append(forbidden_field("spec.externalID", "may not be updated"))
    if any(error.field.startswith("spec.") for error in errors):
        errors.append(forbidden_field("[]", "node updates may only change labels, taints, or capacity"))
    return errors


def _validate_addresses(tree: Tree) -> list[FieldError]:
    addresses = tree.get("status", {}).get("addresses", ())
    return [duplicate(f"status.addresses[{index}]", address) for index, address in repeats(addresses)]


def _warn(new: Tree, old: Tree | None) -> list[str]:
    spec = new.get("spec", {})
    warnings = ["spec.configSource: the feature is removed"] if "configSource" in spec else []
    if spec.get("externalID"):
        warnings.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    for index, cidr in enumerate(spec.get("podCIDRs", ())):
        warnings += warn_of_cidr(cidr, f"spec.podCIDRs[{index}]")
    return warnings


def _status(tree: Tree, now: float) -> str:
    ready = [c.get("status") for c in tree.get("status", {}).get("conditions", ()) if c.get("type") == "Ready"]
    status = "Unknown" if not ready else "Ready" if ready[-1] == "True" else "NotReady"
    return status + ",SchedulingDisabled" if tree.get("spec", {}).get("unschedulable") else status


def _roles(tree: Tree, now: float) -> str:
    labels = tree["metadata"].get("labels", {})
    roles = {key[len(_ROLE_PREFIX) :] for key in labels if key.startswith(_ROLE_PREFIX)} - {""}
    if role := labels.get(_ROLE_LABEL):
        roles.add(role)
    return ",".join(sorted(roles)) or NONE


def _address(tree: Tree, type_: str) -> str:
    addresses = tree.get("status", {}).get("addresses", ())
    return next((address.get("address", "") for address in addresses if address.get("type") == type_), NONE)


def _info(tree: Tree, field: str, missing: str = UNKNOWN) -> str:
    return tree.get("status", {}).get("nodeInfo", {}).get(field) or missing


def _unschedulable(tree: Tree) -> str:
    return "true" if tree.get("spec", {}).get("unschedulable") else "false"


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    definition="io.k8s.api.core.v1.Node",
    short=("no",),
    namespaced=False,
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=keep_spec,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_update,
        warn=_warn,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Status", _status),
        Column("Roles", _roles),
        AGE,
        Column("Version", lambda tree, now: _info(tree, "kubeletVersion", "")),
        Column("Internal-IP", lambda tree, now: _address(tree, "InternalIP"), priority=1),
        Column("External-IP", lambda tree, now: _address(tree, "ExternalIP"), priority=1),
        Column("OS-Image", lambda tree, now: _info(tree, "osImage"), priority=1),
        Column("Kernel-Version", lambda tree, now: _info(tree, "kernelVersion"), priority=1),
        Column("Container-Runtime", lambda tree, now: _info(tree, "containerRuntimeVersion"), priority=1),
    ),
    selectable={"spec.unschedulable": _unschedulable},
    status=True,
)

"""What the server says of a definition in its status, as functions of it and of all the others.

Each returns the new status, or None where the present one will do. `now` is a time as in objects: "2026-01-02T15:04:05Z".
After k8s.io/apiextensions-apiserver/pkg/controller/{status,establish,nonstructuralschema,apiapproval,finalizer}.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sampan.api.crd import approval, definition
from sampan.api.crd.conversion import is_ca_bundle
from sampan.api.crd.structural import unsupported, validate_structural
from sampan.api.crd.structure import Tree
from sampan.api.errors import FieldError, invalid
from sampan.api.gotext import quoted

_KINDS: Final = ("kind", "listKind")


def condition(type_: str, status: str, reason: str, message: str) -> Tree:
    return {"type": type_, "status": status, "reason": reason, "message": message}


IN_PROGRESS: Final = condition("Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
PENDING: Final = condition(
    "Terminating",
    "True",
    "InstanceDeletionPending",
    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
)
NEVER_ESTABLISHED: Final = condition("Terminating", "False", "NeverEstablished", "resource was never established")
COMPLETED: Final = condition("Terminating", "False", "InstanceDeletionCompleted", "removed all instances")
OVERLAPPING: Final = condition(
    "Terminating", "False", "OverlappingBuiltInResource", "instances overlap with built-in resources in storage"
)


def deletion_failed(why: str) -> Tree:
    return condition("Terminating", "True", "InstanceDeletionFailed", f"could not list instances: {why}")


STILL_THERE: Final = condition(
    "Terminating",
    "True",
    "InstanceDeletionCheck",
    "could not confirm zero CustomResources remaining: context deadline exceeded",
)
"""While instances wait for their finalizers."""


def with_condition(crd: Tree, new: Tree, now: str) -> Tree | None:
    """Sets a condition: its time is that of its last change of status."""
    old = definition.condition(crd, new["type"])
    if old is not None and all(old.get(field, "") == new[field] for field in ("status", "reason", "message")):
        return None
    moved = old is None or old.get("status") != new["status"] or not old.get("lastTransitionTime")
    written = {**new, "lastTransitionTime": now if moved or old is None else old["lastTransitionTime"]}
    status = dict(crd.get("status") or {})
    conditions: list[Tree] = list(status.get("conditions") or ())
    if old is None:
        conditions.append(written)
    else:
        conditions[conditions.index(old)] = written
    status["conditions"] = conditions
    return status


def without_condition(crd: Tree, type_: str) -> Tree | None:
    if definition.condition(crd, type_) is None:
        return None
    status = dict(crd["status"])
    status["conditions"] = [found for found in status["conditions"] if found.get("type") != type_]
    return status


def name_status(crd: Tree, others: Iterable[Tree], now: str) -> Tree | None:
    """Accepts what names are free. `others`: all definitions; whether this one is among them does not matter."""
    asked: Tree = crd["spec"].get("names") or {}
    accepted: Tree = crd.get("status", {}).get("acceptedNames") or {}
    if asked == accepted:
        return None
    names, verdict = _accept(asked, accepted, *_taken(crd["spec"]["group"], [*others, crd]))
    old = definition.condition(crd, "NamesAccepted")
    if names == accepted and old is not None and all(old.get(field) == verdict[field] for field in verdict):
        return None
    status = {**(crd.get("status") or {}), "acceptedNames": names}
    for new in (verdict, _establishing(crd, verdict)):
        status = with_condition({"status": status}, new, now) or status
    return status


def _establishing(crd: Tree, verdict: Tree) -> Tree:
    found = definition.condition(crd, "Established")
    if found is not None and found.get("status") == "True":
        return condition("Established", "True", found.get("reason", ""), found.get("message", ""))
    if verdict["status"] == "True":
        return condition("Established", "False", "Installing", "the initial names have been accepted")
    if found is not None:
        return condition("Established", found.get("status", ""), found.get("reason", ""), found.get("message", ""))
    return condition("Established", "False", "NotAccepted", "not all names are accepted")


def _taken(group: str, definitions: Iterable[Tree]) -> tuple[set[str], set[str]]:
    """The names of resources and of kinds that are accepted in a group."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for crd in definitions:
        if crd["spec"].get("group") == group:
            accepted: Tree = crd.get("status", {}).get("acceptedNames") or {}
            resources.update((accepted.get("plural", ""), accepted.get("singular", ""), *accepted.get("shortNames", ())))
            kinds.update(accepted.get(field, "") for field in _KINDS)
    return resources, kinds


def _accept(asked: Tree, accepted: Tree, resources: set[str], kinds: set[str]) -> tuple[Tree, Tree]:
    names, verdict = dict(accepted), condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")
    for field in ("plural", "singular", "shortNames", *_KINDS):
        if field == "shortNames":
            own = set(accepted.get(field) or ())
            clashes = [name for name in asked.get(field) or () if name not in own and name in resources]
        else:
            name = asked.get(field, "")
            used = kinds if field in _KINDS else resources
            clashes = [name] if name != accepted.get(field, "") and name in used else []
        if clashes:
            reason = f"{field[0].upper()}{field[1:]}Conflict"
            verdict = condition(
                "NamesAccepted", "False", reason, _aggregate([f"{quoted(n)} is already in use" for n in clashes])
            )
        else:
            _take(names, asked, field)
    _take(names, asked, "categories")
    return names, verdict


def _take(names: Tree, asked: Tree, field: str) -> None:
    if asked.get(field):
        names[field] = asked[field]
    else:
        names.pop(field, None)


def _aggregate(messages: Sequence[str]) -> str:
    unique = list(dict.fromkeys(messages))
    return unique[0] if len(unique) == 1 else "[" + ", ".join(unique) + "]"


def establish_status(crd: Tree, now: str) -> Tree | None:
    """Once the names are accepted and the server has made ready to serve."""
    if not definition.is_true(crd, "NamesAccepted") or definition.is_true(crd, "Established"):
        return None
    webhook: Tree = (crd["spec"].get("conversion") or {}).get("webhook") or {}
    bundle = (webhook.get("clientConfig") or {}).get("caBundle")
    if bundle and not is_ca_bundle(bundle):
        bad = condition("Established", "False", "InvalidCABundle", "The conversion webhook CABundle is invalid")
        return with_condition(crd, bad, now)
    good = condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
    return with_condition(crd, good, now)


def structure_status(crd: Tree, now: str) -> Tree | None:
    """Whether all schemas are structural, as those of old definitions need not be."""
    errors: list[FieldError] = []
    if crd["spec"].get("preserveUnknownFields"):
        errors.append(invalid("spec.preserveUnknownFields", True, "must be false"))
    for index, version in enumerate(definition.versions(crd)):
        raw = definition.schema_of_version(version)
        if raw is None:
            continue
        if why := unsupported(raw):
            message = f"failed to check validation schema for version {version['name']}: {why}"
            return with_condition(crd, condition("NonStructuralSchema", "Unknown", "StructuralError", message), now)
        errors += validate_structural(raw, f"spec.versions[{index}].schema.openAPIV3Schema")
    if not errors:
        return without_condition(crd, "NonStructuralSchema")
    message = _aggregate([str(error) for error in errors])
    return with_condition(crd, condition("NonStructuralSchema", "True", "Violations", message), now)


_APPROVALS: Final = {
    approval.INVALID: ("False", "InvalidAnnotation"),
    approval.MISSING: ("False", "MissingAnnotation"),
    approval.APPROVED: ("True", "ApprovedAnnotation"),
    approval.BYPASSED: ("False", "UnapprovedAnnotation"),
}


def approval_status(crd: Tree, now: str) -> Tree | None:
    """Of a definition in a group of the Kubernetes community."""
    if not approval.is_protected(crd["spec"]["group"]):
        return None
    found = approval.approval_of(crd)
    status, reason = _APPROVALS[found.state]
    return with_condition(crd, condition("KubernetesAPIApprovalPolicyConformant", status, reason, found.reason), now)

"""The conditions of a CustomResourceDefinition: which names it gets, whether it is served, whether it may be called *.k8s.io.

Pure. After pkg/controller/{status,establish,apiapproval,nonstructuralschema} of k8s.io/apiextensions-apiserver.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sampan.api.crd import definition
from sampan.api.crd.approval import APPROVED, BYPASSED, INVALID, MISSING, approval_of, is_protected
from sampan.api.crd.structural import unsupported, validate_structural
from sampan.api.errors import invalid
from sampan.api.resource import Tree
from sampan.lib.clock import rfc3339

NAMES_ACCEPTED: Final = "NamesAccepted"
ESTABLISHED: Final = "Established"
TERMINATING: Final = "Terminating"
NON_STRUCTURAL: Final = "NonStructuralSchema"
APPROVAL: Final = "KubernetesAPIApprovalPolicyConformant"
_APPROVALS: Final = {
    MISSING: ("False", "MissingAnnotation"),
    INVALID: ("False", "InvalidAnnotation"),
    BYPASSED: ("False", "UnapprovedAnnotation"),
    APPROVED: ("True", "ApprovedAnnotation"),
}

_NAMES: Final = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


class Condition(NamedTuple):
    type: str
    status: str
    reason: str
    message: str


ACCEPTED: Final = Condition(NAMES_ACCEPTED, "True", "NoConflicts", "no conflicts found")
NOT_ACCEPTED: Final = Condition(ESTABLISHED, "False", "NotAccepted", "not all names are accepted")
INSTALLING: Final = Condition(ESTABLISHED, "False", "Installing", "the initial names have been accepted")
INITIAL_NAMES: Final = Condition(ESTABLISHED, "True", "InitialNamesAccepted", "the initial names have been accepted")
INVALID_BUNDLE: Final = Condition(ESTABLISHED, "False", "InvalidCABundle", "The conversion webhook CABundle is invalid")


def set_condition(crd: Tree, condition: Condition, now: float) -> None:
    """In place. The time moves when the status does."""
    conditions: list[Tree] = crd.setdefault("status", {}).setdefault("conditions", None) or []
    crd["status"]["conditions"] = conditions
    found = next((old for old in conditions if old["type"] == condition.type), None)
    if found is None:
        found = {"type": condition.type}
        conditions.append(found)
    if found.get("status") != condition.status or not found.get("lastTransitionTime"):
        found["lastTransitionTime"] = rfc3339(now)
    found.update(status=condition.status, reason=condition.reason, message=condition.message)


def remove_condition(crd: Tree, type_: str) -> None:
    status = crd.get("status", {})
    status["conditions"] = [condition for condition in status.get("conditions") or () if condition["type"] != type_]


def says(crd: Tree, condition: Condition) -> bool:
    """Whether the definition has the condition, whenever it came to it."""
    found = definition.condition(crd, condition.type) or {}
    return (found.get("status"), found.get("reason"), found.get("message")) == condition[1:]


class Claim(NamedTuple):
    """The names that a definition has been given in its group."""

    group: str
    resources: frozenset[str]
    kinds: frozenset[str]
    satisfied: bool
    """Whether they are all it asks for."""


def claim_of(crd: Tree) -> Claim:
    names = _accepted(crd)
    resources = {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
    kinds = {names.get("kind", ""), names.get("listKind", "")}
    satisfied = _plain(crd["spec"]["names"]) == _plain(names)
    return Claim(crd["spec"]["group"], frozenset(resources), frozenset(kinds), satisfied)


class Taken(NamedTuple):
    """The names that are taken in a group."""

    resources: frozenset[str]
    kinds: frozenset[str]


def taken_names(claims: Iterable[Claim], group: str) -> Taken:
    found = [claim for claim in claims if claim.group == group]
    resources = frozenset[str]().union(*(claim.resources for claim in found))
    return Taken(resources, frozenset[str]().union(*(claim.kinds for claim in found)))


def _accepted(crd: Tree) -> Tree:
    found: Tree = crd.get("status", {}).get("acceptedNames") or {}
    return found


class Naming(NamedTuple):
    names: Tree
    """What becomes of status.acceptedNames."""
    accepted: Condition
    established: Condition | None
    """None: as it is."""


def plan_names(crd: Tree, taken: Taken) -> Naming | None:
    """Which of the names that are asked for a definition gets; None where it has them all."""
    wanted: Tree = crd["spec"]["names"]
    old = _accepted(crd)
    if _plain(wanted) == _plain(old):
        return None
    names = dict(old)
    condition = ACCEPTED
    for field, used in (("plural", taken.resources), ("singular", taken.resources), ("shortNames", taken.resources),
                        ("kind", taken.kinds), ("listKind", taken.kinds)):  # fmt: skip
        problem = _clash(field, wanted, old, used)
        if problem:
            condition = Condition(NAMES_ACCEPTED, "False", f"{field[0].upper()}{field[1:]}Conflict", problem)
        else:
            names[field] = wanted.get(field)
    names["categories"] = wanted.get("categories")
    names = {field: names[field] for field in _NAMES if names.get(field)}
    established = definition.condition(crd, ESTABLISHED)
    change = None
    if established is None or established.get("status") != "True":
        change = INSTALLING if condition is ACCEPTED else None if established else NOT_ACCEPTED
    return Naming({"plural": "", "kind": "", **names}, condition, change)


def _plain(names: Tree) -> Tree:
    return {field: value for field, value in names.items() if value}


def _clash(field: str, wanted: Tree, old: Tree, used: frozenset[str]) -> str:
    if wanted.get(field) == old.get(field):
        return ""
    if field != "shortNames":
        name = wanted.get(field, "")
        return f'"{name}" is already in use' if name in used else ""
    own = old.get(field) or ()
    clashes = [f'"{name}" is already in use' for name in wanted.get(field) or () if name not in own and name in used]
    return clashes[0] if len(clashes) == 1 else f"[{', '.join(clashes)}]" if clashes else ""


def plan_approval(crd: Tree) -> Condition | None:
    """None for a group that anybody may use."""
    if not is_protected(crd["spec"]["group"]):
        return None
    found = approval_of(crd)
    status, reason = _APPROVALS[found.state]
    return Condition(APPROVAL, status, reason, found.reason)


def plan_structure(crd: Tree) -> Condition | None:
    """What is not structural; None: everything is. Only what keeps unknown fields, from before v1, is let in otherwise."""
    if not crd["spec"].get("preserveUnknownFields"):
        return None
    problems = [invalid("spec.preserveUnknownFields", True, "must be false")]
    for index, version in enumerate(definition.versions(crd)):
        raw = definition.schema_of_version(version)
        if raw is None:
            continue
        if why := unsupported(raw):
            message = f"failed to check validation schema for version {version['name']}: {why}"
            return Condition(NON_STRUCTURAL, "Unknown", "StructuralError", message)
        problems += validate_structural(raw, f"spec.versions[{index}].schema.openAPIV3Schema")
    texts = list(dict.fromkeys(map(str, problems)))
    return Condition(NON_STRUCTURAL, "True", "Violations", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")

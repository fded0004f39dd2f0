"""Groups that belong to the community of Kubernetes: whoever adds kinds to them says by whose leave.

After k8s.io/apiextensions-apiserver/pkg/apihelpers and pkg/controller/apiapproval.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sampan.api.crd.structure import Tree
from sampan.api.errors import FieldError, invalid, required
from sampan.api.gotext import quoted

ANNOTATION: Final = "api-approved.kubernetes.io"
_SEE: Final = "see https://github.com/kubernetes/enhancements/pull/1111"

MISSING, APPROVED, BYPASSED, INVALID = "Missing", "Approved", "Bypassed", "Invalid"


class Approval(NamedTuple):
    state: str
    reason: str


def is_protected(group: str) -> bool:
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def approval_of(crd: Tree) -> Approval:
    annotation = (crd["metadata"].get("annotations") or {}).get(ANNOTATION, "")
    if not annotation:
        return Approval(MISSING, f"protected groups must have approval annotation {quoted(ANNOTATION)}, {_SEE}")
    if annotation.startswith("unapproved"):
        return Approval(BYPASSED, f"not approved: {quoted(annotation)}")
    try:
        parts = urlsplit(annotation)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme and parts.netloc:
        return Approval(APPROVED, f"approved in {annotation}")
    demand = f"protected groups must have approval annotation {quoted(ANNOTATION)}"
    return Approval(INVALID, f'{demand} with either a URL or a reason starting with "unapproved", {_SEE}')


def validate_approval(crd: Tree, old: Tree | None) -> list[FieldError]:
    """Errors, unless the state of affairs is the old definition's."""
    if not is_protected(crd["spec"].get("group", "")):
        return []
    approval = approval_of(crd)
    if old is not None and approval_of(old).state == approval.state:
        return []
    path = f"metadata.annotations[{ANNOTATION}]"
    if approval.state == MISSING:
        return [required(path, approval.reason)]
    if approval.state == INVALID:
        return [invalid(path, crd["metadata"]["annotations"][ANNOTATION], approval.reason)]
    return []

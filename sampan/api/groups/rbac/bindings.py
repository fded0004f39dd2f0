"""What RoleBindings and ClusterRoleBindings have in common: subjects, a role that never changes, a table."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, go_struct, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.rbac.rules import GROUP
from sampan.api.resource import Column, Tree

SUBJECT_KINDS = ("ServiceAccount", "User", "Group")


def default_binding(tree: Tree) -> None:
    role = tree.setdefault("roleRef", {})
    if not role.get("apiGroup"):
        role["apiGroup"] = GROUP
    for subject in tree.get("subjects", ()):
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def validate_binding(tree: Tree, roles: Sequence[str], namespaced: bool) -> list[FieldError]:
    role = tree["roleRef"]
    errors: list[FieldError] = []
    if role["apiGroup"] != GROUP:
        errors.append(not_supported("roleRef.apiGroup", role["apiGroup"], (GROUP,)))
    if role.get("kind", "") not in roles:
        errors.append(not_supported("roleRef.kind", role.get("kind", ""), roles))
    if not role.get("name"):
        errors.append(required("roleRef.name"))
    else:
        errors += [invalid("roleRef.name", role["name"], why) for why in names.path_segment(role["name"])]
    for index, subject in enumerate(tree.get("subjects", ())):
        errors += _validate_subject(subject, f"subjects[{index}]", namespaced)
    return errors


def _validate_subject(subject: Tree, path: str, namespaced: bool) -> list[FieldError]:
    name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
    errors = [] if name else [required(f"{path}.name")]
    if kind == "ServiceAccount":
        if name:
            errors += [invalid(f"{path}.name", name, why) for why in names.name_is_subdomain(name)]
        if group:
            errors.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            errors.append(required(f"{path}.namespace"))
    elif kind in SUBJECT_KINDS:
        if group != GROUP:
            errors.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        errors.append(not_supported(f"{path}.kind", kind, SUBJECT_KINDS))
    return errors


def validate_binding_update(new: Tree, old: Tree) -> list[FieldError]:
    if new["roleRef"] == old.get("roleRef"):
        return []
    role = new["roleRef"]
    shown = {"APIGroup": role.get("apiGroup", ""), "Kind": role.get("kind", ""), "Name": role.get("name", "")}
    return [invalid("roleRef", go_struct("rbac.RoleRef", shown), "cannot change roleRef")]


def _role(tree: Tree, now: float) -> str:
    return f"{tree['roleRef'].get('kind', '')}/{tree['roleRef'].get('name', '')}"


def _subjects(tree: Tree, kind: str) -> list[str]:
    return [subject.get("name", "") for subject in tree.get("subjects", ()) if subject.get("kind") == kind]


def _service_accounts(tree: Tree, now: float) -> str:
    accounts = [subject for subject in tree.get("subjects", ()) if subject.get("kind") == "ServiceAccount"]
    named = (f"{account['namespace']}/" if account.get("namespace") else "" for account in accounts)
    return ", ".join(prefix + account.get("name", "") for prefix, account in zip(named, accounts, strict=True))


COLUMNS = (
    NAME,
    Column("Role", _role),
    AGE,
    Column("Users", lambda tree, now: ", ".join(_subjects(tree, "User")), priority=1),
    Column("Groups", lambda tree, now: ", ".join(_subjects(tree, "Group")), priority=1),
    Column("ServiceAccounts", _service_accounts, priority=1),
)

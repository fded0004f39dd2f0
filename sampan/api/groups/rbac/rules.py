"""What Roles and ClusterRoles have in common: rules, and a table with the time of creation."""

from __future__ import annotations

from sampan.api.errors import FieldError, invalid, required
from sampan.api.groups.columns import NAME
from sampan.api.resource import Column, Tree

GROUP = "rbac.authorization.k8s.io"
COLUMNS = (NAME, Column("Created At", lambda tree, now: tree["metadata"].get("creationTimestamp"), "date"))


def validate_rules(tree: Tree, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, rule in enumerate(tree.get("rules") or ()):
        errors += _validate_rule(rule, f"rules[{index}]", namespaced)
    return errors


def _validate_rule(rule: Tree, path: str, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("verbs"):
        errors.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    if urls := rule.get("nonResourceURLs"):
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            errors.append(invalid(f"{path}.nonResourceURLs", urls, why))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(invalid(f"{path}.nonResourceURLs", urls, why))
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors

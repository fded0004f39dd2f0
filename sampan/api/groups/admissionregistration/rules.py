"""Which requests concern a webhook or a policy: rules of operations and resources, selectors, match conditions.

After pkg/apis/admissionregistration/validation.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, go_strings, invalid, not_supported, required, too_many
from sampan.api.groups.admissionregistration.expressions import Scope, check_expression
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.resource import Tree

GROUP = "admissionregistration.k8s.io"
MATCH_POLICIES = ("Equivalent", "Exact")
FAILURE_POLICIES = ("Fail", "Ignore")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_MOST_CONDITIONS = 64


def default_rules(rules: Sequence[Tree]) -> None:
    for rule in rules:
        rule.setdefault("scope", "*")


def default_matching(tree: Tree) -> None:
    """What webhooks and policies alike have of a MatchResources."""
    tree.setdefault("matchPolicy", "Equivalent")
    tree.setdefault("namespaceSelector", {})
    tree.setdefault("objectSelector", {})


def default_match_resources(tree: Tree) -> None:
    default_matching(tree)
    for field in ("resourceRules", "excludeResourceRules"):
        default_rules(tree.get(field, ()))


def validate_choice(tree: Tree, field: str, choices: Sequence[str], path: str) -> list[FieldError]:
    """An optional field of few values."""
    value = tree.get(field)
    return [] if value is None or value in choices else [not_supported(f"{path}.{field}", value, choices)]


def validate_rule(rule: Tree, path: str) -> list[FieldError]:
    """RuleWithOperations."""
    operations, where = rule.get("operations", []), f"{path}.operations"
    errors = [] if operations else [required(where)]
    if "*" in operations and len(operations) > 1:
        shown = go_strings("admissionregistration.OperationType", operations)
        errors.append(invalid(where, shown, "if '*' is present, must not specify other operations"))
    unknown = ((i, operation) for i, operation in enumerate(operations) if operation not in _OPERATIONS)
    errors += [not_supported(f"{where}[{i}]", operation, _OPERATIONS) for i, operation in unknown]
    errors += _validate_alone(rule.get("apiGroups", []), f"{path}.apiGroups", "API groups")
    versions, where = rule.get("apiVersions", []), f"{path}.apiVersions"
    errors += _validate_alone(versions, where, "API versions")
    errors += [required(f"{where}[{i}]") for i, version in enumerate(versions) if not version]
    errors += _validate_resources(rule.get("resources", []), f"{path}.resources")
    return errors + validate_choice(rule, "scope", _SCOPES, path)


def _validate_alone(values: Sequence[str], path: str, what: str) -> list[FieldError]:
    if not values:
        return [required(path)]
    if "*" in values and len(values) > 1:
        return [invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _validate_resources(resources: Sequence[str], path: str) -> list[FieldError]:
    errors = [] if resources else [required(path)]
    whole_resources: set[str] = set()  # of "x/*"
    whole_subresources: set[str] = set()  # of "*/x"
    last_is_bare = False
    for index, text in enumerate(resources):
        where = f"{path}[{index}]"
        if not text:
            errors.append(required(where))
            continue
        resource, slash, subresource = text.partition("/")
        if not slash:
            # As upstream has it, only the last of them counts.
            last_is_bare = text != "*"
            continue
        if resource in whole_resources:
            errors.append(invalid(where, text, f"if '{resource}/*' is present, must not specify {text}"))
        if subresource in whole_subresources:
            errors.append(invalid(where, text, f"if '*/{subresource}' is present, must not specify {text}"))
        if subresource == "*":
            whole_resources.add(resource)
        if resource == "*":
            whole_subresources.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and last_is_bare:
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid(path, resources, why))
    return errors


def validate_match_resources(tree: Tree | None, path: str) -> list[FieldError]:
    if tree is None:
        return []
    errors = validate_choice(tree, "matchPolicy", MATCH_POLICIES, path)
    for field in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(tree.get(field, {}), f"{path}.{field}")
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(tree.get(field, ())):
            errors += _validate_named_rule(rule, f"{path}.{field}[{index}]")
    return errors


def _validate_named_rule(rule: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, name in enumerate(rule.get("resourceNames", ())):
        where = f"{path}.resourceNames[{index}]"
        errors += [invalid(where, name, why) for why in names.path_segment(name)]
        if name in seen:
            errors.append(duplicate(where, name))
        seen.add(name)
    return errors + validate_rule(rule, path)


def validate_match_conditions(conditions: Sequence[Tree], scope: Scope, path: str) -> list[FieldError]:
    errors = [too_many(path, len(conditions), _MOST_CONDITIONS)] if len(conditions) > _MOST_CONDITIONS else []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        where, name = f"{path}[{index}]", condition.get("name", "")
        text = condition.get("expression", "").strip()
        errors += check_expression(text, f"{where}.expression", scope) if text else [required(f"{where}.expression")]
        if not name:
            errors.append(required(f"{where}.name"))
            continue
        errors += [invalid(f"{where}.name", name, why) for why in names.qualified_name(name)]
        if name in seen:
            errors.append(duplicate(f"{where}.name", name))
        seen.add(name)
    return errors

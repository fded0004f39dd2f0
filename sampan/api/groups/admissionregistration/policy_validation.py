"""Rules of ValidatingAdmissionPolicies. After pkg/apis/admissionregistration/validation."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sampan.api import names
from sampan.api.cel.environment import NEW
from sampan.api.errors import FieldError, duplicate, invalid, not_supported, required
from sampan.api.groups.admissionregistration.expressions import Scope, check_expression, check_variable
from sampan.api.groups.admissionregistration.rules import (
    FAILURE_POLICIES,
    validate_choice,
    validate_match_conditions,
    validate_match_resources,
)
from sampan.api.groups.validation.conditions import validate_conditions
from sampan.api.resource import Tree

_MOST_ANNOTATIONS = 20
_LONGEST_ANNOTATION_BYTES = 5 * 1024
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_EMPTY = "validations or auditAnnotations must contain at least one item"
_identifier = re.compile("[_a-zA-Z][_a-zA-Z0-9]*").fullmatch
_RESERVED = frozenset(
    (
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
        "loop", "package", "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip


def validate_new(tree: Tree) -> list[FieldError]:
    return _validate(tree, skip_conditions=False)


def validate_change(new: Tree, old: Tree) -> list[FieldError]:
    """Match conditions that nothing touched are not looked at again."""
    now, before = new.get("spec", {}), old.get("spec", {})
    same = all(now.get(field) == before.get(field) for field in ("paramKind", "matchConditions"))
    return _validate(new, skip_conditions=same)


def _validate(tree: Tree, *, skip_conditions: bool) -> list[FieldError]:
    spec = tree.get("spec", {})
    has_params = "paramKind" in spec
    errors = validate_choice(spec, "failurePolicy", FAILURE_POLICIES, "spec")
    if has_params:
        errors += _validate_param_kind(spec["paramKind"], "spec.paramKind")
    constraints = spec.get("matchConstraints")
    if constraints is None:
        errors.append(required("spec.matchConstraints"))
    else:
        errors += validate_match_resources(constraints, "spec.matchConstraints")
        if not constraints.get("resourceRules"):
            errors.append(required("spec.matchConstraints.resourceRules"))
    if not skip_conditions:
        scope = Scope(params=has_params, version=NEW)
        errors += validate_match_conditions(spec.get("matchConditions", ()), scope, "spec.matchConditions")
    return errors + _validate_expressions(tree, spec, Scope(params=has_params, variables=True, version=NEW))


def _validate_param_kind(kind: Tree, path: str) -> list[FieldError]:
    api_version, name = kind.get("apiVersion", ""), kind.get("kind", "")
    errors = _validate_group_version(api_version, f"{path}.apiVersion")
    if not name:
        errors.append(required(f"{path}.kind"))
    elif problems := names.dns_label_1035(name.lower()):
        why = "may have mixed case, but should otherwise match: " + ",".join(problems)
        errors.append(invalid(f"{path}.kind", name, why))
    return errors


def _validate_group_version(text: str, path: str) -> list[FieldError]:
    if not text:
        return [required(path)]
    group, _, version = text.rpartition("/")
    if "/" in group:
        return [invalid(path, text, f"unexpected GroupVersion string: {text}")]
    errors: list[FieldError] = []
    if group and (problems := names.dns_subdomain(group)):
        errors.append(invalid(path, group, ",".join(problems)))
    if not version:
        errors.append(invalid(path, text, "version must be specified"))
    elif problems := names.dns_label_1035(version):
        errors.append(invalid(path, version, ",".join(problems)))
    return errors


def _validate_expressions(tree: Tree, spec: Tree, scope: Scope) -> list[FieldError]:
    """Variables see those before them; all else sees all of them."""
    errors: list[FieldError] = []
    for index, variable in enumerate(spec.get("variables", ())):
        errors += _validate_variable(variable, scope, f"spec.variables[{index}]")
    validations, annotations = spec.get("validations", ()), spec.get("auditAnnotations", ())
    if not validations and not annotations:
        return [*errors, required("spec.validations", _EMPTY), required("spec.auditAnnotations", _EMPTY)]
    for index, validation in enumerate(validations):
        errors += _validate_validation(validation, scope, f"spec.validations[{index}]")
    if len(annotations) > _MOST_ANNOTATIONS:
        why = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        errors.append(invalid("spec.auditAnnotations", list(annotations), why))
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        path, key = f"spec.auditAnnotations[{index}]", annotation.get("key", "")
        errors += _validate_annotation(annotation, tree["metadata"].get("name", ""), scope, path)
        if key in seen:
            errors.append(duplicate(f"{path}.key", key))
        seen.add(key)
    return errors


def _validate_variable(variable: Tree, scope: Scope, path: str) -> list[FieldError]:
    name, text = variable.get("name", ""), variable.get("expression", "")
    errors: list[FieldError] = []
    if not name.strip():
        errors.append(required(f"{path}.name", "name is not specified"))
    elif not _identifier(name) or name in _RESERVED:
        errors.append(invalid(f"{path}.name", name, "name is not a valid CEL identifier"))
    if not text.strip():
        return [*errors, required(f"{path}.expression", "expression is not specified")]
    return errors + check_variable(name, text, f"{path}.expression", scope)


def _validate_validation(validation: Mapping[str, str], scope: Scope, path: str) -> list[FieldError]:
    text, words, message = (validation.get(field, "") for field in ("expression", "messageExpression", "message"))
    errors: list[FieldError] = []
    if text.strip():
        errors += check_expression(text, f"{path}.expression", scope)
    else:
        errors.append(required(f"{path}.expression", "expression is not specified"))
    if words.strip():
        errors += check_expression(words, f"{path}.messageExpression", scope, ("string",), authorizer=False)
    elif words:
        errors.append(invalid(f"{path}.messageExpression", words, "must be non-empty if specified"))
    if message and not message.strip():
        errors.append(invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif "\n" in message.strip() or "\r" in message.strip():
        errors.append(invalid(f"{path}.message", message, "message must not contain line breaks"))
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        errors.append(not_supported(f"{path}.reason", reason, _REASONS))
    return errors


def _validate_annotation(annotation: Tree, policy: str, scope: Scope, path: str) -> list[FieldError]:
    key, text = annotation.get("key", ""), annotation.get("valueExpression", "")
    trimmed = text.strip()
    where = f"{path}.valueExpression"
    if policy:
        name = f"{policy}/{key}"
        errors = [invalid(f"{path}.key", name, why) for why in names.qualified_name(name)]
    else:
        errors = [invalid(f"{path}.key", key, "requires metadata.name be non-empty")]
    if not trimmed:
        return [*errors, required(where, "valueExpression is not specified")]
    if len(trimmed.encode()) > _LONGEST_ANNOTATION_BYTES:
        return [*errors, required(where, f"must not exceed {_LONGEST_ANNOTATION_BYTES} bytes in length")]
    return errors + check_expression(trimmed, where, scope, ("string", "null_type"))


def validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status, path = new.get("status", {}), "status.typeChecking.expressionWarnings"
    errors: list[FieldError] = []
    for index, warning in enumerate((status.get("typeChecking") or {}).get("expressionWarnings", ())):
        for field in ("warning", "fieldRef"):
            if not warning.get(field, "").strip():
                errors.append(required(f"{path}[{index}].{field}"))
    return errors + validate_conditions(status.get("conditions", ()), "status.conditions")

"""ValidatingAdmissionPolicyBinding."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, forbidden_field, go_strings, invalid, not_supported, required
from sampan.api.groups.admissionregistration.rules import GROUP, default_match_resources, validate_match_resources
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.strategies import bump_generation, start_generation
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.repeats import repeats
from sampan.api.resource import Column, Resource, Strategy, Tree

_ACTIONS = ("Audit", "Deny", "Warn")
_NOT_FOUND_ACTIONS = ("Deny", "Allow")
_ONE_OF_BOTH = "name and selector are mutually exclusive"
_DENY_AND_WARN = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers "
    "serves no purpose)"
)


def _default(tree: Tree) -> None:
    matching = tree.get("spec", {}).get("matchResources")
    if matching is not None:
        default_match_resources(matching)


def _validate(tree: Tree) -> list[FieldError]:
    spec, path = tree.get("spec", {}), "spec.policyName"
    policy = spec.get("policyName", "")
    errors = [invalid(path, policy, why) for why in names.name_is_subdomain(policy)] if policy else [required(path)]
    errors += _validate_param_ref(spec.get("paramRef"), "spec.paramRef")
    errors += validate_match_resources(spec.get("matchResources"), "spec.matchResources")
    return errors + _validate_actions(spec.get("validationActions", []), "spec.validationActions")


def _validate_param_ref(reference: Tree | None, path: str) -> list[FieldError]:
    if reference is None:
        return []
    name, selector, action = reference.get("name", ""), reference.get("selector"), reference.get("parameterNotFoundAction")
    errors = [invalid(f"{path}.name", name, why) for why in names.path_segment(name)]
    if name and selector is not None:
        errors.append(forbidden_field(f"{path}.name", _ONE_OF_BOTH))
    if selector is not None:
        errors += validate_label_selector(selector, f"{path}.selector")
        if name:
            errors.append(forbidden_field(f"{path}.selector", _ONE_OF_BOTH))
    if not name and selector is None:
        errors.append(required(path, "one of name or selector must be specified"))
    if not action:
        errors.append(required(f"{path}.parameterNotFoundAction"))
    elif action not in _NOT_FOUND_ACTIONS:
        errors.append(not_supported(f"{path}.parameterNotFoundAction", action, _NOT_FOUND_ACTIONS))
    return errors


def _validate_actions(actions: Sequence[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    again = {index for index, _ in repeats(actions)}
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            errors.append(not_supported(f"{path}[{index}]", action, _ACTIONS))
        if index in again:
            errors.append(duplicate(f"{path}[{index}]", action))
    if {"Deny", "Warn"} <= set(actions):
        errors.append(invalid(path, go_strings("admissionregistration.ValidationAction", actions), _DENY_AND_WARN))
    if not actions:
        errors.append(required(path, "at least one validation action is required"))
    return errors


def _parameter(tree: Tree, now: float) -> str:
    reference = tree.get("spec", {}).get("paramRef") or {}
    if name := reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{name}"
    selector = reference.get("selector")
    if selector is None:
        return "<unset>"
    # The text that Go's generated String() makes of a selector.
    labels = ",".join(f"{key}: {value}" for key, value in sorted(selector.get("matchLabels", {}).items()))
    pairs = f"map[string]string{{{labels + ',' if labels else ''}}}"
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{e.get('key', '')},Operator:{e.get('operator', '')},"
        f"Values:[{' '.join(e.get('values', ()))}],}},"
        for e in selector.get("matchExpressions", ())
    )
    return f"&LabelSelector{{MatchLabels:{pairs},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"


RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="ValidatingAdmissionPolicyBinding",
    plural="validatingadmissionpolicybindings",
    definition="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    categories=("api-extensions",),
    namespaced=False,
    strategy=Strategy(
        prepare_create=start_generation,
        prepare_update=bump_generation,
        validate=_validate,
        allow_unconditional_update=False,
    ),
    default=_default,
    columns=(
        NAME,
        Column("PolicyName", lambda tree, now: tree.get("spec", {}).get("policyName", "")),
        Column("ParamRef", _parameter),
        AGE,
    ),
)

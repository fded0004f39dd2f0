"""Where a pod may run: tolerations, affinity, spreading, gates."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, forbidden_field, invalid, not_supported, required
from sampan.api.groups.validation.metadata import validate_labels
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.resource import Tree

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSION = ("Honor", "Ignore")
_REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"
_BAD_OPERATOR = "not a valid selector operator"
_WEIGHT = "must be in the range 1-100"


def validate_tolerations(tolerations: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        errors += _validate_toleration(toleration, f"{path}[{index}]")
    return errors


def _validate_toleration(toleration: Tree, path: str) -> list[FieldError]:
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    value, effect = toleration.get("value", ""), toleration.get("effect", "")
    errors: list[FieldError] = []
    if key:
        errors += [invalid(f"{path}.key", key, why) for why in names.qualified_name(key)]
    elif operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(invalid(f"{path}.operator", operator, why))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid(f"{path}.effect", effect, why))
    if operator in ("Equal", ""):
        if problems := names.label_value(value):
            errors.append(invalid(f"{path}.operator", value, ";".join(problems)))
    elif operator == "Exists":
        if value:
            errors.append(invalid(f"{path}.operator", value, "value must be empty when `operator` is 'Exists'"))
    else:
        errors.append(not_supported(f"{path}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in TAINT_EFFECTS:
        errors.append(not_supported(f"{path}.effect", effect, TAINT_EFFECTS))
    return errors


def validate_affinity(affinity: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if node := affinity.get("nodeAffinity"):
        errors += _validate_node_affinity(node, f"{path}.nodeAffinity")
    for field in ("podAffinity", "podAntiAffinity"):
        if pods := affinity.get(field):
            errors += _validate_pod_affinity(pods, f"{path}.{field}")
    return errors


def _validate_node_affinity(affinity: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if (wanted := affinity.get(_REQUIRED_TERMS)) is not None:
        errors += validate_node_terms(wanted, f"{path}.{_REQUIRED_TERMS}")
    for index, preferred in enumerate(affinity.get(_PREFERRED_TERMS, ())):
        where = f"{path}.{_PREFERRED_TERMS}[{index}]"
        weight = preferred.get("weight", 0)
        if not 1 <= weight <= 100:
            errors.append(invalid(f"{where}.weight", weight, _WEIGHT))
        errors += _validate_node_term(preferred.get("preference", {}), f"{where}.preference")
    return errors


def validate_node_terms(selector: Tree, path: str) -> list[FieldError]:
    """A core NodeSelector, which must hold: that of a pod's required affinity or of a volume's."""
    terms = selector.get("nodeSelectorTerms", ())
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    errors: list[FieldError] = []
    for index, term in enumerate(terms):
        errors += _validate_node_term(term, f"{path}.nodeSelectorTerms[{index}]", needs_label_values=True)
    return errors


def _validate_node_term(term: Tree, path: str, needs_label_values: bool = False) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, expression in enumerate(term.get("matchExpressions", ())):
        where = f"{path}.matchExpressions[{index}]"
        errors += _validate_node_expression(expression, where)
        # A preference that no label can have is merely not met; a requirement would never be.
        for number, value in enumerate(expression.get("values", ()) if needs_label_values else ()):
            errors += [invalid(f"{where}.values[{number}]", value, why) for why in names.label_value(value)]
    for index, expression in enumerate(term.get("matchFields", ())):
        errors += _validate_node_field(expression, f"{path}.matchFields[{index}]")
    return errors


def _validate_node_expression(expression: Tree, path: str) -> list[FieldError]:
    key, operator, values = expression.get("key", ""), expression.get("operator", ""), expression.get("values", ())
    errors: list[FieldError] = []
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden_field(f"{path}.values", why))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            errors.append(required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    else:
        errors.append(invalid(f"{path}.operator", operator, _BAD_OPERATOR))
    return errors + [invalid(f"{path}.key", key, why) for why in names.qualified_name(key)]


def _validate_node_field(expression: Tree, path: str) -> list[FieldError]:
    key, operator, values = expression.get("key", ""), expression.get("operator", ""), expression.get("values", ())
    errors: list[FieldError] = []
    if operator not in ("In", "NotIn"):
        errors.append(invalid(f"{path}.operator", operator, _BAD_OPERATOR))
    elif len(values) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{path}.values", why))
    if key != "metadata.name":
        return [*errors, invalid(f"{path}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        errors += [invalid(f"{path}.values[{index}]", value, why) for why in names.name_is_subdomain(value)]
    return errors


def _validate_pod_affinity(affinity: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, term in enumerate(affinity.get(_REQUIRED_TERMS, ())):
        errors += _validate_pod_term(term, f"{path}.{_REQUIRED_TERMS}[{index}]")
    for index, preferred in enumerate(affinity.get(_PREFERRED_TERMS, ())):
        where = f"{path}.{_PREFERRED_TERMS}[{index}]"
        weight = preferred.get("weight", 0)
        if not 1 <= weight <= 100:
            errors.append(invalid(f"{where}.weight", weight, _WEIGHT))
        errors += _validate_pod_term(preferred.get("podAffinityTerm", {}), f"{where}.podAffinityTerm")
    return errors


def _validate_pod_term(term: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("labelSelector", "namespaceSelector"):
        if selector := term.get(field):
            errors += validate_label_selector(selector, f"{path}.{field}")
    for namespace in term.get("namespaces", ()):
        errors += [invalid(f"{path}.namespace", namespace, why) for why in names.dns_label(namespace)]
    if "matchLabelKeys" in term or "mismatchLabelKeys" in term:
        errors += _validate_label_keys(term, path)
    topology = term.get("topologyKey", "")
    if not topology:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    return errors + [invalid(f"{path}.topologyKey", topology, why) for why in names.qualified_name(topology)]


def _validate_label_keys(term: Tree, path: str) -> list[FieldError]:
    """matchLabelKeys and mismatchLabelKeys, after the former became requirements of the selector."""
    errors: list[FieldError] = []
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = term.get(field, ())
        if keys and "labelSelector" not in term:
            errors.append(forbidden_field(f"{path}.{field}", "must not be specified when labelSelector is not set"))
            continue
        for index, key in enumerate(keys):
            errors += [invalid(f"{path}.{field}[{index}]", key, why) for why in names.qualified_name(key)]
    positions = {key: index for index, key in enumerate(term.get("matchLabelKeys", ()))}
    selector = term.get("labelSelector", {})
    selected = set(selector.get("matchLabels", ()))
    for expression in selector.get("matchExpressions", ()):
        key = expression.get("key", "")
        if key in positions and key in selected:
            where = f"{path}[{positions[key]}]"
            errors.append(invalid(where, key, "exists in both matchLabelKeys and labelSelector"))
        selected.add(key)
    mismatched = set(term.get("mismatchLabelKeys", ()))
    for index, key in enumerate(term.get("matchLabelKeys", ())):
        if key in mismatched:
            where = f"{path}.matchLabelKeys[{index}]"
            errors.append(invalid(where, key, "exists in both matchLabelKeys and mismatchLabelKeys"))
    return errors


def validate_spread(constraints: Sequence[Tree], path: str) -> list[FieldError]:
    """topologySpreadConstraints."""
    errors: list[FieldError] = []
    pairs = [(constraint.get("topologyKey"), constraint.get("whenUnsatisfiable")) for constraint in constraints]
    last = {pair: index for index, pair in enumerate(pairs)}
    for index, (constraint, this) in enumerate(zip(constraints, pairs, strict=True)):
        where = f"{path}[{index}]"
        errors += _validate_constraint(constraint, where)
        if index < last[this]:
            errors.append(duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{this[0]}, {this[1]}}}"))
    return errors


def _validate_constraint(constraint: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    skew, action = constraint.get("maxSkew", 0), constraint.get("whenUnsatisfiable", "")
    if skew <= 0:
        errors.append(invalid(f"{path}.maxSkew", skew, "must be greater than zero"))
    if not constraint.get("topologyKey"):
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    if action not in _UNSATISFIABLE:
        errors.append(not_supported(f"{path}.whenUnsatisfiable", action, _UNSATISFIABLE))
    if (domains := constraint.get("minDomains")) is not None:
        if domains <= 0:
            errors.append(invalid(f"{path}.minDomains", domains, "must be greater than zero"))
        if action != "DoNotSchedule":
            why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            errors.append(invalid(f"{path}.minDomains", domains, why))
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        policy = constraint.get(field)
        if policy is not None and policy not in _INCLUSION:
            errors.append(not_supported(f"{path}.{field}", policy, _INCLUSION))
    errors += _validate_spread_keys(constraint, f"{path}.matchLabelKeys")
    return errors + validate_label_selector(constraint.get("labelSelector", {}), f"{path}.labelSelector")


def _validate_spread_keys(constraint: Tree, path: str) -> list[FieldError]:
    keys = constraint.get("matchLabelKeys", ())
    if not keys:
        return []
    errors: list[FieldError] = []
    selector = constraint.get("labelSelector")
    if selector is None:
        errors.append(forbidden_field(path, "must not be specified when labelSelector is not set"))
        selector = {}
    selected = {*selector.get("matchLabels", ()), *(e.get("key") for e in selector.get("matchExpressions", ()))}
    for index, key in enumerate(keys):
        errors += [invalid(f"{path}[{index}]", key, why) for why in names.qualified_name(key)]
        if key in selected:
            errors.append(invalid(f"{path}[{index}]", key, "exists in both matchLabelKeys and labelSelector"))
    return errors


def validate_gates(gates: Sequence[Tree], path: str) -> list[FieldError]:
    """schedulingGates."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        errors += [invalid(f"{path}[{index}]", name, why) for why in names.qualified_name(name)]
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return errors


def validate_node_selector(selector: dict[str, str], path: str) -> list[FieldError]:
    return validate_labels(selector, path)

"""FlowSchema."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, go_struct, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME, NONE
from sampan.api.groups.flowcontrol.mandatory import EXEMPT, SCHEMAS
from sampan.api.groups.flowcontrol.status import GROUP, prepare_status, validate_status, validate_status_update
from sampan.api.groups.strategies import bump_generation, start_generation
from sampan.api.resource import Column, Resource, Strategy, Tree

_DEFAULT_PRECEDENCE, _LARGEST_PRECEDENCE = 1000, 10000
_METHODS = ("ByNamespace", "ByUser")
_SUBJECTS = ("Group", "ServiceAccount", "User")
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    spec["matchingPrecedence"] = spec.get("matchingPrecedence") or _DEFAULT_PRECEDENCE


def _validate(tree: Tree) -> list[FieldError]:
    spec, name = tree["spec"], tree["metadata"].get("name", "")
    errors = _validate_precedence(spec["matchingPrecedence"], name)
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        shown = go_struct("flowcontrol.FlowDistinguisherMethod", {"Type": method.get("type", "")})
        errors.append(not_supported("spec.distinguisherMethod.type", shown, _METHODS))
    level, path = spec.get("priorityLevelConfiguration", {}).get("name", ""), "spec.priorityLevelConfiguration.name"
    if level:
        errors += [invalid(path, level, why) for why in names.name_is_subdomain(level)]
    else:
        errors.append(required(path, "must reference a priority level"))
    for index, rule in enumerate(spec.get("rules", ())):
        errors += _validate_rule(rule, f"spec.rules[{index}]")
    if spec != SCHEMAS.get(name, spec):
        errors.append(invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return errors + validate_status(tree)


def _validate_precedence(precedence: int, name: str) -> list[FieldError]:
    path = "spec.matchingPrecedence"
    if precedence <= 0:
        return [invalid(path, precedence, "must be a positive value")]
    if precedence > _LARGEST_PRECEDENCE:
        return [invalid(path, precedence, f"must not be greater than {_LARGEST_PRECEDENCE}")]
    if precedence == 1 and name != EXEMPT:
        return [invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")]
    return []


def _validate_rule(rule: Tree, path: str) -> list[FieldError]:
    subjects, resources, urls = (rule.get(field, ()) for field in ("subjects", "resourceRules", "nonResourceRules"))
    errors: list[FieldError] = []
    if not subjects:
        errors.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    for index, subject in enumerate(subjects):
        errors += _validate_subject(subject, f"{path}.subjects[{index}]")
    if not resources and not urls:
        errors.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for index, each in enumerate(resources):
        errors += _validate_resources(each, f"{path}.resourceRules[{index}]")
    for index, each in enumerate(urls):
        errors += _validate_urls(each, f"{path}.nonResourceRules[{index}]")
    return errors


def _validate_named(subject: Tree, path: str) -> list[FieldError]:
    return [] if subject.get("name") else [required(f"{path}.name")]


def _validate_account(account: Tree, path: str) -> list[FieldError]:
    name, namespace = account.get("name", ""), account.get("namespace", "")
    errors = _validate_named(account, path)
    if name and name != "*":
        errors += [invalid(f"{path}.name", name, why) for why in names.name_is_subdomain(name)]
    if not namespace:
        return [*errors, required(f"{path}.namespace", "must specify namespace for service account")]
    return errors + [invalid(f"{path}.namespace", namespace, why) for why in names.name_is_label(namespace)]


_SUBJECT_RULES: dict[str, tuple[str, Callable[[Tree, str], list[FieldError]]]] = {
    "ServiceAccount": ("serviceAccount", _validate_account),
    "User": ("user", _validate_named),
    "Group": ("group", _validate_named),
}


def _validate_subject(subject: Tree, path: str) -> list[FieldError]:
    kind = subject.get("kind", "")
    if kind not in _SUBJECT_RULES:
        return [not_supported(f"{path}.kind", kind, _SUBJECTS)]
    field, validate = _SUBJECT_RULES[kind]
    if field in subject:
        errors = validate(subject[field], f"{path}.{field}")
    else:
        errors = [required(f"{path}.{field}", f"{field} is required when subject kind is '{kind}'")]
    for other, (other_field, _) in _SUBJECT_RULES.items():
        if other != kind and other_field in subject:
            why = f"{other_field} is forbidden when subject kind is not '{other}'"
            errors.append(forbidden_field(f"{path}.{other_field}", why))
    return errors


def _validate_alone(values: Sequence[str], path: str, what: str) -> list[FieldError]:
    """A "*" stands for all, and so alone."""
    if "*" in values and len(values) > 1:
        return [invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _validate_verbs(rule: Tree, path: str) -> list[FieldError]:
    verbs, path = rule.get("verbs", []), f"{path}.verbs"
    if not verbs:
        return [required(path, "verbs must contain at least one value")]
    if "*" not in verbs and not set(verbs) <= set(_VERBS):
        return [not_supported(path, verbs, _VERBS)]
    return _validate_alone(verbs, path, "verbs")


def _validate_resources(rule: Tree, path: str) -> list[FieldError]:
    errors = _validate_verbs(rule, path)
    for field, one, many in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values, where = rule.get(field, []), f"{path}.{field}"
        if not values:
            errors.append(required(where, f"resource rules must supply at least one {one}"))
        errors += _validate_alone(values, where, many)
    namespaces, where = rule.get("namespaces") or [], f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        return [*errors, required(where, why)]
    if "*" in namespaces:
        return errors + _validate_alone(namespaces, where, "namespaces")
    why = "each member of this list must be '*' or a DNS-1123 label; "
    problems = ((i, name, text) for i, name in enumerate(namespaces) for text in names.name_is_label(name))
    return errors + [invalid(f"{where}[{i}]", name, why + text) for i, name, text in problems]


def _validate_urls(rule: Tree, path: str) -> list[FieldError]:
    errors = _validate_verbs(rule, path)
    urls, where = rule.get("nonResourceURLs", []), f"{path}.nonResourceURLs"
    if not urls:
        return [*errors, required(where, "nonResourceURLs must contain at least one value")]
    if "*" in urls:
        return errors + _validate_alone(urls, where, "non-resource URLs")
    return errors + [invalid(f"{where}[{i}]", url, why) for i, url in enumerate(urls) if (why := _why_no_url(url))]


def _why_no_url(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    stars = url.count("*")
    return "wildcard can only do suffix matching" if stars > 1 or (stars and not url.endswith("/*")) else ""


def _order(tree: Tree) -> tuple[int, str]:
    """The schema that is tried first comes first."""
    return tree.get("spec", {}).get("matchingPrecedence", 0), tree["metadata"].get("name", "")


def _method(tree: Tree, now: float) -> str:
    method = tree.get("spec", {}).get("distinguisherMethod")
    return NONE if method is None else str(method.get("type", ""))


def _missing_level(tree: Tree, now: float) -> str:
    conditions = tree.get("status", {}).get("conditions", ())
    return next((c.get("status", "") for c in conditions if c.get("type") == "Dangling"), "?")


RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    definition="io.k8s.api.flowcontrol.v1.FlowSchema",
    namespaced=False,
    strategy=Strategy(
        prepare_create=start_generation,
        prepare_update=bump_generation,
        prepare_status=prepare_status,
        validate=_validate,
        validate_status=validate_status_update,
    ),
    default=_default,
    columns=(
        NAME,
        Column("PriorityLevel", lambda tree, now: tree.get("spec", {}).get("priorityLevelConfiguration", {}).get("name", "")),
        Column("MatchingPrecedence", lambda tree, now: tree.get("spec", {}).get("matchingPrecedence", 0)),
        Column("DistinguisherMethod", _method),
        AGE,
        Column("MissingPL", _missing_level),
    ),
    row_order=_order,
    status=True,
)

"""StorageClass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, forbidden_field, invalid, not_supported, required, too_long
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.nodelabels import why_deprecated
from sampan.api.repeats import frozen, repeats
from sampan.api.resource import Column, Resource, Strategy, Tree

RECLAIM_POLICIES = ("Delete", "Retain")
BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFAULT_CLASS_OF_OLD = "storageclass.beta.kubernetes.io/is-default-class"
_PARAMETERS_LIMIT_BYTES = 256 * 1024
_PARAMETERS_LIMIT = 512
_MOST_REPEATS = 100
"""How often a term is said to stand there already."""


def _default(tree: Tree) -> None:
    tree.setdefault("reclaimPolicy", "Delete")
    tree.setdefault("volumeBindingMode", "Immediate")


def _validate(tree: Tree) -> list[FieldError]:
    provisioner = tree.get("provisioner", "")
    lowered = provisioner.lower()
    errors = [invalid("provisioner", lowered, why) for why in names.qualified_name(lowered)]
    errors = errors if provisioner else [required("provisioner")]
    errors += _validate_parameters(tree.get("parameters", {}), "parameters")
    policy, mode = tree["reclaimPolicy"], tree["volumeBindingMode"]
    if policy and policy not in RECLAIM_POLICIES:
        errors.append(not_supported("reclaimPolicy", policy, RECLAIM_POLICIES))
    if mode not in BINDING_MODES:
        errors.append(not_supported("volumeBindingMode", mode, BINDING_MODES))
    return errors + _validate_topologies(tree.get("allowedTopologies", ()), "allowedTopologies")


def _validate_parameters(parameters: Mapping[str, str], path: str) -> list[FieldError]:
    if len(parameters) > _PARAMETERS_LIMIT:
        return [too_long(path, _PARAMETERS_LIMIT)]
    errors = [invalid(path, key, "field can not be empty.") for key in parameters if not key]
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > _PARAMETERS_LIMIT_BYTES:
        errors.append(too_long(path, _PARAMETERS_LIMIT_BYTES))
    return errors


def _validate_topologies(terms: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    # Upstream's list of those seen begins with an empty one a term, so that a term of nothing is taken for a repeat.
    seen = Counter({frozen({}): len(terms)})
    for index, term in enumerate(terms):
        where = f"{path}[{index}].matchLabelExpressions"
        found, problems = _validate_term(term, where)
        key = frozen(found)
        errors += problems + [duplicate(where, "")] * min(seen[key], _MOST_REPEATS)
        seen[key] += 1
    return errors


def _validate_term(term: Tree, path: str) -> tuple[dict[str, set[str]], list[FieldError]]:
    """The values by key, and the errors."""
    found: dict[str, set[str]] = {}
    errors: list[FieldError] = []
    for index, expression in enumerate(term.get("matchLabelExpressions", ())):
        where, key, values = f"{path}[{index}]", expression.get("key", ""), expression.get("values", ())
        if not values:
            errors.append(required(f"{where}.values"))
        errors += [duplicate(f"{where}.values[{n}]", value) for n, value in repeats(values)]
        errors += [invalid(f"{where}.key", key, why) for why in names.qualified_name(key)]
        if key in found:
            errors.append(duplicate(f"{where}.key", key))
        found[key] = set(values)
    return found, errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    fixed = ("parameters", "provisioner", "reclaimPolicy")
    errors = [
        forbidden_field(field, f"updates to {field} are forbidden.") for field in fixed if new.get(field) != old.get(field)
    ]
    return errors + immutable("volumeBindingMode", new["volumeBindingMode"], old.get("volumeBindingMode"))


def _warn(new: Tree, old: Tree | None) -> list[str]:
    return [
        f"allowedTopologies[{number}].matchLabelExpressions[{index}].key: {why}"
        for number, term in enumerate(new.get("allowedTopologies", ()))
        for index, expression in enumerate(term.get("matchLabelExpressions", ()))
        if (why := why_deprecated(expression.get("key", "")))
    ]


def _name(tree: Tree, now: float) -> str:
    meta = tree["metadata"]
    annotations, name = meta.get("annotations", {}), meta.get("name", "")
    is_default = "true" in (annotations.get(DEFAULT_CLASS), annotations.get(DEFAULT_CLASS_OF_OLD))
    return f"{name} (default)" if is_default else name


RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    definition="io.k8s.api.storage.v1.StorageClass",
    short=("sc",),
    namespaced=False,
    strategy=Strategy(validate=_validate, validate_update=_validate_update, warn=_warn),
    default=_default,
    columns=(
        Column("Name", _name, format_=NAME.format_),
        Column("Provisioner", lambda tree, now: tree.get("provisioner", "")),
        Column("ReclaimPolicy", lambda tree, now: tree.get("reclaimPolicy", "Delete")),
        Column("VolumeBindingMode", lambda tree, now: tree.get("volumeBindingMode", "Immediate")),
        Column("AllowVolumeExpansion", lambda tree, now: tree.get("allowVolumeExpansion", False)),
        AGE,
    ),
)

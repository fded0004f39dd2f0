"""ValidatingAdmissionPolicy."""

from __future__ import annotations

from sampan.api.groups.admissionregistration.policy_validation import validate_change, validate_new, validate_status
from sampan.api.groups.admissionregistration.rules import GROUP, default_match_resources
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.strategies import bump_generation, keep_all_but_status, start_generation
from sampan.api.resource import Column, Resource, Strategy, Tree


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    if (constraints := spec.get("matchConstraints")) is not None:
        default_match_resources(constraints)


def _param_kind(tree: Tree, now: float) -> str:
    kind = tree.get("spec", {}).get("paramKind")
    return "<unset>" if kind is None else f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}"


RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    definition="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    categories=("api-extensions",),
    namespaced=False,
    strategy=Strategy(
        prepare_create=start_generation,
        prepare_update=bump_generation,
        prepare_status=keep_all_but_status,
        validate=validate_new,
        validate_change=validate_change,
        validate_status=validate_status,
        allow_unconditional_update=False,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Validations", lambda tree, now: len(tree.get("spec", {}).get("validations", ())), "integer"),
        Column("ParamKind", _param_kind),
        AGE,
    ),
    status=True,
)

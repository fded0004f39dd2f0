"""Lease."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid
from sampan.api.groups.columns import AGE, NAME
from sampan.api.resource import Column, Resource, Strategy, Tree

_COORDINATED = ("strategy", "preferredHolder")
"""Fields of coordinated leader election, which is off by default."""


def _prepare_create(new: Tree) -> None:
    for field in _COORDINATED:
        new.get("spec", {}).pop(field, None)


def _prepare_update(new: Tree, old: Tree) -> None:
    for field in _COORDINATED:
        if field not in old.get("spec", {}):
            new.get("spec", {}).pop(field, None)


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree.get("spec", {})
    errors: list[FieldError] = []
    duration = spec.get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    transitions = spec.get("leaseTransitions")
    if transitions is not None and transitions < 0:
        errors.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    strategy = spec.get("strategy")
    if strategy is not None and strategy != "OldestEmulationVersion":
        errors += [invalid("spec.strategy", strategy, why) for why in names.qualified_name(strategy)]
    if spec.get("preferredHolder") and not strategy:
        errors.append(forbidden_field("spec.preferredHolder", "may only be specified if `strategy` is defined"))
    return errors


def _holder(tree: Tree, now: float) -> str:
    holder: str = tree.get("spec", {}).get("holderIdentity", "")
    return holder


RESOURCE = Resource(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    definition="io.k8s.api.coordination.v1.Lease",
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        validate=_validate,
        allow_create_on_update=True,
        allow_unconditional_update=False,
    ),
    columns=(NAME, Column("Holder", _holder), AGE),
)

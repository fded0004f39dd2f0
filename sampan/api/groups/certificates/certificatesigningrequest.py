"""CertificateSigningRequest.

Who asked for it is written into its spec by admission/certificaterequester.py, for a kind knows nothing of users.
"""

from __future__ import annotations

from sampan.api import duration, names
from sampan.api.groups.certificates.validation import (
    APPROVED,
    DENIED,
    FAILED,
    certificate_of,
    conditions_of,
    of_type,
    validate_change,
    validate_new,
    validate_status,
)
from sampan.api.groups.columns import AGE, NAME, NONE
from sampan.api.groups.strategies import keep_spec, keep_status
from sampan.api.resource import Column, Resource, Strategy, Tree


def _prepare_create(new: Tree) -> None:
    """Nobody makes a request that is approved already."""
    new.pop("status", None)


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_spec(new, old)
    keep_status(new, old)


def prepare_status(new: Tree, old: Tree) -> None:
    """The verdict stays as it is, unless the update adds or removes one: which validation then refuses."""
    keep_spec(new, old)
    for type_ in (APPROVED, DENIED):
        places = [i for i, condition in enumerate(conditions_of(new)) if condition.get("type", "") == type_]
        before = of_type(old, type_)
        if len(places) == len(before):
            for index, condition in zip(places, before, strict=True):
                conditions_of(new)[index] = condition


def prepare_approval(new: Tree, old: Tree) -> None:
    """Nothing but the conditions."""
    keep_spec(new, old)
    conditions = conditions_of(new)
    keep_status(new, old)
    if conditions or "conditions" in new.get("status", {}):
        new["status"] = {**new.get("status", {}), "conditions": conditions}


def stamp_conditions(new: Tree, old: Tree, now: str) -> None:
    """Times that a client left out; a condition that was the same before changed when it changed then."""
    for condition in conditions_of(new):
        condition["lastUpdateTime"] = condition.get("lastUpdateTime") or now
        if not condition.get("lastTransitionTime"):
            same = (c for c in of_type(old, condition.get("type", "")) if c.get("status") == condition.get("status"))
            times = (c["lastTransitionTime"] for c in same if c.get("lastTransitionTime"))
            condition["lastTransitionTime"] = next(times, now)


def _duration(tree: Tree, now: float) -> str:
    seconds = tree.get("spec", {}).get("expirationSeconds")
    return NONE if seconds is None else duration.human(seconds)


def _state(tree: Tree, now: float) -> str:
    verdict = DENIED if of_type(tree, DENIED) else APPROVED if of_type(tree, APPROVED) else "Pending"
    failed = ",Failed" if of_type(tree, FAILED) else ""
    return verdict + failed + (",Issued" if certificate_of(tree) else "")


def _signer(tree: Tree) -> str:
    name: str = tree.get("spec", {}).get("signerName", "")
    return name


RESOURCE = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    definition="io.k8s.api.certificates.v1.CertificateSigningRequest",
    short=("csr",),
    namespaced=False,
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=prepare_status,
        validate=validate_new,
        validate_change=validate_change,
        validate_status=validate_status,
    ),
    columns=(
        NAME,
        AGE,
        Column("SignerName", lambda tree, now: _signer(tree) or NONE),
        Column("Requestor", lambda tree, now: tree.get("spec", {}).get("username", "")),
        Column("RequestedDuration", _duration),
        Column("Condition", _state),
    ),
    selectable={"spec.signerName": _signer},
    status=True,
    name_is_valid=names.path_segment,
)

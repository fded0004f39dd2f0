"""PriorityLevelConfiguration."""

from __future__ import annotations

import math

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME, NONE
from sampan.api.groups.flowcontrol.mandatory import EXEMPT, LEVELS
from sampan.api.groups.flowcontrol.status import GROUP, prepare_status, validate_status, validate_status_update
from sampan.api.groups.strategies import bump_generation, start_generation
from sampan.api.resource import Column, Resource, Strategy, Tree, Value

_SHARES, _QUEUES, _HAND_SIZE, _QUEUE_LENGTH = 30, 64, 8, 50
_MOST_QUEUES = 10_000_000
_HASH_BITS = 60
_OLD_ANNOTATION = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares"
_TYPES = ("Exempt", "Limited")
_RESPONSES = ("Queue", "Reject")
_NOT_NEGATIVE = "must be a non-negative integer"


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if (exempt := spec.get("exempt")) is not None:
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)
    if (limited := spec.get("limited")) is not None:
        limited.setdefault("nominalConcurrencyShares", _SHARES)
        limited.setdefault("lendablePercent", 0)
        if (queuing := limited.get("limitResponse", {}).get("queuing")) is not None:
            for field, value in (("handSize", _HAND_SIZE), ("queues", _QUEUES), ("queueLengthLimit", _QUEUE_LENGTH)):
                queuing[field] = queuing.get(field) or value


def _validate(tree: Tree) -> list[FieldError]:
    spec, name = tree["spec"], tree["metadata"].get("name", "")
    errors: list[FieldError] = []
    if _OLD_ANNOTATION in tree["metadata"].get("annotations", {}):
        errors.append(forbidden_field("metadata.annotations", f"annotation '{_OLD_ANNOTATION}' is forbidden"))
    type_ = spec.get("type", "")
    if (name == EXEMPT) != (type_ == "Exempt"):
        errors.append(invalid("spec.type", type_, "type must be 'Exempt' if and only if name is 'exempt'"))
    errors += _validate_by_type(spec, type_)
    return errors + _validate_mandatory(spec, name) + validate_status(tree)


def _validate_by_type(spec: Tree, type_: str) -> list[FieldError]:
    exempt, limited = spec.get("exempt"), spec.get("limited")
    if type_ == "Exempt":
        errors = [] if limited is None else [forbidden_field("spec.limited", "must be nil if the type is not Limited")]
        return errors if exempt is None else errors + _validate_exempt(exempt, "spec.exempt")
    if type_ != "Limited":
        return [not_supported("spec.type", type_, _TYPES)]
    errors = [] if exempt is None else [forbidden_field("spec.exempt", "must be nil if the type is Limited")]
    if limited is None:
        return [*errors, required("spec.limited", "must not be empty when type is Limited")]
    return errors + _validate_limited(limited, "spec.limited")


def _validate_mandatory(spec: Tree, name: str) -> list[FieldError]:
    wanted = LEVELS.get(name)
    if wanted is None:
        return []
    if name != EXEMPT:
        return [] if spec == wanted else [invalid("spec", spec, f"spec of '{name}' must equal the fixed value")]
    if {**spec, "exempt": wanted["exempt"]} == wanted:
        return []
    return [invalid("spec", spec, f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value")]


def _validate_exempt(exempt: Tree, path: str) -> list[FieldError]:
    return _validate_shares(exempt, path) + _validate_lendable(exempt, path)


def _validate_shares(part: Tree, path: str) -> list[FieldError]:
    shares = part.get("nominalConcurrencyShares", 0)
    return [] if shares >= 0 else [invalid(f"{path}.nominalConcurrencyShares", shares, _NOT_NEGATIVE)]


def _validate_lendable(part: Tree, path: str) -> list[FieldError]:
    percent = part.get("lendablePercent", 0)
    return [invalid(f"{path}.lendablePercent", percent, why) for why in names.in_range(percent, 0, 100)]


def _validate_limited(limited: Tree, path: str) -> list[FieldError]:
    errors = _validate_shares(limited, path)
    errors += _validate_response(limited.get("limitResponse", {}), f"{path}.limitResponse")
    errors += _validate_lendable(limited, path)
    borrowing = limited.get("borrowingLimitPercent", 0)
    if borrowing < 0:
        errors.append(invalid(f"{path}.borrowingLimitPercent", borrowing, f"if specified, {_NOT_NEGATIVE}"))
    return errors


def _validate_response(response: Tree, path: str) -> list[FieldError]:
    type_, queuing = response.get("type", ""), response.get("queuing")
    if type_ not in _RESPONSES:
        return [not_supported(f"{path}.type", type_, _RESPONSES)]
    # "Limited" is upstream's slip for "Queue".
    if type_ == "Reject":
        why = "must be nil if limited.limitResponse.type is not Limited"
        return [] if queuing is None else [forbidden_field(f"{path}.queuing", why)]
    if queuing is None:
        return [required(f"{path}.queuing", "must not be empty if limited.limitResponse.type is Limited")]
    return _validate_queuing(queuing, f"{path}.queuing")


def _validate_queuing(queuing: Tree, path: str) -> list[FieldError]:
    length, queues, hand = queuing["queueLengthLimit"], queuing["queues"], queuing["handSize"]
    errors = [] if length > 0 else [invalid(f"{path}.queueLengthLimit", length, "must be positive")]
    if queues <= 0:
        errors.append(invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        errors.append(invalid(f"{path}.queues", queues, f"must not be greater than {_MOST_QUEUES}"))
    if why := _why_no_hand(hand, queues):
        errors.append(invalid(f"{path}.handSize", hand, why))
    return errors


def _why_no_hand(hand: int, queues: int) -> str:
    """Shuffle sharding deals a hand of queues to each flow from the 60 bits of its hash."""
    if hand <= 0:
        return "must be positive"
    if hand > queues:
        return f"should not be greater than queues ({queues})"
    if math.ceil(math.log2(queues) * hand) <= _HASH_BITS:
        return ""
    return f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"


def _limited(tree: Tree, field: str) -> Value:
    limited = tree.get("spec", {}).get("limited")
    return NONE if limited is None else limited.get(field, 0)


def _queuing(tree: Tree, field: str) -> Value:
    queuing = (tree.get("spec", {}).get("limited") or {}).get("limitResponse", {}).get("queuing")
    return NONE if queuing is None else queuing.get(field, 0)


RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    definition="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
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
        Column("Type", lambda tree, now: tree.get("spec", {}).get("type", "")),
        Column("NominalConcurrencyShares", lambda tree, now: _limited(tree, "nominalConcurrencyShares")),
        Column("Queues", lambda tree, now: _queuing(tree, "queues")),
        Column("HandSize", lambda tree, now: _queuing(tree, "handSize")),
        Column("QueueLengthLimit", lambda tree, now: _queuing(tree, "queueLengthLimit")),
        AGE,
    ),
    status=True,
)

"""CSIDriver."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.errors import FieldError, duplicate, invalid, not_supported
from sampan.api.groups.columns import AGE, NAME, NONE
from sampan.api.groups.validation.metadata import immutable
from sampan.api.resource import Column, Resource, Strategy, Tree

_DEFAULTS = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "volumeLifecycleModes": ("Persistent",),
    "requiresRepublish": False,
    "seLinuxMount": False,
}
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_MODES = ("Persistent", "Ephemeral")
_MIN_TOKEN_SECONDS, _MAX_TOKEN_SECONDS = 600, 1 << 32
_UPDATE_PERIOD = "nodeAllocatableUpdatePeriodSeconds"


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    for field, value in _DEFAULTS.items():
        if field not in spec:
            spec[field] = list(value) if isinstance(value, tuple) else value


def _prepare_create(new: Tree) -> None:
    # Renewing what a node can hold is an alpha feature: its field is dropped.
    new["spec"].pop(_UPDATE_PERIOD, None)


def _prepare_update(new: Tree, old: Tree) -> None:
    if _UPDATE_PERIOD not in old["spec"]:
        new["spec"].pop(_UPDATE_PERIOD, None)
    if new["spec"] != old["spec"]:
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _validate(tree: Tree) -> list[FieldError]:
    spec, path = tree["spec"], "spec"
    policy = spec["fsGroupPolicy"]
    errors: list[FieldError] = []
    if policy not in _GROUP_POLICIES:
        errors.append(not_supported(f"{path}.fsGroupPolicy", policy, _GROUP_POLICIES))
    errors += _validate_token_requests(spec.get("tokenRequests", ()), f"{path}.tokenRequests")
    where = f"{path}.volumeLifecycleModes"
    errors += [not_supported(where, mode, _MODES) for mode in spec["volumeLifecycleModes"] if mode not in _MODES]
    period = spec.get(_UPDATE_PERIOD)
    if period is not None and period < 10:
        errors.append(invalid(f"{path}.{_UPDATE_PERIOD}", period, "must be greater than or equal to 10 seconds"))
    return errors


def _validate_token_requests(requests: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, request in enumerate(requests):
        audience, seconds, where = request.get("audience", ""), request.get("expirationSeconds"), f"{path}[{index}]"
        if audience in seen:
            errors.append(duplicate(f"{where}.audience", audience))
            continue
        seen.add(audience)
        if seconds is None:
            continue
        if seconds < _MIN_TOKEN_SECONDS:
            why = "may not specify a duration less than 10 minutes"
            errors.append(invalid(f"{where}.expirationSeconds", seconds, why))
        if seconds > _MAX_TOKEN_SECONDS:
            why = "may not specify a duration larger than 2^32 seconds"
            errors.append(invalid(f"{where}.expirationSeconds", seconds, why))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    # So spelled upstream, which is what clients see.
    errors = immutable("spec.attachedRequired", spec["attachRequired"], before.get("attachRequired"))
    return errors + immutable(
        "spec.volumeLifecycleModes", spec["volumeLifecycleModes"], before.get("volumeLifecycleModes")
    )  # fmt: skip


def _tokens(tree: Tree, now: float) -> str:
    requests = tree["spec"].get("tokenRequests")
    return "<unset>" if requests is None else ",".join(request.get("audience", "") for request in requests)


def _modes(tree: Tree, now: float) -> str:
    return ",".join(tree["spec"].get("volumeLifecycleModes", ())) or NONE


def _flag(name: str, field: str, missing: bool = False) -> Column:
    return Column(name, lambda tree, now: tree["spec"].get(field, missing), "boolean")


RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    definition="io.k8s.api.storage.v1.CSIDriver",
    namespaced=False,
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        validate=_validate,
        validate_update=_validate_update,
        allow_unconditional_update=False,
    ),
    default=_default,
    columns=(
        NAME,
        _flag("AttachRequired", "attachRequired", missing=True),
        _flag("PodInfoOnMount", "podInfoOnMount"),
        _flag("StorageCapacity", "storageCapacity"),
        Column("TokenRequests", _tokens),
        _flag("RequiresRepublish", "requiresRepublish"),
        Column("Modes", _modes),
        AGE,
    ),
)

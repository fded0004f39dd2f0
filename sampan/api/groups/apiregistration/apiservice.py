"""APIService: who serves a version of a group, this server itself or a Service of the cluster."""

from __future__ import annotations

from base64 import b64decode

from sampan.api import names
from sampan.api.errors import FieldError, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.strategies import keep_all_but_status, keep_status
from sampan.api.resource import Column, Resource, Strategy, Tree

_PORT = 443
_LARGEST_GROUP_PRIORITY, _LARGEST_VERSION_PRIORITY = 20000, 1000
_STATUSES = ("True", "False", "Unknown")


def _default(tree: Tree) -> None:
    service = tree.get("spec", {}).get("service")
    if service is not None:
        service.setdefault("port", _PORT)


def _prepare_create(new: Tree) -> None:
    """What this server serves itself is there at once."""
    new.pop("status", None)
    if new.get("spec", {}).get("service") is None:
        new["status"] = {"conditions": [local_condition(new["metadata"].get("creationTimestamp", ""))]}


def local_condition(now: str) -> Tree:
    return {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "Local",
        "message": "Local APIServices are always available",
    }


def _validate(tree: Tree) -> list[FieldError]:
    spec, name = tree.get("spec", {}), tree["metadata"].get("name", "")
    group, version = spec.get("group", ""), spec.get("version", "")
    wanted = f"{version}.{group}"
    errors: list[FieldError] = []
    if name != wanted and not names.path_segment(name):
        errors.append(invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"'))
    if not group and version != "v1":
        errors.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    if group:
        errors += [invalid("spec.group", group, why) for why in names.dns_subdomain(group)]
    errors += [invalid("spec.version", version, why) for why in names.dns_label_1035(version)]
    errors += _validate_priority(spec, "groupPriorityMinimum", _LARGEST_GROUP_PRIORITY)
    errors += _validate_priority(spec, "versionPriority", _LARGEST_VERSION_PRIORITY)
    service = spec.get("service")
    return errors + (_validate_local(spec) if service is None else _validate_service(spec, service))


def _validate_priority(spec: Tree, field: str, largest: int) -> list[FieldError]:
    priority = spec.get(field, 0)
    if 0 < priority <= largest:
        return []
    return [invalid(f"spec.{field}", priority, f"must be positive and less than {largest}")]


def _validate_local(spec: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    if bundle := spec.get("caBundle"):
        shown = f"{len(b64decode(bundle))} bytes"
        errors.append(invalid("spec.caBundle", shown, "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        why = "local APIServices may not have insecureSkipTLSVerify"
        errors.append(invalid("spec.insecureSkipTLSVerify", True, why))
    return errors


def _validate_service(spec: Tree, service: Tree) -> list[FieldError]:
    errors = [required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
    port = service.get("port", 0)
    if problems := names.port_number(port):
        errors.append(invalid("spec.service.port", port, "port is not valid: " + ", ".join(problems)))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        errors.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return errors


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    conditions = enumerate(new.get("status", {}).get("conditions", ()))
    bad = ((i, c.get("status", "")) for i, c in conditions if c.get("status") not in _STATUSES)
    return [not_supported(f"status.conditions[{i}].status", status, _STATUSES) for i, status in bad]


def _service(tree: Tree, now: float) -> str:
    service = tree.get("spec", {}).get("service")
    return "Local" if service is None else f"{service.get('namespace', '')}/{service.get('name', '')}"


def _available(tree: Tree, now: float) -> str:
    for condition in tree.get("status", {}).get("conditions", ()):
        if condition.get("type") == "Available":
            status: str = condition.get("status", "")
            reason = condition.get("reason", "")
            return f"{status} ({reason})" if reason and status != "True" else status
    return "Unknown"


RESOURCE = Resource(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    definition="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
    categories=("api-extensions",),
    namespaced=False,
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=keep_status,
        prepare_status=keep_all_but_status,
        validate=_validate,
        validate_status=_validate_status,
        allow_unconditional_update=False,
    ),
    default=_default,
    columns=(NAME, Column("Service", _service), Column("Available", _available), AGE),
    status=True,
    name_is_valid=names.path_segment,
)

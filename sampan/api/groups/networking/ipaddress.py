"""IPAddress: that an address of the cluster's ranges is somebody's. Its name is the address."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, GoText, invalid, required
from sampan.api.groups.columns import NAME, NONE
from sampan.api.groups.networking.references import validate_segment
from sampan.api.groups.validation.metadata import IMMUTABLE
from sampan.api.groups.validation.ranges import strict_ip
from sampan.api.resource import Column, Resource, Strategy, Tree

FAMILY_LABEL = "ipaddress.kubernetes.io/ip-family"
MANAGER_LABEL = "ipaddress.kubernetes.io/managed-by"


def _name_is_valid(name: str, is_prefix: bool) -> list[str]:
    return strict_ip(name)


def _validate(tree: Tree) -> list[FieldError]:
    parent, path = tree.get("spec", {}).get("parentRef"), "spec.parentRef"
    if parent is None:
        return [required(path)]
    errors: list[FieldError] = []
    group, namespace = parent.get("group"), parent.get("namespace")
    if group:  # that of Services is ""
        errors += [invalid(f"{path}.group", group, why) for why in names.dns_subdomain(group)]
    errors += validate_segment(parent, "resource", path) + validate_segment(parent, "name", path)
    if namespace:
        errors += [invalid(f"{path}.namespace", namespace, why) for why in names.path_segment(namespace)]
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    parent = new.get("spec", {}).get("parentRef")
    if parent == old.get("spec", {}).get("parentRef"):
        return []
    fields = (("Group", "group"), ("Resource", "resource"), ("Namespace", "namespace"), ("Name", "name"))
    shown = ", ".join(f'{name}:"{(parent or {}).get(field, "")}"' for name, field in fields)
    return [invalid("spec.parentRef", GoText(f"networking.ParentReference{{{shown}}}"), IMMUTABLE)]


def _parent(tree: Tree, now: float) -> str:
    parent = tree.get("spec", {}).get("parentRef")
    if parent is None:
        return NONE
    group, resource = parent.get("group"), parent.get("resource", "")
    kind = f"{resource}.{group}" if group else resource
    namespace = f"/{parent['namespace']}" if parent.get("namespace") else ""
    return f"{kind.lower()}{namespace}/{parent.get('name', '')}"


RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    definition="io.k8s.api.networking.v1.IPAddress",
    short=("ip",),
    namespaced=False,
    strategy=Strategy(validate=_validate, validate_update=_validate_update),
    columns=(NAME, Column("ParentRef", _parent)),
    name_is_valid=_name_is_valid,
)

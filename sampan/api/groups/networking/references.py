"""References to objects of any kind, as Ingresses, IngressClasses and IPAddresses carry them."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, invalid, required
from sampan.api.resource import Tree


def validate_segment(tree: Tree, field: str, path: str, missing: str = "") -> list[FieldError]:
    """A required part that becomes a piece of a URL."""
    value = tree.get(field, "")
    if not value:
        return [required(f"{path}.{field}", missing)]
    return [invalid(f"{path}.{field}", value, why) for why in names.path_segment(value)]


def validate_reference(tree: Tree, path: str) -> list[FieldError]:
    """apiGroup, kind and name."""
    errors: list[FieldError] = []
    if tree.get("apiGroup") is not None:
        errors += [invalid(f"{path}.apiGroup", tree["apiGroup"], why) for why in names.dns_subdomain(tree["apiGroup"])]
    for field in ("kind", "name"):
        errors += validate_segment(tree, field, path, f"{field} is required")
    return errors

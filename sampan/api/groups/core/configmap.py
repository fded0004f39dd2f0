"""ConfigMap."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, too_long
from sampan.api.groups.columns import AGE, NAME
from sampan.api.resource import Column, Resource, Strategy, Tree

DATA_LIMIT_BYTES = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"


def encoded_size(text: str) -> int:
    """How many bytes a base64 text stands for."""
    return len(text) * 3 // 4 - text.count("=", -2) if text else 0


def validate_frozen(new: Tree, old: Tree, fields: tuple[str, ...]) -> list[FieldError]:
    """A ConfigMap or Secret that was declared immutable stays so, with all its data."""
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [forbidden_field("immutable", _FROZEN)]
    errors += [forbidden_field(field, _FROZEN) for field in fields if new.get(field, {}) != old.get(field, {})]
    return errors


def _validate(tree: Tree) -> list[FieldError]:
    data, binary = tree.get("data", {}), tree.get("binaryData", {})
    errors: list[FieldError] = []
    size = 0
    for key, value in data.items():
        errors += [invalid(f"data[{key}]", key, why) for why in names.config_map_key(key)]
        if key in binary:
            errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        size += len(value.encode())
    for key, value in binary.items():
        errors += [invalid(f"binaryData[{key}]", key, why) for why in names.config_map_key(key)]
        size += encoded_size(value)
    if size > DATA_LIMIT_BYTES:
        errors.append(too_long("[]", DATA_LIMIT_BYTES))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return validate_frozen(new, old, ("data", "binaryData"))


def _data(tree: Tree, now: float) -> int:
    return len(tree.get("data", ())) + len(tree.get("binaryData", ()))


RESOURCE = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    definition="io.k8s.api.core.v1.ConfigMap",
    short=("cm",),
    strategy=Strategy(validate=_validate, validate_update=_validate_update),
    columns=(NAME, Column("Data", _data), AGE),
)

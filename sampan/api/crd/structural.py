"""Whether a schema is structural: what it must say, and what may not stand under allOf, anyOf, oneOf and not.

After k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{validation,complete,convert}.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.crd.structure import Tree, Value
from sampan.api.errors import FieldError, forbidden_field, invalid, required
from sampan.api.patterns import PatternError, small_pattern

_EITHER: Final = [{"type": "integer"}, {"type": "string"}]
"""How int-or-string may be said in value validations."""
_UNSUPPORTED: Final = ("id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions")
_EMPTY_WHERE: Final = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_FORBIDDEN: Final[tuple[tuple[str, str], ...]] = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_MAY_BE_EMPTY: Final = frozenset(("x-kubernetes-list-type", "x-kubernetes-map-type", "default", "additionalProperties"))
"""Pointers in Go: that they are there is what counts."""


def unsupported(raw: Tree) -> str:
    """Why a schema cannot be read as a structural one at all; "" where it can."""
    for key in _UNSUPPORTED:
        if raw.get(key) or (key == "additionalItems" and raw.get(key) is not None):
            return f"OpenAPIV3Schema '{'schema' if key == '$schema' else key}' is not supported"
    if isinstance(raw.get("items"), list) and raw["items"]:
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    if raw.get("x-kubernetes-preserve-unknown-fields") is False:
        return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    return next((why for inner in inner_schemas(raw) if (why := unsupported(inner))), "")


def inner_schemas(raw: Tree) -> list[Tree]:
    """Every schema directly within a schema."""
    found: list[Value] = [raw.get("items"), raw.get("additionalProperties"), raw.get("additionalItems"), raw.get("not")]
    if isinstance(raw.get("items"), list):
        found += raw["items"]
    for key in ("allOf", "anyOf", "oneOf"):
        found += raw.get(key) or ()
    for key in ("properties", "patternProperties", "definitions", "dependencies"):
        found += (raw.get(key) or {}).values()
    return [inner for inner in found if isinstance(inner, dict)]


def validate_structural(raw: Tree, path: str) -> list[FieldError]:
    """In the order of the errors' words, as upstream's are."""
    return sorted(_validate(raw, "root", path) + _validate_parts(raw, raw, path, path), key=str)


def _validate(raw: Tree, level: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    items, additional = raw.get("items"), raw.get("additionalProperties")
    if raw.get("type") == "array" and not isinstance(items, dict):
        errors.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        errors += _validate(items, "item", f"{path}.items")
    for name, inner in (raw.get("properties") or {}).items():
        errors += _validate(inner, "field", f"{path}.properties[{name}]")
    if additional is not None:
        if level == "root":
            errors.append(forbidden_field(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(additional, dict):
            errors += _validate(additional, "field", f"{path}.additionalProperties")
    errors += _validate_int_or_string(raw, path)
    errors += _validate_values(raw, path, may_be_either=True)
    errors += _validate_type(raw, level, path)
    return errors + _validate_meta(raw, level, path)


def _validate_int_or_string(raw: Tree, path: str) -> list[FieldError]:
    if not raw.get("x-kubernetes-int-or-string"):
        return []
    keys = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
    why = "must be false if x-kubernetes-int-or-string is true"
    return [invalid(f"{path}.{key}", True, why) for key in keys if raw.get(key)]


def _validate_type(raw: Tree, level: str, path: str) -> list[FieldError]:
    type_, errors = raw.get("type") or "", []
    if raw.get("x-kubernetes-embedded-resource"):
        why = "must be object if x-kubernetes-embedded-resource is true"
        if type_ != "object":
            errors.append(invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why))
        if raw.get("additionalProperties") is not None:
            why = "must not be used if x-kubernetes-embedded-resource is set"
            errors.append(forbidden_field(f"{path}.additionalProperties", why))
        if not raw.get("x-kubernetes-preserve-unknown-fields") and not raw.get("properties"):
            why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            errors.append(required(f"{path}.properties", why))
    elif not type_ and not raw.get("x-kubernetes-int-or-string") and not raw.get("x-kubernetes-preserve-unknown-fields"):
        errors.append(required(f"{path}.type", _EMPTY_WHERE[level]))
    if level == "root" and type_ and type_ != "object":
        errors.append(invalid(f"{path}.type", type_, "must be object at the root"))
    return errors


def _validate_meta(raw: Tree, level: str, path: str) -> list[FieldError]:
    properties, errors = raw.get("properties") or {}, []
    is_object = level == "root" or bool(raw.get("x-kubernetes-embedded-resource"))
    for name, type_ in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        if is_object and name in properties and properties[name].get("type") != type_:
            said = properties[name].get("type") or ""
            errors.append(invalid(f"{path}.properties[{name}].type", said, f"must be {type_}"))
    if level == "root" and "metadata" in properties and _says_too_much(properties["metadata"]):
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        errors.append(forbidden_field(f"{path}.properties[metadata]", why))
    return errors


def _says_too_much(metadata: Tree) -> bool:
    names = (metadata.get("properties") or {}).keys()
    left = {key: value for key, value in metadata.items() if key not in ("type", "default", "example", "externalDocs")}
    if names <= {"name", "generateName"}:
        left.pop("properties", None)
    return any(value or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in left.values())


def _validate_values(raw: Tree, path: str, *, may_be_either: bool = False, first_may_be: bool = False) -> list[FieldError]:
    """The value validations of a node. `may_be_either`: anyOf, here or in the first of allOf, may say int-or-string."""
    errors: list[FieldError] = []
    if not ((may_be_either or first_may_be) and raw.get("anyOf") == _EITHER):
        for index, part in enumerate(raw.get("anyOf") or ()):
            errors += _validate_nested(part, f"{path}.anyOf[{index}]")
    for index, part in enumerate(raw.get("allOf") or ()):
        excused = may_be_either and index == 0
        errors += _validate_nested(part, f"{path}.allOf[{index}]", first_may_be=excused)
    for index, part in enumerate(raw.get("oneOf") or ()):
        errors += _validate_nested(part, f"{path}.oneOf[{index}]")
    if isinstance(raw.get("not"), dict):
        errors += _validate_nested(raw["not"], f"{path}.not")
    if pattern := raw.get("pattern"):
        try:
            small_pattern(pattern)
        except PatternError as error:
            why = f"must be a valid regular expression, but isn't: {error}"
            errors.append(invalid(f"{path}.pattern", pattern, why))
    return errors


def _validate_nested(raw: Tree, path: str, *, first_may_be: bool = False) -> list[FieldError]:
    errors = _validate_values(raw, path, first_may_be=first_may_be)
    if isinstance(raw.get("items"), dict):
        errors += _validate_nested(raw["items"], f"{path}.items")
    for name, inner in (raw.get("properties") or {}).items():
        errors += _validate_nested(inner, f"{path}.properties[{name}]")
    for key, why in _FORBIDDEN:
        value = raw.get(key)
        unsaid = value is None or (key == "additionalProperties" and value is False)
        if value or (key in _MAY_BE_EMPTY and not unsaid):
            errors.append(forbidden_field(f"{path}.{key}", why))
    if "metadata" in (raw.get("properties") or {}):
        errors.append(forbidden_field(f"{path}.properties[metadata]", "must not be specified in a nested context"))
    return errors


def _validate_parts(raw: Tree, spine: Tree | None, spine_path: str, path: str) -> list[FieldError]:
    """Whatever value validations speak of must be specified outside of them."""
    errors: list[FieldError] = []
    parts = [(raw["not"], f"{path}.not")] if isinstance(raw.get("not"), dict) else []
    for key in ("allOf", "anyOf", "oneOf"):
        parts += [(part, f"{path}.{key}[{index}]") for index, part in enumerate(raw.get(key) or ())]
    for part, part_path in parts:
        errors += _validate_part(part, spine, spine_path, part_path)
    return errors


def _validate_part(raw: Tree, spine: Tree | None, spine_path: str, path: str) -> list[FieldError]:
    if spine is None:
        return [required(spine_path, f"because it is defined in {path}")]
    errors = _validate_parts(raw, spine, spine_path, path)
    if isinstance(raw.get("items"), dict):
        items = spine.get("items")
        inner = items if isinstance(items, dict) else None
        errors += _validate_part(raw["items"], inner, f"{spine_path}.items", f"{path}.items")
    specified = spine.get("properties") or {}
    for name, part in (raw.get("properties") or {}).items():
        place, part_path = f"{spine_path}.properties[{name}]", f"{path}.properties[{name}]"
        errors += _validate_part(part, specified.get(name), place, part_path)
    return errors

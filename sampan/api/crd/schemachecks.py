"""What a schema in a CustomResourceDefinition may say, keyword by keyword.

After ValidateCustomResourceDefinitionOpenAPISchema in k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from sampan.api.crd.fieldpaths import FieldPathError, find_field
from sampan.api.crd.rulechecks import RuleContext
from sampan.api.crd.structural import unsupported
from sampan.api.crd.structure import META_FIELDS, Structure, Tree
from sampan.api.errors import FieldError, duplicate, forbidden_field, invalid, not_supported, required, too_many
from sampan.api.gotext import shown
from sampan.api.repeats import repeats

TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_newlines = re.compile(r"[\n\r]").search


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What is asked of the schemas of a definition; an update asks no more of them than the old definition gave."""

    valid_types: bool = True
    atomic_sets: bool = True
    map_keys: bool = True


@dataclass(frozen=True, slots=True)
class _Context:
    demands: Demands
    allows_defaults: bool = True
    defaults_forbidden: str = ""
    """Why, for the message."""
    inside_meta: bool = False
    uncorrelatable: str = ""
    """The outermost place around this one whose old value cannot be told."""

    def forbidding_defaults(self, why: str) -> _Context:
        return replace(self, allows_defaults=False, defaults_forbidden=why)

    def without_old_self(self, path: str) -> _Context:
        return self if self.uncorrelatable else replace(self, uncorrelatable=path)


def check_schema(raw: Tree, path: str, demands: Demands, rules: RuleContext | None) -> list[FieldError]:
    """Errors of the schema of a version. `rules`: what judges the rules in CEL; None: nothing does, as long as the schema is
    not structural."""
    schema_errors, rule_errors = _check(raw, path, _Context(demands), True, rules)
    return schema_errors + rule_errors


_Errors = tuple[list[FieldError], list[FieldError]]
"""Those of the schema and those of its rules."""


def _check(raw: Tree, path: str, context: _Context, is_root: bool, rules: RuleContext | None) -> _Errors:
    errors = _check_supported(raw, path, context)
    rule_errors: list[FieldError] = []
    if raw.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden_field(f"{path}.uniqueItems", why))
    if raw.get("additionalProperties") is not None and raw.get("properties") and raw["additionalProperties"] is not True:
        why = "additionalProperties and properties are mutual exclusive"
        errors.append(forbidden_field(f"{path}.additionalProperties", why))
    for inner, place, below, inner_rules in _inner(raw, path, context, is_root, rules):
        found = _check(inner, place, below, False, inner_rules)
        errors += found[0]
        rule_errors += found[1]
    errors += _check_extensions(raw, path, context.demands)
    for index, rule in enumerate(raw.get("x-kubernetes-validations") or ()):
        errors += _check_rule(raw, rule, f"{path}.x-kubernetes-validations[{index}]")
    if raw.get("x-kubernetes-validations") and not errors and rules is not None:
        rule_errors += rules.check(raw, path, context.uncorrelatable)
    return errors, rule_errors


def _inner(
    raw: Tree, path: str, context: _Context, is_root: bool, rules: RuleContext | None
) -> Iterator[tuple[Tree, str, _Context, RuleContext | None]]:
    """The schemas within a schema, where they stand, and what is asked of them."""
    additional = raw.get("additionalProperties")
    if isinstance(additional, dict):
        below = context
        if context.inside_meta:
            below = context.forbidding_defaults("inside additionalProperties applying to object metadata")
        yield additional, f"{path}.additionalProperties", below, rules.child(raw, additional) if rules else None
    for name, inner in sorted((raw.get("properties") or {}).items()):
        below = context
        if raw.get("x-kubernetes-map-type") not in (None, "granular", "atomic"):
            below = below.without_old_self(path)
        if (is_root or raw.get("x-kubernetes-embedded-resource")) and name in META_FIELDS:
            below = replace(below, inside_meta=True)
            if is_root:
                below = below.forbidding_defaults(f"in top-level {name}")
        yield inner, f"{path}.properties[{name}]", below, rules.child(raw, inner, name) if rules else None
    if isinstance(raw.get("not"), dict):
        yield raw["not"], f"{path}.not", context, None
    for key in ("allOf", "oneOf", "anyOf"):
        for index, inner in enumerate(raw.get(key) or ()):
            yield inner, f"{path}.{key}[{index}]", context, None
    for name, inner in sorted((raw.get("definitions") or {}).items()):
        yield inner, f"{path}.definitions[{name}]", context, None
    items = raw.get("items")
    below = context if raw.get("x-kubernetes-list-type") == "map" else context.without_old_self(path)
    if isinstance(items, dict):
        yield items, f"{path}.items", below, rules.child(raw, items) if rules else None
    elif isinstance(items, list):
        for index, inner in enumerate(items):
            yield inner, f"{path}.items[{index}]", below, None


def _check_supported(raw: Tree, path: str, context: _Context) -> list[FieldError]:
    errors: list[FieldError] = []
    type_ = raw.get("type") or ""
    if context.demands.valid_types and type_ and type_ not in TYPES:
        errors.append(not_supported(f"{path}.type", type_, TYPES))
    if raw.get("default") is not None and not context.allows_defaults:
        why = f"must not be set {context.defaults_forbidden}".rstrip()
        errors.append(forbidden_field(f"{path}.default", why))
    for key in ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"):
        value = raw.get(key)
        if value or (key in ("additionalItems", "dependencies", "$ref") and value is not None):
            errors.append(forbidden_field(f"{path}.{key}", f"{key} is not supported"))
    if type_ == "null":
        errors.append(forbidden_field(f"{path}.type", "type cannot be set to null, use nullable as an alternative"))
    if isinstance(raw.get("items"), list) and raw["items"]:
        errors.append(forbidden_field(f"{path}.items", "items must be a schema object and not an array"))
    if context.inside_meta and raw.get("x-kubernetes-embedded-resource"):
        errors.append(forbidden_field(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta"))
    return errors


def _check_extensions(raw: Tree, path: str, demands: Demands) -> list[FieldError]:
    errors: list[FieldError] = []
    if raw.get("x-kubernetes-preserve-unknown-fields") is False:
        errors.append(invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"))
    map_type, list_type = raw.get("x-kubernetes-map-type"), raw.get("x-kubernetes-list-type")
    if map_type is not None:
        errors += _check_type(raw, path, "object", "x-kubernetes-map-type")
        if map_type not in ("atomic", "granular"):
            errors.append(not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
    if list_type is not None:
        errors += _check_type(raw, path, "array", "x-kubernetes-list-type")
        if raw.get("type") == "array" and demands.atomic_sets:
            errors += check_atomic_set(raw, path)
        if list_type not in ("atomic", "set", "map"):
            errors.append(not_supported(f"{path}.x-kubernetes-list-type", list_type, ("atomic", "set", "map")))
    errors += _check_list_map(raw, path)
    return errors + (check_map_keys(raw, path) if demands.map_keys else [])


def _check_type(raw: Tree, path: str, type_: str, key: str) -> list[FieldError]:
    said, why = raw.get("type") or "", f"must be {type_} if {key} is specified"
    if said == type_:
        return []
    return [invalid(f"{path}.type", said, why) if said else required(f"{path}.type", why)]


def check_atomic_set(raw: Tree, path: str) -> list[FieldError]:
    """The items of a set are compared as a whole, and so must be merged as a whole."""
    items = raw.get("items")
    if raw.get("x-kubernetes-list-type") != "set" or not isinstance(items, dict):
        return []
    why = "must be atomic as item of a list with x-kubernetes-list-type=set"
    said = shown(items.get("x-kubernetes-list-type"))
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        return [invalid(f"{path}.items.x-kubernetes-list-type", said, why)]
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        return [invalid(f"{path}.items.x-kubernetes-map-type", said, why)]
    return []


def _check_list_map(raw: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    list_type, keys = raw.get("x-kubernetes-list-type"), raw.get("x-kubernetes-list-map-keys") or []
    place = f"{path}.x-kubernetes-list-type"
    if keys and list_type != "map":
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        errors.append(required(place, why) if list_type is None else invalid(place, list_type, why))
    if list_type != "map":
        return errors
    if not keys:
        why = "must not be empty if x-kubernetes-list-type is map"
        errors.append(required(f"{path}.x-kubernetes-list-map-keys", why))
    items = raw.get("items")
    if items is None:
        errors.append(required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map"))
    elif not isinstance(items, dict):
        why = "must only have a single schema if x-kubernetes-list-type is map"
        errors.append(invalid(f"{path}.items", shown(items), why))
    elif items.get("type") != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        errors.append(invalid(f"{path}.items.type", items.get("type") or "", why))
    else:
        errors += _check_keys(items, keys, path)
    return errors


def _check_keys(items: Tree, keys: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    place, properties = f"{path}.x-kubernetes-list-map-keys", items.get("properties") or {}
    # Each tells all the keys: made once, however many of them are wrong.
    unnamed = invalid(place, keys, "entries must all be names of item properties")
    twice = invalid(place, keys, "must not contain duplicate entries")
    again = {index for index, _ in repeats(keys)}
    for index, key in enumerate(keys):
        if key not in properties:
            errors.append(unnamed)
        elif properties[key].get("type") in ("array", "object"):
            why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(invalid(f"{path}.items.properties[{key}].type", items["type"], why))
        if index in again:
            errors.append(twice)
    return errors


def check_map_keys(raw: Tree, path: str) -> list[FieldError]:
    """Items of sets and maps, and the keys of the latter, must be there."""
    items, list_type = raw.get("items"), raw.get("x-kubernetes-list-type")
    if not isinstance(items, dict) or list_type not in ("set", "map"):
        return []
    errors: list[FieldError] = []
    if items.get("nullable"):
        why = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        errors.append(forbidden_field(f"{path}.items.nullable", why))
    for key in raw.get("x-kubernetes-list-map-keys") or () if list_type == "map" else ():
        place = (items.get("properties") or {}).get(key)
        if place is None:
            continue
        why = "this property is in x-kubernetes-list-map-keys, so it "
        if key not in (items.get("required") or ()) and place.get("default") is None:
            what = f"{why}must have a default or be a required property"
            errors.append(required(f"{path}.items.properties[{key}].default", what))
        if place.get("nullable"):
            errors.append(forbidden_field(f"{path}.items.properties[{key}].nullable", f"{why}cannot be nullable"))
    return errors


def _check_rule(raw: Tree, rule: Tree, path: str) -> list[FieldError]:
    """A rule's own form; what it says is compiled elsewhere."""
    errors: list[FieldError] = []
    text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    if not text:
        errors.append(required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        errors.append(invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif _newlines(message.strip()):
        errors.append(invalid(f"{path}.message", message, "message must not contain line breaks"))
    elif _newlines(text) and not message.strip():
        errors.append(required(f"{path}.message", "message must be specified if rule contains line breaks"))
    expression, reason, field = rule.get("messageExpression") or "", rule.get("reason"), rule.get("fieldPath") or ""
    if expression and not expression.strip():
        errors.append(required(f"{path}.messageExpression", "messageExpression must be non-empty if specified"))
    if reason is not None and reason not in _REASONS:
        errors.append(not_supported(f"{path}.reason", reason, _REASONS))
    if field:
        errors += _check_field_path(raw, field, f"{path}.fieldPath")
    return errors


def _check_field_path(raw: Tree, field: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not field.strip():
        errors.append(invalid(path, field, "fieldPath must be non-empty if specified"))
    if _newlines(field):
        errors.append(invalid(path, field, "fieldPath must not contain line breaks"))
    if not unsupported(raw):
        try:
            find_field(field, Structure(raw))
        except FieldPathError:
            errors.append(invalid(path, field, "fieldPath must be a valid path"))
    return errors


def check_selectable(fields: list[Tree], raw: Tree, path: str, limit: int = 8) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    structure = Structure(raw)
    for index, field in enumerate(fields):
        place, text = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not text:
            errors.append(required(place))
            continue
        try:
            found = find_field(text, structure, arrays=False)
        except FieldPathError as error:
            errors.append(invalid(place, text, f"is an invalid path: {error}"))
            continue
        if found.root == "metadata":
            errors.append(invalid(place, text, "must not point to fields in metadata"))
        if found.structure.type not in ("string", "boolean", "integer"):
            why = "must point to a field of type string, boolean or integer. "
            why += "Enum string fields and strings with formats are allowed."
            errors.append(invalid(place, text, why))
        if found.path in seen:
            errors.append(duplicate(place, text))
        seen.add(found.path)
    if len(seen) > limit:
        errors.append(too_many(path, len(seen), limit))
    return errors

"""What a version of a definition says besides its name: its schema as a whole, its subresources, columns, selectable fields.

After k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from sampan.api.crd.defaultchecks import validate_defaults
from sampan.api.crd.expressions import Known
from sampan.api.crd.rulechecks import RuleContext
from sampan.api.crd.schemachecks import Demands, check_schema, check_selectable
from sampan.api.crd.structural import unsupported, validate_structural
from sampan.api.crd.structure import Tree
from sampan.api.errors import FieldError, GoText, forbidden_field, invalid, required

_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_AT_ROOT: Final[dict[str, str]] = {
    "description": "Description",
    "type": "Type",
    "format": "Format",
    "title": "Title",
    "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum",
    "minimum": "Minimum",
    "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength",
    "minLength": "MinLength",
    "pattern": "Pattern",
    "maxItems": "MaxItems",
    "minItems": "MinItems",
    "uniqueItems": "UniqueItems",
    "multipleOf": "MultipleOf",
    "required": "Required",
    "items": "Items",
    "properties": "Properties",
    "externalDocs": "ExternalDocs",
    "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}
"""What the root of a schema may say beside a status, whose schema must mean the same when it is taken out alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaDemands:
    """What is asked of schemas."""

    keywords: Demands = field(default_factory=Demands)
    structural: bool = True
    pruned_defaults: bool = True
    cheap_except: frozenset[str] = frozenset()
    """Versions whose rules may cost what they cost, for they did so before."""
    cheap_rules: bool = True
    known: Known = field(default_factory=Known)

    def structurally(self) -> SchemaDemands:
        return replace(self, structural=True)

    def for_version(self, name: str) -> SchemaDemands:
        return replace(self, cheap_rules=name not in self.cheap_except)


def validate_schema(holder: Tree | None, path: str, has_status: bool, demands: SchemaDemands) -> list[FieldError]:
    """Of {"openAPIV3Schema": …}."""
    raw: Tree | None = (holder or {}).get("openAPIV3Schema")
    if raw is None:
        return []
    path = f"{path}.openAPIV3Schema"
    errors = _validate_root(raw, path) if has_status else []
    if raw.get("nullable"):
        errors.append(forbidden_field(f"{path}.nullable", "nullable cannot be true at the root"))
    rules, unreadable = None, ""
    if demands.structural:
        unreadable = unsupported(raw)
        problems = [] if unreadable else validate_structural(raw, path)
        if not unreadable and not problems:
            problems = validate_defaults(raw, path, pruned=demands.pruned_defaults)
        errors += problems
        if not unreadable and not problems:
            rules = RuleContext.root(raw, cheap=demands.cheap_rules, known=demands.known)
    errors += check_schema(raw, path, demands.keywords, rules)
    if unreadable and not errors:
        errors.append(invalid(path, "", unreadable))
    return errors + (rules.total.errors(path) if rules else [])


def _validate_root(raw: Tree, path: str) -> list[FieldError]:
    for key, value in raw.items():
        if not value and not isinstance(value, (int, float)):
            continue
        if key == "type" and value != "object":
            why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
            return [invalid(f"{path}.type", value, why)]
        if key not in _AT_ROOT and value is not False:
            allowed = "[" + " ".join(_AT_ROOT.values()) + "]"
            why = f"only {allowed} fields are allowed at the root of the schema if the status subresource is enabled"
            return [invalid(path, GoText("apiextensions.JSONSchemaProps{}"), why)]
    return []


def validate_parts(holder: Tree, schema: Tree | None, path: str) -> list[FieldError]:
    """Subresources, columns and selectable fields of a version, or of all."""
    errors = _validate_subresources(holder.get("subresources") or {}, f"{path}.subresources")
    for index, column in enumerate(holder.get("additionalPrinterColumns") or ()):
        errors += _validate_column(column, f"{path}.additionalPrinterColumns[{index}]")
    fields = holder.get("selectableFields") or []
    if fields:
        errors += _validate_selectable(fields, (schema or {}).get("openAPIV3Schema"), path)
    return errors


def _validate_selectable(fields: list[Tree], raw: Tree | None, path: str) -> list[FieldError]:
    place = f"{path}.selectableFields"
    if raw is None:
        at_top = "selectableFields may only be set when validations.schema is included"
        in_version = "selectableFields may only be set when version.schema.openAPIV3Schema is not included"
        return [invalid(place, "", at_top if path == "spec" else in_version)]
    if why := unsupported(raw):
        return [invalid(f"{path}.schema.openAPIV3Schema", "", why)]
    return check_selectable(fields, raw, place)


def _validate_column(column: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    type_, format_, json_path = column.get("type", ""), column.get("format", ""), column.get("jsonPath", "")
    if not column.get("name"):
        errors.append(required(f"{path}.name"))
    if type_ not in _COLUMN_TYPES:
        why = "must be one of " + ",".join(_COLUMN_TYPES)
        errors.append(invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why))
    if format_ and format_ not in _COLUMN_FORMATS:
        errors.append(invalid(f"{path}.format", format_, "must be one of " + ",".join(_COLUMN_FORMATS)))
    if not json_path:
        errors.append(required(f"{path}.JSONPath"))
    return errors + _validate_path(json_path, f"{path}.JSONPath")


def _validate_path(text: str, path: str) -> list[FieldError]:
    if not text or text.startswith("."):
        return []
    return [invalid(path, text, "must be a simple json path starting with .")]


def _validate_subresources(subresources: Tree, path: str) -> list[FieldError]:
    scale = subresources.get("scale")
    if scale is None:
        return []
    errors: list[FieldError] = []
    for key, parent in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        text = scale.get(key, "")
        if not text:
            errors.append(required(f"{path}.scale.{key}"))
        elif bad := _validate_path(text, f"{path}.scale.{key}"):
            errors += bad
        elif not text.startswith(f"{parent}."):
            errors.append(invalid(f"{path}.scale.{key}", text, f"should be a json path under {parent}"))
    selector, place = scale.get("labelSelectorPath", ""), f"{path}.scale.labelSelectorPath"
    if bad := _validate_path(selector, place):
        errors += bad
    elif selector and not selector.startswith((".spec.", ".status.")):
        errors.append(invalid(place, selector, "should be a json path under either .spec or .status"))
    return errors

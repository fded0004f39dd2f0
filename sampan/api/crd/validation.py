"""Validation of CustomResourceDefinitions.

After k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go. What an old definition got away with, its
update may keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sampan.api import names
from sampan.api.crd import definition
from sampan.api.crd.approval import validate_approval
from sampan.api.crd.conversion import has_known_review_version, is_ca_bundle, validate_conversion
from sampan.api.crd.defaultchecks import has_defaults, prune_defaults
from sampan.api.crd.expressions import Known
from sampan.api.crd.internal import by_version, go_versions, internal_spec
from sampan.api.crd.namechecks import validate_names, validate_required_names
from sampan.api.crd.schemachecks import TYPES, Demands, check_atomic_set, check_map_keys
from sampan.api.crd.structural import inner_schemas, unsupported, validate_structural
from sampan.api.crd.structure import Tree
from sampan.api.crd.versionchecks import SchemaDemands, validate_parts, validate_schema
from sampan.api.errors import FieldError, invalid, not_supported, required
from sampan.api.groups.validation.metadata import immutable

_SCOPES: Final = ("Cluster", "Namespaced")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    schemas: SchemaDemands = field(default_factory=SchemaDemands)
    schema_required: bool = True
    review_version_required: bool = True
    names_fixed: bool = False
    any_ca_bundle: bool = True
    """Whether a bundle need not be one: until a definition is established, and as long as it has a bad one."""


def validate_definition(crd: Tree) -> list[FieldError]:
    """Errors of a new definition, with defaults and status."""
    errors = _validate_name(crd)
    errors += _validate_spec(crd, _Options())
    errors += _validate_status(crd) + validate_stored_versions(crd) + validate_approval(crd, None)
    return errors + _validate_preserving(crd)


def validate_definition_update(crd: Tree, old: Tree) -> list[FieldError]:
    """Errors of a definition that replaces `old`."""
    options = _options_of(crd, old)
    errors = _validate_spec(crd, options)
    spec, before = crd["spec"], old["spec"]
    if options.names_fixed:
        errors += immutable("spec.scope", spec.get("scope", ""), before.get("scope", ""))
        errors += immutable("spec.names.kind", spec["names"].get("kind", ""), before["names"].get("kind", ""))
    errors += immutable("spec.group", spec.get("group", ""), before.get("group", ""))
    errors += immutable("spec.names.plural", spec["names"].get("plural", ""), before["names"].get("plural", ""))
    errors += _validate_status(crd) + validate_stored_versions(crd) + validate_approval(crd, old)
    return errors if before.get("preserveUnknownFields") else errors + _validate_preserving(crd)


def validate_definition_status(crd: Tree, old: Tree) -> list[FieldError]:
    return _validate_status(crd)


def _validate_name(crd: Tree) -> list[FieldError]:
    spec, meta = crd["spec"], crd["metadata"]
    wanted = f"{spec['names'].get('plural', '')}.{spec.get('group', '')}"
    given = ((field, meta.get(field)) for field in ("generateName", "name"))
    why = 'must be spec.names.plural+"."+spec.group'
    return [invalid(f"metadata.{field}", name, why) for field, name in given if name and name != wanted]


def _validate_status(crd: Tree) -> list[FieldError]:
    return validate_names(crd.get("status", {}).get("acceptedNames") or {}, "status.acceptedNames")


def _validate_preserving(crd: Tree) -> list[FieldError]:
    if not crd["spec"].get("preserveUnknownFields"):
        return []
    why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    return [invalid("spec.preserveUnknownFields", True, why)]


def validate_stored_versions(crd: Tree) -> list[FieldError]:
    path, stored = "status.storedVersions", crd.get("status", {}).get("storedVersions") or []
    if not stored:
        return [invalid(path, stored, "must have at least one stored version")]
    errors: list[FieldError] = []
    known = {version.get("name"): version for version in definition.versions(crd)}
    for name, version in known.items():
        if version.get("storage") and name not in stored:
            errors.append(invalid(path, stored, f"must have the storage version {name}"))
    for index, name in enumerate(stored):
        if name not in known:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until "
                f"a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            )
            errors.append(invalid(f"{path}[{index}]", name, why))
    return errors


def _schemas(spec: Tree) -> Iterator[Tree]:
    """Those of an internal spec."""
    for holder in (spec.get("validation"), *(version.get("schema") for version in spec["versions"])):
        if holder is not None and holder.get("openAPIV3Schema") is not None:
            yield holder["openAPIV3Schema"]


def any_schema(raw: Tree, holds: Callable[[Tree], bool]) -> bool:
    """Whether something holds of a schema or of any within it."""
    return holds(raw) or any(any_schema(inner, holds) for inner in inner_schemas(raw))


def known_expressions(schemas: Iterable[Tree]) -> Known:
    rules: set[str] = set()
    messages: set[str] = set()

    def note(raw: Tree) -> bool:
        for rule in raw.get("x-kubernetes-validations") or ():
            rules.add(rule.get("rule", ""))
            messages.add(rule.get("messageExpression", ""))
        return False

    for raw in schemas:
        any_schema(raw, note)
    return Known(frozenset(rules), frozenset(messages))


def _has_extensions(raw: Tree) -> bool:
    return any(
        raw.get(f"x-kubernetes-{name}") for name in ("embedded-resource", "int-or-string", "list-map-keys", "validations")
    ) or any(raw.get(f"x-kubernetes-{name}") is not None for name in ("preserve-unknown-fields", "list-type"))


def _is_structural(raw: Tree) -> bool:
    return not unsupported(raw) and not validate_structural(raw, "")


def _options_of(crd: Tree, old: Tree) -> _Options:
    spec, before = internal_spec(crd["spec"]), internal_spec(old["spec"])
    schemas = list(_schemas(before))
    conversion = before.get("conversion") or {}
    established = definition.is_true(old, "Established")
    bundle = (conversion.get("webhookClientConfig") or {}).get("caBundle")
    kept = Demands(
        valid_types=not any(any_schema(raw, lambda s: bool(s.get("type")) and s["type"] not in TYPES) for raw in schemas),
        atomic_sets=not any(any_schema(raw, lambda s: bool(check_atomic_set(s, ""))) for raw in schemas),
        map_keys=not any(any_schema(raw, lambda s: bool(check_map_keys(s, ""))) for raw in schemas),
    )
    schema, schema_before = by_version(spec, "schema"), by_version(before, "schema")
    names_ = {version.get("name", "") for version in spec["versions"]}
    unchanged = {name for name in names_ if schema(name) == schema_before(name)}
    return _Options(
        schemas=SchemaDemands(
            keywords=kept,
            structural=all(map(_is_structural, schemas)),
            pruned_defaults=all(prune_defaults(raw) == raw for raw in schemas if _is_structural(raw)),
            cheap_except=frozenset(unchanged),
            known=known_expressions(schemas),
        ),
        schema_required="validation" in before or all(version.get("schema") for version in before["versions"]),
        review_version_required=has_known_review_version(conversion.get("conversionReviewVersions") or []),
        names_fixed=established,
        any_ca_bundle=not established or bool(bundle and not is_ca_bundle(bundle)),
    )


def _validate_spec(crd: Tree, options: _Options) -> list[FieldError]:
    spec = internal_spec(crd["spec"])
    errors = _validate_group(spec) + _validate_scope(spec)
    schemas, preserves = list(_schemas(spec)), bool(spec.get("preserveUnknownFields"))
    errors += _validate_presence(spec, options, preserves)
    demands = options.schemas
    defaults = any(map(has_defaults, schemas))
    if not preserves or defaults or any(any_schema(raw, _has_extensions) for raw in schemas):
        demands = demands.structurally()
    if defaults and preserves:
        errors.append(invalid("spec.preserveUnknownFields", True, "must be false in order to use defaults in the schema"))
    errors += _validate_versions(spec, demands)
    errors += validate_required_names(spec["names"], "spec.names") + validate_names(spec["names"], "spec.names")
    statuses = any("status" in (holder.get("subresources") or {}) for holder in (spec, *spec["versions"]))
    errors += validate_schema(spec.get("validation"), "spec.validation", statuses, demands.for_version(spec.get("version", "")))
    errors += validate_parts(spec, spec.get("validation"), "spec")
    conversion = spec.get("conversion")
    if conversion is not None:
        if conversion["strategy"] != "None" and preserves:
            why = "must be None if spec.preserveUnknownFields is true"
            errors.append(invalid("spec.conversion.strategy", conversion["strategy"], why))
        errors += validate_conversion(conversion, "spec.conversion", options.review_version_required, options.any_ca_bundle)
    return errors


def _validate_group(spec: Tree) -> list[FieldError]:
    group = spec.get("group", "")
    if not group:
        return [required("spec.group")]
    if problems := names.dns_subdomain(group):
        return [invalid("spec.group", group, ",".join(problems))]
    return [] if "." in group else [invalid("spec.group", group, "should be a domain with at least one dot")]


def _validate_scope(spec: Tree) -> list[FieldError]:
    scope = spec.get("scope", "")
    if not scope:
        return [required("spec.scope")]
    return [] if scope in _SCOPES else [not_supported("spec.scope", scope, _SCOPES)]


def _validate_presence(spec: Tree, options: _Options, preserves: bool) -> list[FieldError]:
    """A version needs a schema: without one all its fields would be taken out."""
    if (spec.get("validation") or {}).get("openAPIV3Schema") is not None or (preserves and not options.schema_required):
        return []
    errors: list[FieldError] = []
    for index, version in enumerate(spec["versions"]):
        if (version.get("schema") or {}).get("openAPIV3Schema") is not None:
            continue
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        if options.schema_required:
            errors.append(required(path, "schemas are required"))
        elif version.get("served"):
            errors.append(required(path, "because otherwise all fields are pruned"))
    return errors


def _validate_versions(spec: Tree, demands: SchemaDemands) -> list[FieldError]:
    errors: list[FieldError] = []
    versions: list[Tree] = spec["versions"]
    subresources = by_version(spec, "subresources")
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name", "")
        if problems := names.dns_label_1035(name):
            errors.append(invalid(f"{path}.name", name, ",".join(problems)))
        errors += [invalid(f"{path}.deprecationWarning", version["deprecationWarning"], why) for why in _bad_warning(version)]
        status = "status" in (subresources(name) or {})
        errors += validate_schema(version.get("schema"), f"{path}.schema", status, demands.for_version(name))
        errors += validate_parts(version, version.get("schema"), path)
    if len({version.get("name") for version in versions}) != len(versions):
        errors.append(invalid("spec.versions", go_versions(versions), "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        errors.append(invalid("spec.versions", go_versions(versions), why))
    if name := spec.get("version", ""):
        errors += [invalid("spec.version", name, ",".join(problems))] if (problems := names.dns_label_1035(name)) else []
    return errors


def _bad_warning(version: Tree) -> list[str]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    if not version.get("deprecated"):
        return ["can only be set for deprecated versions"]
    problems = ["must be <= 256 characters long"] if len(warning.encode()) > 256 else []
    if not warning:
        problems.append("must not be an empty string")
    for index, character in enumerate(warning):
        if not character.isprintable():
            at = len(warning[:index].encode())
            found = "non-printable character found"
            problems.append(f"must only contain printable UTF-8 characters; {found} at index {at}")
            break
    return problems

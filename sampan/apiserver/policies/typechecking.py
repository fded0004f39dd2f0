"""What of a policy's expressions cannot be right for the kinds it matches: fields they do not have, types that do not agree.

It is told in the policy's status and changes nothing, for expressions run on whatever objects there are. After
k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from sampan.api.cel import CelType, cel_type_of, types
from sampan.api.cel.escaping import escape
from sampan.api.crd import definition
from sampan.api.groups.admissionregistration.expressions import OBJECT, OLD_OBJECT, PARAMS, BadExpression, Scope
from sampan.api.resource import Resource, Tree
from sampan.api.schema import Schema, Type
from sampan.apiserver.context import Context

_MOST_TYPES: Final = 10
_SCALARS: Final[Mapping[Type, CelType]] = {
    Type.STRING: types.STRING,
    Type.BYTES: types.BYTES,
    Type.BOOLEAN: types.BOOL,
    Type.INT32: types.INT,
    Type.INT64: types.INT,
    Type.NUMBER: types.DOUBLE,
    Type.TIME: types.TIMESTAMP,
    Type.MICRO_TIME: types.TIMESTAMP,
    Type.QUANTITY: types.STRING,
    Type.INT_OR_STRING: types.DYN,
}


class _Checked(NamedTuple):
    """A kind, and a scope in which objects are of it."""

    kind: str
    scope: Scope


class TypeChecker:
    def __init__(self, context: Context) -> None:
        self._context = context

    def warnings(self, spec: Tree) -> list[Tree]:
        """The expressionWarnings of a policy."""
        checked = [self._checked(resource, spec) for resource in self._resources(spec)]
        found: list[Tree] = []
        for index, validation in enumerate(spec.get("validations") or ()):
            for field in ("expression", "messageExpression"):
                text = validation.get(field) or ""
                problems = _problems(text, checked) if text else ""
                if problems:
                    found.append({"fieldRef": f"spec.validations[{index}].{field}", "warning": problems})
        return found

    def _checked(self, resource: Resource, spec: Tree) -> _Checked:
        params = self._params(spec.get("paramKind"))
        scope = Scope(params=params is not None, variables=True)
        own = self._type_of(resource)
        scope.declare(OBJECT, own)
        scope.declare(OLD_OBJECT, own)
        if params is not None:
            scope.declare(PARAMS, params)
        for variable in spec.get("variables") or ():
            with suppress(BadExpression):  # of what is wrong with variables nobody is told
                scope.define(variable.get("name", ""), variable.get("expression", ""))
        return _Checked(f"{resource.group}/{resource.version}, Kind={resource.kind}", scope)

    def _params(self, kind: Tree | None) -> CelType | None:
        if kind is None:
            return None
        group, _, version = kind.get("apiVersion", "").rpartition("/")
        resource = self._context.scheme.for_kind(group, version, kind.get("kind", ""))
        return self._type_of(resource) if resource is not None else None

    def _type_of(self, resource: Resource) -> CelType:
        if resource.custom_schema is None:
            return type_of_schema(resource.schema, resource.kind) or types.DYN
        definitions = self._context.registry(definition.GROUP, "customresourcedefinitions").cache
        found = definitions.get("", f"{resource.plural}.{resource.group}")
        versions = definition.versions(found.tree()) if found is not None else ()
        raw = next((definition.schema_of_version(v) for v in versions if v["name"] == resource.version), None)
        return cel_type_of(raw, resource_root=True, name=resource.kind) if raw is not None else types.DYN

    def _resources(self, spec: Tree) -> list[Resource]:
        """Those that rules name without wildcards, by group, version and kind."""
        found: dict[tuple[str, str, str], Resource] = {}
        for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
            for count, resource in enumerate(self._named(rule), start=1):
                found[resource.group, resource.version, resource.kind] = resource
                if count == _MOST_TYPES:
                    return [found[key] for key in sorted(found)]
        return [found[key] for key in sorted(found)]

    def _named(self, rule: Tree) -> Iterator[Resource]:
        groups, versions = (sorted(rule.get(field) or ()) for field in ("apiGroups", "apiVersions"))
        if any("*" in name for name in (*groups, *versions)):
            return
        plurals = sorted(name for name in rule.get("resources") or () if "*" not in name and "/" not in name)
        for group in groups:
            for version in versions:
                for plural in plurals:
                    resource = self._context.scheme.resource(group, version, plural)
                    if resource is not None:
                        yield resource


def _problems(text: str, checked: Sequence[_Checked]) -> str:
    found: list[str] = []
    for kind, scope in checked:
        try:
            scope.compile(text, ())
        except BadExpression as bad:
            if str(bad).startswith(_COMPILATION):
                found.append(f"{kind}: {str(bad).removeprefix(_COMPILATION)}\n")
    return "\n".join(found)


_COMPILATION: Final = "compilation failed: "


def type_of_schema(schema: Schema, name: str, above: frozenset[str] = frozenset()) -> CelType | None:
    """Of a built-in kind's schema; None for what expressions cannot see. `above`: the definitions that it is in."""
    shape = schema.shape
    if shape.type in _SCALARS:
        return _SCALARS[shape.type]
    if shape.name and shape.name in above:
        return types.DYN  # it contains itself
    within = above | {shape.name} if shape.name else above
    if shape.type is Type.LIST:
        element = type_of_schema(schema.items, f"{name}.@idx", within) if schema.items is not None else None
        return types.list_of(element) if element is not None else None
    if shape.type is Type.MAP:
        value = type_of_schema(shape.values, f"{name}.@elem", within) if shape.values is not None else None
        return types.map_of(types.STRING, value) if value is not None else None
    if shape.type is Type.OBJECT:
        return types.object_type(name, dict(_fields(schema, name, within)))
    return types.object_type(name, {}) if shape.type is Type.FREE else None


def _fields(schema: Schema, name: str, within: frozenset[str]) -> Iterator[tuple[str, CelType]]:
    for property_ in schema.shape.field_names:
        inner, escaped = schema.field(property_), escape(property_)
        of = type_of_schema(inner, f"{name}.{escaped}", within) if inner is not None and escaped is not None else None
        if of is not None and escaped is not None:
            yield escaped, of

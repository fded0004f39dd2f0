"""What a write may do to a custom object, and what is wrong with one.

After k8s.io/apiextensions-apiserver/pkg/registry/customresource/{strategy,status_strategy,validator}.go.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from sampan.api import names
from sampan.api.crd.correlation import Pair
from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.crd.embedded import embedded_check
from sampan.api.crd.judging import Judge
from sampan.api.crd.listtypes import uniqueness
from sampan.api.crd.rules import Rules, rules_of
from sampan.api.crd.structure import META_FIELDS, Tree, Value
from sampan.api.crd.values import judge
from sampan.api.crd.verdict import NOWHERE, Place
from sampan.api.errors import FieldError, invalid
from sampan.api.gotext import quoted
from sampan.api.groups.strategies import keep_status
from sampan.api.groups.validation.metadata import STANDARD_FINALIZERS
from sampan.api.resource import Strategy

_MAX_INT32: Final = 2**31 - 1
_BLOCKING: Final = frozenset(
    ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
)
_UNCHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
)


class ObjectRules:
    """Of one version. `subresources`: as the version defines them."""

    def __init__(self, schema: CustomSchema, group_version: str, kind: str, subresources: Tree) -> None:
        self.schema = schema
        self.group_version = group_version
        self.kind = kind
        self.has_status = "status" in subresources
        self.scale: Tree = subresources.get("scale") or {}
        self._uniqueness = uniqueness(schema.structure)
        self._embedded = {
            name: check
            for name, inner in schema.structure.properties.items()
            if name not in META_FIELDS and (check := embedded_check(inner)) is not None
        }

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.schema)

    @cached_property
    def _rules(self) -> Rules | None:
        return rules_of(self.schema.structure, root=True)

    def strategy(self) -> Strategy:
        return Strategy(
            prepare_create=self.prepare_create,
            prepare_update=self.prepare_update,
            prepare_status=prepare_status,
            validate=self.validate,
            validate_change=self.validate_change,
            validate_status=self.validate_status,
            warn=warn_of_finalizers,
            allow_unconditional_update=False,
        )

    def prepare_create(self, new: Tree) -> None:
        if self.has_status:
            new.pop("status", None)
        new["metadata"]["generation"] = 1

    def prepare_update(self, new: Tree, old: Tree) -> None:
        """Any change besides the metadata is a new generation; the status is its subresource's, if there is one."""
        if self.has_status:
            keep_status(new, old)
        if any(new.get(field) != old.get(field) for field in (new.keys() | old.keys()) - {"metadata"}):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def validate(self, new: Tree) -> list[FieldError]:
        return self._validate(new, None)

    def validate_change(self, new: Tree, old: Tree) -> list[FieldError]:
        """As a new object, but for errors that stood before and did not change."""
        return self._validate(new, Pair(new, old, self.schema.structure))

    def validate_status(self, new: Tree, old: Tree) -> list[FieldError]:
        errors = self._validate_type(new)
        if errors:
            return errors
        pair = Pair(new, old, self.schema.structure)
        place = self.schema.structure.properties.get("status")
        if place is not None and "status" in new and not self._judge.is_good(new):
            errors += judge(place.raw, new["status"], Place("status"), pair.key("status")).errors.values()
        errors += self._validate_scale(new, status_only=True)
        errors += self._validate_lists(new, pair)
        return errors + self._validate_rules(new, pair, errors)

    def _validate(self, new: Tree, pair: Pair | None) -> list[FieldError]:
        errors = self._validate_type(new)
        if errors:
            return errors
        if not self._judge.is_good(new):
            errors += judge(self.schema.structure.raw, new, Place(""), pair).errors.values()
        errors += self._validate_scale(new)
        for name, check in self._embedded.items():
            if name in new:
                errors += check(new[name], name)
        errors += self._validate_lists(new, pair)
        return errors + self._validate_rules(new, pair, errors)

    def _validate_lists(self, new: Tree, pair: Pair | None) -> list[FieldError]:
        """Repeated items; none at all where the old object had some."""
        if self._uniqueness is None:
            return []
        errors = self._uniqueness(new, "")
        return [] if errors and pair is not None and self._uniqueness(pair.old, "") else errors

    def _validate_rules(self, new: Tree, pair: Pair | None, errors: list[FieldError]) -> list[FieldError]:
        """The rules in CEL, which only make sense of an object that is what its schema says."""
        if self._rules is None:
            return []
        if any(error.reason in _BLOCKING for error in errors):
            return [invalid(NOWHERE, "null", _UNCHECKED)]
        return self._rules.validate(new, pair)

    def _validate_type(self, tree: Tree) -> list[FieldError]:
        errors = []
        if tree.get("kind") != self.kind:
            errors.append(invalid("kind", tree.get("kind", ""), f"must be {self.kind}"))
        if tree.get("apiVersion") != self.group_version:
            errors.append(invalid("apiVersion", tree.get("apiVersion", ""), f"must be {self.group_version}"))
        return errors

    def _validate_scale(self, tree: Tree, status_only: bool = False) -> list[FieldError]:
        if not self.scale:
            return []
        errors = [] if status_only else _validate_replicas(tree, self.scale["specReplicasPath"])
        errors += _validate_replicas(tree, self.scale["statusReplicasPath"])
        path = self.scale.get("labelSelectorPath")
        if path:
            selector, problem = _nested(tree, path)
            if not problem and selector is not None and not isinstance(selector, str):
                problem = f"{_accessor(path)} accessor error: {selector} is of the type {_go_type(selector)}, expected string"
            if problem:
                errors.append(invalid(path, "", problem))
        return errors


def prepare_status(new: Tree, old: Tree) -> None:
    """Nothing but the status is taken over, and who manages what."""
    status, has_status = new.get("status"), "status" in new
    managed = new["metadata"].get("managedFields")
    new.clear()
    new.update(old)
    new["metadata"] = {field: value for field, value in old["metadata"].items() if field != "managedFields"}
    if managed:
        new["metadata"]["managedFields"] = managed
    if has_status:
        new["status"] = status
    else:
        new.pop("status", None)


def warn_of_finalizers(new: Tree, old: Tree | None) -> list[str]:
    """Finalizers that may collide with others'; a built-in kind would refuse them."""
    added = set(new["metadata"].get("finalizers", ()))
    if old is not None:
        added -= set(old["metadata"].get("finalizers", ()))
    warnings: list[str] = []
    for finalizer in sorted(added):
        place = f"metadata.finalizers: {quoted(finalizer)}: "
        warnings += [place + problem for problem in names.qualified_name(finalizer)]
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            path = " including a path (/)" if "." in finalizer else ""
            hint = f"prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
            warnings.append(place + hint)
    return warnings


def _accessor(path: str) -> str:
    return "." + path.removeprefix(".")


def _go_type(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


def _nested(tree: Tree, path: str) -> tuple[Value, str]:
    """The value at a simple path, None where there is none; and why the path cannot be followed."""
    names_ = path.removeprefix(".").split(".")
    value: Value = tree
    for index, name in enumerate(names_):
        if value is None:
            return None, ""
        if not isinstance(value, dict):
            where = ".".join(["", *names_[:index]])
            return None, (
                f"{_accessor(path)} accessor error: {value} is of the type {_go_type(value)}, expected map[string]interface{{}}"
                if where
                else ""
            )
        value = value.get(name)
    return value, ""


def _validate_replicas(tree: Tree, path: str) -> list[FieldError]:
    value, problem = _nested(tree, path)
    if not problem and value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        problem = f"{_accessor(path)} accessor error: {value} is of the type {_go_type(value)}, expected int64"
    if problem:
        return [invalid(path, 0, problem)]
    if (value or 0) < 0:
        return [invalid(path, value, "should be a non-negative integer")]
    if (value or 0) > _MAX_INT32:
        return [invalid(path, value, f"should be less than or equal to {_MAX_INT32}")]
    return []

"""The metadata of custom objects and of the objects embedded in them: it is ObjectMeta, whatever a schema says of it.

After k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sampan.api import names
from sampan.api.crd.structure import Structure, Value
from sampan.api.decoding import TypeProblem
from sampan.api.definitions import OBJECT_META
from sampan.api.errors import FieldError, invalid, required
from sampan.api.groups.validation.metadata import validate_metadata
from sampan.api.schema import schema_of

Tree = dict[str, Value]
Check = Callable[[Value, str], list[FieldError]]
_UNKNOWN: Final = re.compile(r'^unknown field "(.*)"$', re.DOTALL).match


class BadMetadata(ValueError):
    """Metadata of an embedded object that is none; `error` names the place."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(str(error))
        self.error = error


def object_meta(metadata: Value) -> tuple[Value, list[str]]:
    """Metadata in canonical form and the paths of unknown fields in it. Raises TypeProblem in Go's words."""
    if metadata is None:
        return {}, []
    schema = schema_of(OBJECT_META)
    if not isinstance(metadata, dict):
        raise schema.check(metadata)[0]
    tree, strict = schema.admit_tree(metadata)
    return tree, [match[1] for text in strict if (match := _UNKNOWN(text))]


def coerce(value: Value, structure: Structure | None, path: str = "") -> list[str]:
    """Makes the metadata of embedded objects canonical, in place; returns the paths of unknown fields. Raises BadMetadata."""
    unknown: list[str] = []
    _coerce(value, structure, path, unknown)
    return sorted(unknown)


def _coerce(value: Value, structure: Structure | None, path: str, unknown: list[str]) -> None:
    if structure is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            _coerce(item, structure.items, f"{path}[{index}]", unknown)
    elif isinstance(value, dict):
        for key in list(value):
            place = f"{path}.{key}" if path else key
            if structure.embedded:
                _coerce_meta(value, key, place, unknown)
            inner = structure.field(key)
            if inner is not None:
                _coerce(value[key], inner, place if key in structure.properties else f"{path}[{key}]", unknown)


def _coerce_meta(value: Tree, key: str, place: str, unknown: list[str]) -> None:
    if key in ("apiVersion", "kind"):
        if not isinstance(value[key], str):
            raise BadMetadata(invalid(place, value[key], "must be a string"))
    elif key == "metadata":
        try:
            value[key], surprises = object_meta(value[key])
        except TypeProblem as problem:
            raise BadMetadata(invalid(place, value[key], str(problem))) from None
        unknown += [f"{place}.{field}" for field in surprises]


def embedded_check(structure: Structure | None) -> Check | None:
    """A function of (value, path) that finds what is wrong with the apiVersion, kind and metadata of embedded objects; None
    where a schema embeds none."""
    if structure is None:
        return None
    named = {name: found for name, inner in structure.properties.items() if (found := embedded_check(inner)) is not None}
    values, items = embedded_check(structure.additional), embedded_check(structure.items)
    own = structure.embedded
    if not (own or named or values or items):
        return None

    def check(value: Value, path: str) -> list[FieldError]:
        errors: list[FieldError] = []
        if isinstance(value, list):
            if items is not None:
                for index, item in enumerate(value):
                    errors += items(item, f"{path}[{index}]")
        elif isinstance(value, dict):
            if own:
                errors += _validate_object(value, path)
            for name, below in named.items():
                if name in value:
                    errors += below(value[name], f"{path}.{name}" if path else name)
            if values is not None:
                for key in value.keys() - structure.properties.keys():
                    errors += values(value[key], f"{path}[{key}]")
        return errors

    return check


def validate_embedded(value: Value, structure: Structure, path: str = "") -> list[FieldError]:
    """The same, once."""
    check = embedded_check(structure)
    return check(value, path) if check is not None else []


def _validate_object(value: Tree, path: str) -> list[FieldError]:
    prefix = f"{path}." if path else ""
    errors = [required(f"{prefix}{field}", "must not be empty") for field in ("apiVersion", "kind") if field not in value]
    for field in ("apiVersion", "kind"):
        if field in value:
            errors += _validate_name(value[field], f"{prefix}{field}")
    if "metadata" in value:
        errors += _validate_meta(value["metadata"], f"{prefix}metadata")
    return errors


def _validate_name(value: Value, path: str) -> list[FieldError]:
    if not isinstance(value, str):
        return [invalid(path, value, "must be a string")]
    if not value:
        return [invalid(path, value, "must not be empty")]
    if path.endswith("apiVersion"):
        return [invalid(path, value, f"unexpected GroupVersion string: {value}")] if value.count("/") > 1 else []
    problems = names.dns_label_1035(value.lower())
    return [invalid(path, value, "may have mixed case, but should otherwise match: " + ",".join(problems))] if problems else []


def _validate_meta(metadata: Value, path: str) -> list[FieldError]:
    try:
        meta, _ = object_meta(metadata)
    except TypeProblem as problem:
        return [invalid(path, metadata, str(problem))]
    if not meta.get("name"):
        meta["name"] = "fakename"  # an embedded object need have none
    errors = validate_metadata({"metadata": meta}, bool(meta.get("namespace")), names.path_segment)
    return [FieldError(e.reason, path + e.field.removeprefix("metadata"), e.message) for e in errors]

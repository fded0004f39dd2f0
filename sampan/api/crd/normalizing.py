"""What decoding by OpenAPI definitions leaves open in a CustomResourceDefinition: schemas where a boolean or a list may stand.

`items` and `additionalProperties` are of no declared type in the definition of JSONSchemaProps; whatever is below them is
decoded here, as Go's own decoder of these types does it: without a word about unknown fields.
"""

from __future__ import annotations

from typing import Final

from sampan.api.crd.structure import Tree, Value
from sampan.api.decoding import TypeProblem
from sampan.api.errors import bad_request
from sampan.api.schema import schema_of

_PROPS: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_MAPS: Final = ("properties", "patternProperties", "definitions", "dependencies")
_OPEN: Final = ("items", "additionalProperties", "additionalItems")
_DEEPEST: Final = 100
"""Levels of schemas: whoever walks them calls himself."""


def normalize(crd: Tree) -> None:
    """Decodes, in place, the schemas in the open places of a definition. Raises StatusError 400."""
    for version in crd["spec"].get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if isinstance(schema, dict):
            try:
                _walk(schema, 1)
            except TypeProblem as problem:
                kind = "CustomResourceDefinition"
                raise bad_request(f'{kind} in version "v1" cannot be handled as a {kind}: {problem}') from None


def _walk(schema: Tree, depth: int) -> None:
    if depth > _DEEPEST:
        raise TypeProblem("exceeded max depth")
    for key in _OPEN:
        if key in schema:
            schema[key] = _decoded(schema[key], depth)
    for key in _LISTS:
        for inner in schema.get(key) or ():
            _walk(inner, depth + 1)
    for key in _MAPS:
        for name, inner in (schema.get(key) or {}).items():
            if key == "dependencies":
                schema[key][name] = _decoded(inner, depth)
            elif isinstance(inner, dict):
                _walk(inner, depth + 1)
    if isinstance(schema.get("not"), dict):
        _walk(schema["not"], depth + 1)


def _decoded(value: Value, depth: int) -> Value:
    if isinstance(value, list):
        return [_decoded(item, depth) for item in value]
    if not isinstance(value, dict):
        return value
    schema = schema_of(_PROPS).admit_tree(value).tree
    _walk(schema, depth + 1)
    return schema

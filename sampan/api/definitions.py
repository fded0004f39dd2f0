"""The OpenAPI definitions of Kubernetes 1.33, as the package `kubernetes-validate` carries them.

All 700 of them are 1.4 MB of JSON: they are held as slices of that text, and one is decoded when somebody asks. They differ
from upstream's in two ways that `plain` undoes: optional things are typed `["string", "null"]`, and references begin
with "#/$defs/".
"""

from __future__ import annotations

import importlib.util
from collections.abc import KeysView
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import msgspec

Tree = dict[str, Any]

REFERENCE_PREFIX: Final = "#/$defs/"

QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
MICRO_TIME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"
OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_FILE: Final = "kubernetes-json-schema/v1.33.0-local/_definitions.json"


class _Document(msgspec.Struct):
    definitions: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


_decode: Final = msgspec.json.Decoder(_Document).decode


@lru_cache(maxsize=1)
def _definitions() -> dict[str, msgspec.Raw]:
    # Only the package's place is wanted: importing it would load a JSON-schema validator that nothing here uses.
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package kubernetes-validate, which carries the API's definitions, is not installed")
    return _decode((Path(spec.origin).parent / _FILE).read_bytes()).definitions


def names() -> KeysView[str]:
    """Every definition's name, such as "io.k8s.api.core.v1.Pod"."""
    return _definitions().keys()


def definition(name: str) -> Tree:
    """One definition, decoded anew: the caller may change it. Raises KeyError."""
    return cast(Tree, msgspec.json.decode(_definitions()[name]))


@lru_cache(maxsize=1)
def kinds() -> frozenset[tuple[str, str]]:
    """(group/version, kind) of everything that the documents define."""
    found = (gvk for name in names() for gvk in definition(name).get("x-kubernetes-group-version-kind", ()))
    return frozenset((f"{gvk['group']}/{gvk['version']}".removeprefix("/"), gvk["kind"]) for gvk in found)


def referenced(schema: Tree) -> str:
    """The name of the definition that a schema refers to, "" if it stands for itself."""
    reference: str = schema.get("$ref", "")
    return reference.removeprefix(REFERENCE_PREFIX)


def plain_type(schema: Tree) -> str:
    """The type with its "null" taken away; "" where any is good."""
    declared = schema.get("type", "")
    if isinstance(declared, list):
        return next((t for t in declared if t != "null"), "")
    return cast(str, declared)

"""`CustomSchema`: what stands where in a custom object, with the face of `sampan.api.schema.Schema`.

A custom object keeps what its client wrote, zeros and allowed nulls included; only unspecified fields are taken out, and its
metadata is ObjectMeta as in every kind. Values of a wrong type are no matter of decoding but of validation.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from sampan.api import definitions
from sampan.api.crd.defaulting import defaulter, prune_nulls
from sampan.api.crd.embedded import BadMetadata, coerce, object_meta
from sampan.api.crd.pruning import prune
from sampan.api.crd.structure import Structure, Tree, Value, copied
from sampan.api.decoding import TypeProblem
from sampan.api.fasttypes import convert_checked
from sampan.api.schema import Schema

if TYPE_CHECKING:
    from sampan.api.crd.decoding import CustomDecoder
    from sampan.api.decoding import Admitted

_META: dict[str, Tree] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"$ref": definitions.REFERENCE_PREFIX + definitions.OBJECT_META},
}


class CustomSchema(Schema):
    """Of one version of a custom resource. `raw`: its `openAPIV3Schema`, whose defaults are pruned already; `preserves`: the
    old `spec.preserveUnknownFields`, by which nothing is ever taken out."""

    __slots__ = ("_custom_decoder", "_default", "preserves", "structure")

    def __init__(self, raw: Tree, *, preserves: bool = False) -> None:
        super().__init__(with_metadata({**raw, "type": "object", "x-kubernetes-embedded-resource": True}))
        self.structure = Structure(raw).as_root()
        self.preserves = preserves
        self.preserves_unknown = self.preserves_unknown or preserves
        self._default = defaulter(self.structure)
        self._custom_decoder: CustomDecoder | None = None

    @property
    def custom_decoder(self) -> CustomDecoder:
        if self._custom_decoder is None:
            from sampan.api.crd.decoding import CustomDecoder  # which decodes by this schema

            self._custom_decoder = CustomDecoder(self)
        return self._custom_decoder

    def admit(self, body: bytes, *, yaml: bool = False, kind: str = "", version: str = "") -> Admitted:
        return self.custom_decoder.admit(body, yaml=yaml, kind=kind, version=version)

    def admit_at_once(self, body: bytes) -> Admitted | None:
        return self.custom_decoder.admit_at_once(body)

    def admit_tree(self, tree: Tree) -> Admitted:
        return self.custom_decoder.admit_tree(tree)

    def admit_applied(self, tree: Tree) -> Admitted:
        return self.custom_decoder.admit_applied(tree)

    def check(self, tree: Tree) -> list[TypeProblem]:
        return self.custom_decoder.check(tree)

    def default(self, tree: Tree) -> None:
        """Puts the schema's defaults into an object, in place."""
        if self._default is not None:
            self._default(tree)

    def coerce(self, tree: Tree, *, keeps_nulls: bool = False) -> list[str]:
        """Makes of any JSON object, in place, one as it is kept; returns the paths of unknown fields, which are gone. Raises
        TypeProblem, BadMetadata."""
        unknown: list[str] = []
        metadata = tree.get("metadata")
        if "metadata" in tree:
            metadata, surprises = object_meta(metadata)
            unknown += [f"metadata.{field}" for field in surprises]
        if not self.preserves:
            unknown += prune(tree, self.structure)
            if not keeps_nulls:
                prune_nulls(tree, self.structure)
        for name in tree:
            if name not in _META and (inner := self.structure.field(name)) is not None:
                unknown += coerce(tree[name], inner, name)
        if metadata is not None:
            tree["metadata"] = metadata
        return unknown

    def settle(self, tree: Tree) -> Tree:
        """A copy of a stored object as it is served: a changed definition may have brought defaults, or taken fields away. What
        was stored once is never refused."""
        try:
            settled: Tree = msgspec.to_builtins(msgspec.convert(tree, self.custom_decoder.type, dec_hook=convert_checked))
        except (msgspec.ValidationError, RecursionError):
            settled = copied(tree)
            with suppress(BadMetadata, TypeProblem):
                self.coerce(settled)
        self.default(settled)
        return settled


def with_metadata(raw: Tree) -> Tree:
    """A schema in which embedded objects have their apiVersion, kind and metadata, as server-side apply must see them."""
    changed = dict(raw)
    properties: dict[str, Value] = {name: with_metadata(place) for name, place in (raw.get("properties") or {}).items()}
    if raw.get("x-kubernetes-embedded-resource"):
        properties |= _META
    if properties:
        changed["properties"] = properties
    for key in ("items", "additionalProperties"):
        if isinstance(raw.get(key), dict):
            changed[key] = with_metadata(raw[key])
    return changed

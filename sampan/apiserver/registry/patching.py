"""PATCH: the three kinds of patches, applied to whatever stands when their turn comes."""

from __future__ import annotations

from typing import Any

import msgspec

from sampan.api.decoding import TypeProblem
from sampan.api.errors import StatusError, bad_request, invalid_object, unsupported_media_type
from sampan.api.patch import json_patch, merge_patch, strategic_patch
from sampan.api.resource import Resource, Tree
from sampan.api.schema import schema_of
from sampan.apiserver.registry.bodies import admit_changed, media_type
from sampan.apiserver.registry.generic import Change
from sampan.apiserver.registry.options import WriteOptions
from sampan.lib.http import Request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)


def decode_patch(body: bytes, kind: str) -> Any:
    try:
        patch = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding patch: {error}") from None
    if kind == JSON_PATCH:
        if not isinstance(patch, list):
            raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    elif not isinstance(patch, dict):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return patch


def patch_change(request: Request, resource: Resource, options: WriteOptions, warnings: list[str]) -> Change:
    """What the request's patch does to an object. Raises StatusError 400, 415; the change itself 422."""
    kind = media_type(request.headers.get("content-type", ""))
    if kind not in ACCEPTED:
        raise unsupported_media_type(ACCEPTED)
    patch = decode_patch(request.body, kind)
    schema = schema_of(resource.definition)

    def change(old: Tree) -> Tree:
        shown = resource.from_stored(old) if resource.from_stored else old
        shown.setdefault("kind", resource.kind)
        shown.setdefault("apiVersion", resource.group_version)
        name = shown["metadata"]["name"]
        if kind == JSON_PATCH:
            patched = json_patch(shown, patch)
        elif kind == MERGE_PATCH:
            patched = merge_patch(shown, patch)
        else:
            patched = strategic_patch(shown, patch, schema)
        tree = _checked(patched, resource, options, warnings)
        _check_identity(tree, shown, resource, name)
        return resource.to_stored(tree) if resource.to_stored else tree

    return change


def _checked(patched: Any, resource: Resource, options: WriteOptions, warnings: list[str]) -> Tree:
    if not isinstance(patched, dict):
        raise bad_request("the patch does not leave an object")
    schema = schema_of(resource.definition)
    try:
        return admit_changed(patched, schema, options.field_validation, warnings)
    except TypeProblem as problem:
        raise invalid_object("", "", "", []) from problem


def _check_identity(tree: Tree, old: Tree, resource: Resource, name: str) -> None:
    """A patch cannot make an object another one."""
    meta = tree.get("metadata")
    if not isinstance(meta, dict) or meta.get("name") != name:
        own = meta.get("name", "") if isinstance(meta, dict) else ""
        raise bad_request(f"the name of the object ({own}) does not match the name on the URL ({name})")
    if meta.get("namespace", "") != old["metadata"].get("namespace", ""):
        space, url = meta.get("namespace", ""), old["metadata"].get("namespace", "")
        raise bad_request(f"the namespace of the object ({space}) does not match the namespace on the request ({url})")


__all__ = ["ACCEPTED", "StatusError", "patch_change"]

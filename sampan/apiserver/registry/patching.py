"""PATCH: the three kinds of patches, applied to whatever stands when their turn comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.api.decoding import TypeProblem, strict_message
from sampan.api.errors import StatusError, bad_request, invalid, invalid_object, unsupported_media_type
from sampan.api.patch import json_patch, merge_patch, strategic_patch
from sampan.api.resource import Resource, Tree
from sampan.api.schema import schema_of
from sampan.api.strategic import unprocessable
from sampan.apiserver.registry.bodies import media_type
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
        if kind == JSON_PATCH:
            patched = json_patch(old, patch)
        elif kind == MERGE_PATCH:
            patched = merge_patch(old, patch)
        else:
            patched = strategic_patch(old, patch, schema)
        tree = _checked(
            patched, lambda: _shown(patch if kind == STRATEGIC_PATCH else patched, kind), resource, options, warnings
        )
        _check_identity(tree, old)
        return tree

    return change


def _checked(patched: Any, shown: Callable[[], str], resource: Resource, options: WriteOptions, warnings: list[str]) -> Tree:
    """Raises StatusError 422 for an outcome that is not of the kind, showing of it what upstream shows."""
    if not isinstance(patched, dict):
        raise unprocessable()
    try:
        tree, strict = schema_of(resource.definition).admit_tree(patched)
    except TypeProblem as problem:
        raise _invalid(shown(), str(problem)) from None
    if strict and options.field_validation == "Strict":
        raise _invalid(shown(), strict_message(strict))
    if strict and options.field_validation == "Warn":
        warnings.extend(strict)
    return tree


def _invalid(shown: str, why: str) -> StatusError:
    return invalid_object("", "", "", [invalid("patch", shown, why)])


def _shown(value: Any, kind: str) -> str:
    return _go(value) if kind == STRATEGIC_PATCH else msgspec.json.encode(value).decode()


def _go(value: Any) -> str:
    """As Go prints a decoded JSON value."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def _check_identity(tree: Tree, old: Tree) -> None:
    """A patch cannot make an object another one."""
    meta = tree.setdefault("metadata", {})
    name, own = old["metadata"]["name"], meta.get("name", "")
    if own != name:
        raise bad_request(f"the name of the object ({own}) does not match the name on the URL ({name})")
    namespace, own = old["metadata"].get("namespace", ""), meta.get("namespace", "")
    if own != namespace:
        raise bad_request(f"the namespace of the object ({own}) does not match the namespace on the request ({namespace})")

"""PATCH: the three kinds of patches, applied to whatever stands when their turn comes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

from sampan.api.decoding import BrokenBody, TypeProblem, decode_json, repeated_fields, strict_message
from sampan.api.errors import StatusError, bad_request, invalid, invalid_object, unsupported_media_type
from sampan.api.patch import json_patch, merge_patch, strategic_patch
from sampan.api.resource import Resource, Tree
from sampan.api.slowcheck import kind_of
from sampan.api.strategic import unprocessable
from sampan.apiserver.registry.applying import APPLY_PATCH
from sampan.apiserver.registry.bodies import check_kind, media_type
from sampan.apiserver.registry.metadata import place_in_namespace
from sampan.apiserver.registry.options import WriteOptions
from sampan.apiserver.registry.ownership import FIELD, put
from sampan.apiserver.registry.updating import Change, Present
from sampan.lib.http import Request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


_OPERATION_FIELDS = ("op", "path", "from", "value")


def decode_patch(body: bytes, kind: str) -> tuple[Any, list[str]]:
    """The patch, and what strict decoding has against it. Raises StatusError 400."""
    prefix = "" if kind == STRATEGIC_PATCH else "error decoding patch: "
    try:
        patch, repeats = decode_json(body)
    except BrokenBody as broken:
        raise bad_request(f"{prefix}{broken}") from None
    if patch is None and kind != JSON_PATCH:
        # Go takes it for an empty map; what merges it then does not.
        if kind == MERGE_PATCH:
            raise bad_request("Invalid JSON Patch")
        return {}, []
    type_ = "[]handlers.jsonPatchOp" if kind == JSON_PATCH else "map[string]interface {}"
    if not isinstance(patch, dict if kind != JSON_PATCH else list):
        raise bad_request(f"{prefix}json: cannot unmarshal {kind_of(patch)} into Go value of type {type_}")
    strict = repeated_fields(body) if repeats else []
    if kind == JSON_PATCH:
        strict = [f"json patch {problem}" for problem in _check_operations(cast(list[Any], patch)) + strict]
    return patch, strict


def _check_operations(operations: list[Any]) -> list[str]:
    unknown: list[str] = []
    for index, operation in enumerate(operations):
        if not isinstance(operation, dict):
            found = f"json: cannot unmarshal {kind_of(operation)} into Go value of type handlers.jsonPatchOp"
            raise bad_request(f"error decoding patch: {found}")
        for field, value in operation.items():
            if field not in _OPERATION_FIELDS:
                unknown.append(f'unknown field "[{index}].{field}"')
            elif field != "value" and value is not None and not isinstance(value, str):
                found = f"json: cannot unmarshal {kind_of(value)} into Go struct field jsonPatchOp.{field} of type string"
                raise bad_request(f"error decoding patch: {found}")
    return unknown


def patch_kind(request: Request) -> str:
    """The media type of the request's patch. Raises StatusError 415; nothing else of a request is looked at before."""
    kind = media_type(request.headers.get("content-type", ""))
    if kind not in ACCEPTED:
        raise unsupported_media_type(ACCEPTED)
    return kind


def patch_change(
    request: Request,
    resource: Resource,
    options: WriteOptions,
    warnings: list[str],
    decode: Callable[[], tuple[Any, list[str]]],
) -> Change:
    """What the request's patch does to an object: a change that raises StatusError 400, 413 and 422.

    decode: gives what `decode_patch` makes of the request. It is asked only when there is an object, which goes before whether
    the patch is any good."""
    kind = patch_kind(request)
    schema = resource.schema
    decoded: list[tuple[Any, list[str]]] = []
    # A patch may be about managedFields, or have to do with all there is.
    sees_managed = kind == JSON_PATCH or b"managedFields" in request.body

    def change(present: Present) -> Tree:
        old, held = present.tree, present.managed
        if held is not None and sees_managed:
            old = {**old, "metadata": {**old["metadata"], FIELD: msgspec.json.decode(held)}}
        if not decoded:
            decoded.append(decode())
        patch, surprises = decoded[0]
        if kind == JSON_PATCH:
            patched = json_patch(old, patch)
        elif kind == MERGE_PATCH:
            patched = merge_patch(old, patch)
        else:
            patched = strategic_patch(old, patch, schema)

        def shown() -> str:
            return _go(patch) if kind == STRATEGIC_PATCH else msgspec.json.encode(patched).decode()

        untouched = held is not None and (not sees_managed or _managed(patched) is _managed(old))
        if untouched and sees_managed:
            patched = _without_managed(patched)
        said = _said_of_trees if kind == STRATEGIC_PATCH else str
        tree = _checked(patched, surprises, shown, said, resource, options, warnings)
        # A strategic merge patch is of the typed object, which is what it is, whatever its fields say.
        if resource.custom_schema is not None:
            _check_custom_kind(tree, resource)
        elif kind != STRATEGIC_PATCH and (why := other_kind(tree, resource)):
            raise invalid_patch(shown(), why)
        tree.update({field: old[field] for field in ("kind", "apiVersion") if field in old})
        _check_identity(tree, old, resource)
        if untouched:
            put(tree, held)
        elif _managed(patched) == [] and resource.custom_schema is None:
            # Which asks to forget all, and typed decoding takes for nothing.
            put(tree, [])
        return tree

    return change


def _managed(tree: Any) -> Any:
    metadata = tree.get("metadata") if isinstance(tree, dict) else None
    return metadata.get(FIELD) if isinstance(metadata, dict) else None


def _without_managed(patched: Tree) -> Tree:
    return {**patched, "metadata": {key: value for key, value in patched["metadata"].items() if key != FIELD}}


def _checked(
    patched: Any,
    surprises: list[str],
    shown: Callable[[], str],
    said: Callable[[str], str],
    resource: Resource,
    options: WriteOptions,
    warnings: list[str],
) -> Tree:
    """Raises StatusError 422 for an outcome that is not of the kind, showing of it and saying what upstream does."""
    if not isinstance(patched, dict):
        raise unprocessable()
    try:
        tree, strict = resource.schema.admit_tree(patched)
    except TypeProblem as problem:
        raise invalid_patch(shown(), said(str(problem))) from None
    strict = surprises + strict
    if strict and options.field_validation == "Strict":
        raise invalid_patch(shown(), strict_message(strict))
    if strict and options.field_validation == "Warn":
        warnings.extend(strict)
    return tree


_misfit = re.compile(r"json: cannot unmarshal (\w+)(?: (\S+))? into Go struct field \S+ of type (.+)").fullmatch
_GO_KINDS: Final = {"object": "map", "array": "slice", "number": "int64"}


def _said_of_trees(problem: str) -> str:
    """What upstream says of a field when it makes an object of a tree that was patched, rather than of text."""
    if problem.startswith("illegal base64"):
        return f"error decoding from json: {problem}"
    found = _misfit(problem)
    if found is None:  # Types with a decoder of their own use it here, too.
        return problem
    sort, number, type_ = found.groups()
    kind = _GO_KINDS.get(sort, sort)
    if type_.startswith("["):
        return f"cannot restore slice from {kind}"
    if type_.startswith("map["):
        return f"cannot restore map from {kind}"
    if "." in type_:
        return f"cannot restore struct from: {kind}"
    if sort == "number" and number is not None:
        return f"cannot convert float64 to {type_}" if "." in number else problem
    if sort == "number" and type_ == "string":
        return "cannot convert int64 to string"
    return f"unrecognized type: {type_}"


def invalid_patch(shown: str, why: str) -> StatusError:
    """422 for a patch that makes of an object what cannot be one; `shown` is the patch or the outcome."""
    return invalid_object("", "", "", [invalid("patch", shown, why)])


def _go(value: Any) -> str:
    """As Go prints a decoded JSON value."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def _check_custom_kind(tree: Tree, resource: Resource) -> None:
    """What a custom object says that it is goes with its other fields. Raises StatusError 422."""
    wanted = {"kind": resource.kind, "apiVersion": resource.group_version}
    said = {field: tree.get(field) or value for field, value in wanted.items()}
    errors = [invalid(field, said[field], f"must be {wanted[field]}") for field in wanted if said[field] != wanted[field]]
    if errors:
        group = said["apiVersion"].rpartition("/")[0]
        raise invalid_object(said["kind"], group, (tree.get("metadata") or {}).get("name", ""), errors)


def other_kind(tree: Tree, resource: Resource) -> str:
    """Why an outcome that says so is no object of the resource."""
    try:
        check_kind(tree, resource)
    except StatusError as error:
        return error.message.partition(f" cannot be handled as a {resource.kind}: ")[2] or error.message
    return ""


def _check_identity(tree: Tree, old: Tree, resource: Resource) -> None:
    """A patch cannot make an object another one. Raises StatusError 400."""
    meta = tree.setdefault("metadata", {})
    place_in_namespace(meta, resource, old["metadata"].get("namespace", ""))
    name, own = old["metadata"]["name"], meta.get("name", "")
    if not own:
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if own != name:
        raise bad_request(f"the name of the object ({own}) does not match the name on the URL ({name})")

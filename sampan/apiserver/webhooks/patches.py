"""What a mutating webhook's patch makes of an object: the patched tree, decoded and defaulted as a client's would be."""

from __future__ import annotations

from typing import Any

import msgspec

from sampan.api.decoding import TypeProblem
from sampan.api.errors import StatusError, internal_error
from sampan.api.patch import json_patch
from sampan.api.resource import Resource, Tree
from sampan.apiserver.webhooks.versioned import plain


def decode_patch(raw: bytes) -> list[Tree]:
    """Raises StatusError 500."""
    try:
        operations = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise internal_error(str(error)) from None
    if operations is None:
        return []
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        shown = "object" if isinstance(operations, dict) else "array" if isinstance(operations, list) else "value"
        raise internal_error(f"json: cannot unmarshal {shown} into Go value of type jsonpatch.Patch")
    return operations


def patched(tree: Tree, operations: list[Tree], form: Resource) -> Tree:
    """`tree` stays as it is. Raises StatusError 500 for what does not apply, or makes something else of the object."""
    try:
        found = json_patch(plain(tree), operations)
    except StatusError:
        raise internal_error(_why(tree, operations)) from None
    if not isinstance(found, dict):
        raise internal_error("json: cannot unmarshal the patched document into an object")
    if (found.get("kind"), found.get("apiVersion")) != (form.kind, form.group_version):
        kind, version = found.get("kind") or "", found.get("apiVersion") or ""
        raise internal_error(f"converting ({version}.{kind}) to ({form.group_version}.{form.kind}): unknown conversion")
    return admitted(found, form)


def has_schema(form: Resource) -> bool:
    """The options of connections have none."""
    return bool(form.definition) or form.custom_schema is not None


def admitted(tree: Tree, form: Resource) -> Tree:
    """Decoded as a client's: without what its schema does not know. Raises StatusError 500."""
    if not has_schema(form):
        return tree
    try:
        found = form.schema.admit_tree(tree).tree
    except TypeProblem as problem:
        raise internal_error(str(problem)) from None
    found["kind"], found["apiVersion"] = form.kind, form.group_version
    found["metadata"] = found.get("metadata") or {}
    return found


def _why(tree: Tree, operations: list[Tree]) -> str:
    """In the words of upstream's library, about the first operation that fails."""
    document: Any = tree
    for operation in operations:
        try:
            document = json_patch(document, [operation])
        except StatusError:
            return _failure(operation)
    return "the patch is too large"


def _failure(operation: Tree) -> str:
    kind, path = operation.get("op"), operation.get("path")
    match kind:
        case "add" | "remove":
            return f'{kind} operation does not apply: doc is missing path: "{path}": missing value'
        case "replace":
            return f"replace operation does not apply: doc is missing key: {path}: missing value"
        case "test":
            return f"testing value {path} failed: test failed"
        case "move" | "copy":
            return f'{kind} operation does not apply: doc is missing from path: "{operation.get("from")}": missing value'
    return f"Unexpected kind: {kind}"

"""The subresource `scale`: the replicas of any kind that has them, as an autoscaling/v1 Scale."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import msgspec

from sampan.api.decoding import TypeProblem
from sampan.api.errors import invalid
from sampan.api.patch import json_patch, merge_patch
from sampan.api.resource import Scale, Tree
from sampan.api.schema import schema_of
from sampan.api.strategic import unprocessable
from sampan.apiserver.answers import dress, method_not_allowed
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.bodies import decode_as
from sampan.apiserver.registry.metadata import check_names
from sampan.apiserver.registry.options import write_options
from sampan.apiserver.registry.patching import JSON_PATCH, decode_patch, invalid_patch, patch_kind
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Answer, Request, Response

if TYPE_CHECKING:
    from sampan.apiserver.endpoint import Endpoint

_SCALE = "io.k8s.api.autoscaling.v1.Scale"
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def _at(tree: Tree, path: str) -> Any:
    value: Any = tree
    for name in path.strip(".").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _put(tree: Tree, path: str, value: int) -> None:
    *names, last = path.strip(".").split(".")
    for name in names:
        tree = tree.setdefault(name, {})
    tree[last] = value


def scale_of(tree: Tree, scale: Scale) -> Tree:
    """The Scale that shows an object."""
    selector = scale.selector(tree) if callable(scale.selector) else _at(tree, scale.selector)
    status: Tree = {"replicas": _at(tree, scale.status) or 0}
    if isinstance(selector, str) and selector:
        status["selector"] = selector
    spec = {"replicas": replicas} if (replicas := _at(tree, scale.spec)) else {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: tree["metadata"][field] for field in _KEPT if field in tree["metadata"]},
        "spec": spec,
        "status": status,
    }


def scale(endpoint: Endpoint, request: Request, info: RequestInfo) -> Answer | Awaitable[Answer]:
    if info.verb == "get":
        rules = _rules(endpoint)
        return _show(request, scale_of(endpoint.registry.get(info.namespace, info.name).tree(), rules))
    if info.verb in ("update", "patch"):
        return _write(endpoint, request, info)
    raise method_not_allowed()


def _rules(endpoint: Endpoint) -> Scale:
    rules = endpoint.resource.scale
    assert rules is not None, "routed here because it has one"
    return rules


def _show(request: Request, tree: Tree) -> Response:
    return dress(request, msgspec.json.encode(tree), negotiate(request.headers.get("accept", "")))


async def _write(endpoint: Endpoint, request: Request, info: RequestInfo) -> Answer:
    rules = _rules(endpoint)
    by = endpoint.caller(request, write_options(request.parameters(), "UpdateOptions"))

    def change(old: Tree) -> Tree:
        wanted = _wanted(request, scale_of(old, rules), info)
        meta = wanted.get("metadata") or {}
        old["metadata"]["resourceVersion"] = meta.get("resourceVersion") or old["metadata"]["resourceVersion"]
        if meta.get("uid"):
            old["metadata"]["uid"] = meta["uid"]
        _put(old, rules.spec, _replicas(wanted, endpoint, info.name))
        return old

    obj = await endpoint.registry.update(info.namespace, info.name, change, by)
    return _show(request, scale_of(obj.tree(), rules))


def _wanted(request: Request, shown: Tree, info: RequestInfo) -> Tree:
    content_type = request.headers.get("content-type", "")
    if info.verb == "patch":
        kind = patch_kind(request)
        patch, _ = decode_patch(request.body, kind)
        # A Scale has no lists to merge, so a strategic merge patch does what a merge patch does.
        patched = json_patch(shown, patch) if kind == JSON_PATCH else merge_patch(shown, patch)
        return _checked(patched, info)
    body = decode_as(request.body, content_type, _SCALE)
    meta = body.setdefault("metadata", {})
    check_names(meta, info.namespace, info.name)
    return body


def _checked(patched: Any, info: RequestInfo) -> Tree:
    if not isinstance(patched, dict):
        raise unprocessable()
    try:
        tree = schema_of(_SCALE).admit_tree(patched).tree
    except TypeProblem as problem:
        raise invalid_patch(msgspec.json.encode(patched).decode(), str(problem)) from None
    check_names(tree.setdefault("metadata", {}), info.namespace, info.name)
    return tree


def _replicas(wanted: Tree, endpoint: Endpoint, name: str) -> int:
    replicas: int = wanted.get("spec", {}).get("replicas", 0)
    if replicas < 0:
        why = "must be greater than or equal to 0"
        raise endpoint.registry.invalid(name, [invalid("spec.replicas", replicas, why)])
    return replicas

"""The subresource `scale`: the replicas of any kind that has them, as an autoscaling/v1 Scale."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from sampan.api.apply import ownership as owners
from sampan.api.decoding import TypeProblem
from sampan.api.errors import bad_request, internal_error, invalid, invalid_object, not_found
from sampan.api.patch import json_patch, merge_patch
from sampan.api.resource import Resource, Scale, Tree
from sampan.api.schema import schema_of
from sampan.api.strategic import unprocessable
from sampan.apiserver.answers import dress, method_not_allowed
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.admitting import Face
from sampan.apiserver.registry.applying import APPLY_PATCH, Configuration
from sampan.apiserver.registry.bodies import decode_as
from sampan.apiserver.registry.largebodies import ahead
from sampan.apiserver.registry.metadata import check_names, check_uid
from sampan.apiserver.registry.options import write_options
from sampan.apiserver.registry.ownership import FieldOwners, put, take
from sampan.apiserver.registry.patching import JSON_PATCH, decode_patch, invalid_patch, other_kind, patch_kind
from sampan.apiserver.registry.scaleowners import ScaleOwners
from sampan.apiserver.registry.updating import Present
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Answer, Request, Response

if TYPE_CHECKING:
    from sampan.apiserver.endpoint import Endpoint

_SCALE = "io.k8s.api.autoscaling.v1.Scale"
_KIND = Resource(group="autoscaling", version="v1", kind="Scale", plural="scales", definition=_SCALE)
_FACES = {_KIND.group_version: _KIND}
_UNSET = -(2**31)
"""Stands for the replicas of a custom resource that says none, while its Scale is written: no client may leave it at that."""
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
        return _read(endpoint, request, info) if endpoint.registry.feed.local else _read_later(endpoint, request, info)
    if info.verb in ("update", "patch"):
        return _write(endpoint, request, info)
    raise method_not_allowed()


def _read(endpoint: Endpoint, request: Request, info: RequestInfo) -> Response:
    obj = endpoint.registry.cache.get(info.namespace, info.name)
    if obj is None:
        resource = endpoint.resource
        plural = resource.plural if resource.custom_schema is not None else f"{resource.plural}/scale"
        raise not_found(plural, resource.group, info.name)
    tree, rules = endpoint.registry.tree_of(obj), _rules(endpoint)
    if _says_none(endpoint, tree):
        raise internal_error(f'the spec replicas field "{rules.spec}" does not exist')
    return _show(request, scale_of(tree, rules))


def _says_none(endpoint: Endpoint, tree: Tree) -> bool:
    return endpoint.resource.custom_schema is not None and _at(tree, _rules(endpoint).spec) is None


async def _read_later(endpoint: Endpoint, request: Request, info: RequestInfo) -> Response:
    """Where somebody else may have written."""
    await endpoint.registry.feed.reach_now()
    return _read(endpoint, request, info)


def _rules(endpoint: Endpoint) -> Scale:
    rules = endpoint.resource.scale
    assert rules is not None, "routed here because it has one"
    return rules


def _show(request: Request, tree: Tree) -> Response:
    return dress(request, msgspec.json.encode(tree), negotiate(request.headers.get("accept", "")))


async def _write(endpoint: Endpoint, request: Request, info: RequestInfo) -> Answer:
    rules = _rules(endpoint)
    applies = info.verb == "patch" and patch_kind(request) == APPLY_PATCH
    kind = "UpdateOptions" if info.verb == "update" else "PatchOptions"
    options = write_options(request.parameters(), kind, applies=applies)
    by = endpoint.caller(request, options)
    by.applies = True  # for who owns the replicas is worked out here
    registry = endpoint.registry
    of_kind = ScaleOwners(registry.cache.shape.faces, endpoint.resource.group_version)
    of_scale = FieldOwners(_KIND, _FACES, registry.owners.now)
    place = {"namespace": endpoint.space(info), "name": info.name, "subresource": "scale"}
    configuration = await Configuration(of_scale, request.body, options, by.warnings, **place).read() if applies else None
    decode = await _reader(request, info)

    def change(present: Present) -> Tree:
        old = present.own()
        held = take(old)
        before = owners.decode(held) if held is not None else {}
        shown = scale_of(old, rules)
        if _says_none(endpoint, old):
            shown["spec"]["replicas"] = _UNSET
        owned = owners.write(of_kind.of_scale(before))
        if configuration is not None:
            put(shown, owned)
            wanted = configuration.on(shown)
            now_owned = take(wanted)
        else:
            wanted = _wanted(request, decode(), shown, info)
            now_owned = of_scale.updated(shown, wanted, owned, owned, by.field_manager, "scale")
        after = of_kind.of_object(before, owners.decode(now_owned) if now_owned is not None else {})
        meta = wanted.get("metadata") or {}
        old["metadata"]["resourceVersion"] = meta.get("resourceVersion") or old["metadata"]["resourceVersion"]
        check_uid(meta, old["metadata"], endpoint.resource, registry.cache.key(info.namespace, info.name))
        _put(old, rules.spec, _replicas(wanted, endpoint, info.name))
        put(old, owners.write(after) if after else None)
        return old

    def put_replicas(tree: Tree, shown: Tree) -> None:
        _put(tree, rules.spec, shown.get("spec", {}).get("replicas", 0))

    face = Face(_KIND, "scale", lambda tree: scale_of(tree, rules), put_replicas)
    obj = await registry.update(info.namespace, info.name, change, by, face=face)
    return _show(request, scale_of(registry.tree_of(obj), rules))


async def _reader(request: Request, info: RequestInfo) -> Callable[[], Any]:
    """What gives the body's Scale, or its patch."""
    content_type = request.headers.get("content-type", "")
    if info.verb != "patch":
        return await ahead(request.body, decode_as, request.body, content_type, _SCALE)
    kind = patch_kind(request)
    return await ahead(request.body, lambda: decode_patch(request.body, kind)[0])


def _wanted(request: Request, sent: Any, shown: Tree, info: RequestInfo) -> Tree:
    if info.verb == "patch":
        kind = patch_kind(request)
        # A Scale has no lists to merge, so a strategic merge patch does what a merge patch does.
        patched = json_patch(shown, sent) if kind == JSON_PATCH else merge_patch(shown, sent)
        return _checked(patched, info)
    # There have been Scales of other groups and versions, all of the same fields.
    body = {**sent, "apiVersion": _KIND.group_version, "kind": _KIND.kind}
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
    if why := other_kind(tree, _KIND):
        raise invalid_patch(msgspec.json.encode(patched).decode(), why)
    check_names(tree.setdefault("metadata", {}), info.namespace, info.name)
    return tree


def _replicas(wanted: Tree, endpoint: Endpoint, name: str) -> int:
    replicas: int = wanted.get("spec", {}).get("replicas", 0)
    if replicas == _UNSET and endpoint.resource.custom_schema is not None:
        raise bad_request(f'the spec replicas field "{_rules(endpoint).spec}" cannot be empty')
    # A custom resource's are judged with the object, at the field where they are.
    if replicas < 0 and endpoint.resource.custom_schema is None:
        why = "must be greater than or equal to 0"
        raise invalid_object(_KIND.kind, _KIND.group, name, [invalid("spec.replicas", replicas, why)])
    return replicas

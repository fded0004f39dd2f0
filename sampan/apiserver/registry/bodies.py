"""Request bodies: media types, decoding against the resource's schema, and what field validation makes of surprises."""

from __future__ import annotations

import re

import msgspec

from sampan.api import protobuf
from sampan.api.decoding import Admitted, cannot_be_handled, strict_message, unrecognized, warnings_of
from sampan.api.definitions import kinds
from sampan.api.errors import bad_request, invalid, invalid_object, unsupported_media_type
from sampan.api.resource import Resource, Tree
from sampan.api.schema import schema_of
from sampan.api.scheme import is_builtin_group
from sampan.apiserver.registry.largebodies import LARGE_BYTES, ahead, in_turn
from sampan.apiserver.registry.metadata import check_names, drop_repeated_owners
from sampan.lib.http import Request

JSON_TYPES = frozenset(("", "application/json"))
YAML_TYPE = "application/yaml"
ACCEPTED = ("application/json", YAML_TYPE, protobuf.MEDIA_TYPE)


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def is_yaml(content_type: str) -> bool:
    """Whether a body is YAML rather than JSON. Raises StatusError 415 for anything else."""
    if content_type == "application/json":
        return False
    kind = media_type(content_type)
    if kind in JSON_TYPES:
        return False
    if kind == YAML_TYPE:
        return True
    raise unsupported_media_type(ACCEPTED)


def is_protobuf(content_type: str) -> bool:
    return content_type.startswith(protobuf.MEDIA_TYPE)


def decode_protobuf(body: bytes) -> Tree:
    """Raises StatusError 400."""
    try:
        return protobuf.decode(body)
    except protobuf.ProtobufError as error:
        raise bad_request(str(error)) from None


async def read_object(request: Request, resource: Resource, validation: str, warnings: list[str]) -> Tree:
    """`decode_object` of a request's body; where that takes long, not on the event loop. Raises StatusError 400, 415."""
    body, content_type = request.body, request.headers.get("content-type", "")
    if len(body) <= LARGE_BYTES:
        return decode_object(body, content_type, resource, validation, warnings)
    is_json = not is_protobuf(content_type) and not is_yaml(content_type)
    if is_json and (admitted := resource.schema.admit_at_once(body)) is not None:
        return _object(admitted, body, False, resource, validation, warnings)
    return await in_turn(decode_object, body, content_type, resource, validation, warnings)


def read_again(request: Request, resource: Resource, namespace: str, name: str) -> Tree:
    """What `read_object` has read before without a refusal, and was found to be the object of that name."""
    tree = decode_object(request.body, request.headers.get("content-type", ""), resource, "Ignore", [])
    check_names(tree["metadata"], namespace, name)
    drop_repeated_owners(tree["metadata"], [])
    return tree


def decode_object(body: bytes, content_type: str, resource: Resource, validation: str, warnings: list[str]) -> Tree:
    """An object of the resource from a body that need not name its kind. Raises StatusError 400, 415."""
    if is_protobuf(content_type):
        try:
            body, content_type = msgspec.json.encode(protobuf.decode(body)), "application/json"
        except protobuf.ProtobufError as error:
            raise unrecognized(body, resource.kind, str(error)) from None
    as_yaml = is_yaml(content_type)
    admitted = resource.schema.admit(body, yaml=as_yaml, kind=resource.kind, version=resource.group_version)
    return _object(admitted, body, as_yaml, resource, validation, warnings)


def _object(admitted: Admitted, body: bytes, as_yaml: bool, resource: Resource, validation: str, warnings: list[str]) -> Tree:
    tree, strict = admitted
    if str(tree.get("apiVersion", "")).count("/") > 1:
        raise unrecognized(body, resource.kind, f"unexpected GroupVersion string: {tree['apiVersion']}")
    check_kind(tree, resource)
    tree["kind"], tree["apiVersion"] = resource.kind, resource.group_version
    if strict and validation == "Strict":
        raise cannot_be_handled(tree, resource.kind, resource.group_version, strict_message(strict))
    if strict and validation == "Warn":
        warnings.extend(warnings_of(strict))
    metadata = tree.get("metadata")
    if not isinstance(metadata, dict):
        tree["metadata"] = {}
    elif not as_yaml and b"managedFields" in body and _may_forget(resource, metadata) and _forgets_owners(body):
        metadata["managedFields"] = []
    return tree


class _Metadata(msgspec.Struct):
    managedFields: list[msgspec.Raw] | None = None


class _OnlyMetadata(msgspec.Struct):
    metadata: _Metadata | None = None


_decode_managed = msgspec.json.Decoder(_OnlyMetadata).decode


def _may_forget(resource: Resource, metadata: Tree) -> bool:
    """A custom object's metadata are decoded twice upstream, and the second time an empty list is nothing."""
    return "managedFields" not in metadata and resource.custom_schema is None


def _forgets_owners(body: bytes) -> bool:
    """Whether managedFields are an empty list, which is a wish, though typed decoding takes it for nothing."""
    try:
        metadata = _decode_managed(body).metadata
    except msgspec.DecodeError:
        return False
    return metadata is not None and metadata.managedFields == []


def check_kind(tree: Tree, resource: Resource) -> None:
    """Raises StatusError 400 for an object that says it is something else, 422 where a custom object names another kind."""
    version, kind = tree.get("apiVersion") or resource.group_version, tree.get("kind") or resource.kind
    if (version, kind) == (resource.group_version, resource.kind):
        return
    if kind != resource.kind and resource.custom_schema is not None and version == resource.group_version:
        name = (tree.get("metadata") or {}).get("name", "")
        raise invalid_object(kind, resource.group, name, [invalid("kind", kind, f"must be {resource.kind}")])
    if resource.custom_schema is None and not _is_registered(version, kind):
        where = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
        why = f'no kind "{kind}" is registered for version "{version}" in scheme "{where}"'
        raise cannot_be_handled(tree, resource.kind, resource.group_version, why)
    if kind != resource.kind and resource.custom_schema is None:
        package = resource.group.partition(".")[0] or "core"
        why = f"converting ({version.rpartition('/')[2]}.{kind}) to ({package}.{resource.kind}): unknown conversion"
        raise cannot_be_handled(tree, resource.kind, resource.group_version, why)
    raise bad_request(
        f"the API version in the data ({version}) does not match the expected API version ({resource.group_version})"
    )


_unserved = re.compile(r"(?:extensions|(.*))/v\d+(?:alpha|beta)\d+").fullmatch


def _is_registered(version: str, kind: str) -> bool:
    """Whether upstream has a type for it; it still has those of old versions that it serves no more."""
    old = _unserved(version)
    return (version, kind) in kinds() or (old is not None and is_builtin_group(old[1] or "apps"))


async def read_as(request: Request, definition: str) -> Tree:
    """`decode_as` of a request's body; of a large one not on the event loop. Raises StatusError 400, 415."""
    decode = await ahead(request.body, decode_as, request.body, request.headers.get("content-type", ""), definition)
    return decode()


def decode_as(body: bytes, content_type: str, definition: str) -> Tree:
    """A body of a kind that is not stored (DeleteOptions, Scale, Binding, Eviction), of whatever version it says. Raises
    StatusError 400, 415."""
    *_, version, kind = definition.split(".")
    if is_protobuf(content_type):
        body, content_type = msgspec.json.encode(decode_protobuf(body)), "application/json"
    tree = schema_of(definition).admit(body, yaml=is_yaml(content_type), kind=kind, version=version).tree
    if tree.get("kind", kind) != kind:
        raise cannot_be_handled(tree, kind, version, f"decoded object cannot be converted to {kind}")
    return tree

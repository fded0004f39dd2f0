"""OpenAPI documents: version 3 by group-version with an index of them, version 2 as one, in JSON and in protobuf.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition. Documents are made when first asked
for and kept as bytes; they go with the scheme they were made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from sampan import GIT_VERSION
from sampan.api import openapi_v2_proto
from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.discovery import Catalogue, Served
from sampan.api.openapi_custom import custom_definitions, raw_schema
from sampan.api.openapi_definitions import V2_PREFIX, V3_PREFIX, reached
from sampan.api.openapi_paths import DELETE_OPTIONS, STATUS, TEXT, Operation, Parameter, Path, paths, root_path

Tree = dict[str, Any]

V2_PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V2_PROTOBUF_DOTTED: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""The content type of the answer: "@" may not stand in one, so that upstream writes a dot."""

_INFO: Final = {"title": "Kubernetes", "version": GIT_VERSION.partition("+")[0]}
_SECURITY: Final = {
    "BearerToken": {"type": "apiKey", "name": "authorization", "in": "header", "description": "Bearer Token authentication"}
}
_MEDIA: Final = ("application/json", "application/yaml")
_WATCH_MEDIA: Final = "application/json;stream=watch"


class OpenAPI:
    """The documents of what a catalogue holds. Each method gives their bytes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._made: dict[str, bytes] = {}
        self._v3_made: dict[tuple[str, str], tuple[str, bytes]] = {}
        """By group and version: the hash and the document, which outlasts changes of others."""
        self._generation = -1

    def _document(self, name: str, make: Callable[[], bytes]) -> bytes:
        if self._generation != self.catalogue.scheme.generation:
            self._made.clear()
            served = set(self._group_versions())
            self._v3_made = {key: made for key, made in self._v3_made.items() if key in served}
            self._generation = self.catalogue.scheme.generation
        document = self._made.get(name)
        if document is None:
            document = self._made[name] = make()
        return document

    def v3_index(self) -> bytes:
        """`/openapi/v3`."""
        return self._document("index", lambda: msgspec.json.encode({"paths": self._index()}))

    def _index(self) -> Tree:
        entries = dict(map(self._entry, self._group_versions()))
        for each in self.catalogue.foreign():
            if each.v3_url:
                entries[f"apis/{each.group}/{each.version}"] = {"serverRelativeURL": each.v3_url}
        return entries

    def _group_versions(self) -> list[tuple[str, str]]:
        return self.catalogue.group_versions()

    def _entry(self, group_version: tuple[str, str]) -> tuple[str, Tree]:
        path = root_path(*group_version)
        return path[1:], {"serverRelativeURL": f"/openapi/v3{path}?hash={self.v3_hash(*group_version)}"}

    def v3_hash(self, group: str, version: str) -> str:
        """Names the content of a group-version's document, without making it: all it is made from goes in."""
        return self._document(f"hash {group}/{version}", lambda: self._v3_hash(group, version)).decode()

    def _v3_hash(self, group: str, version: str) -> bytes:
        served = [GIT_VERSION, group, version, *map(_content, self.catalogue.resources(group, version))]
        return hashlib.sha512("\n".join(served).encode()).hexdigest().upper().encode()

    def v3(self, group: str, version: str) -> bytes | None:
        """`/openapi/v3/api/VERSION` and `/openapi/v3/apis/GROUP/VERSION`; None where there is no such thing."""
        if (group, version) not in self._group_versions():
            return None
        digest, document = self._v3_made.get((group, version), ("", b""))
        wanted = self.v3_hash(group, version)
        if digest != wanted:
            document = msgspec.json.encode(self._v3(group, version))
            self._v3_made[group, version] = wanted, document
        return document

    def _v3(self, group: str, version: str) -> Tree:
        found = list(paths(self.catalogue, group, version))
        custom = custom_definitions(self.catalogue.resources(group, version), v3=True)
        return {
            "openapi": "3.0.0",
            "info": {**_INFO, "version": "unversioned" if not group else _INFO["version"]},
            "paths": {path.path: _path_v3(path) for path in found},
            "components": {"schemas": reached(_roots(found), custom, v3=True), "securitySchemes": _SECURITY},
        }

    def v2_json(self) -> bytes:
        """`/openapi/v2`."""
        return self._document("v2", lambda: msgspec.json.encode(self._v2()))

    def v2_protobuf(self) -> bytes:
        """`/openapi/v2` as gnostic's protobuf message."""
        return self._document("v2 protobuf", lambda: openapi_v2_proto.encode(self._v2()))

    def _v2(self) -> Tree:
        versions = self._group_versions()
        found = [path for group, version in versions for path in paths(self.catalogue, group, version)]
        served = (each for group, version in versions for each in self.catalogue.resources(group, version))
        custom = custom_definitions(served, v3=False)
        own: Tree = {path.path: _path_v2(path) for path in sorted(found, key=lambda path: path.path)}
        known = reached(_roots(found), custom, v3=False)
        for each in self.catalogue.foreign():
            own |= each.v2.get("paths", {})
            known = {**each.v2.get("definitions", {}), **known}
        return {
            "swagger": "2.0",
            "info": _INFO,
            "paths": own,
            "definitions": known,
            "securityDefinitions": _SECURITY,
            "security": [{"BearerToken": []}],
        }


def _content(served: Served) -> str:
    """All that a resource's part of a document is made from, as far as it can change."""
    plain = repr(served._replace(resource=None))
    schema = served.resource.custom_schema if served.resource is not None else None
    if served.resource is None or not isinstance(schema, CustomSchema):
        return plain
    raw = msgspec.json.encode((raw_schema(schema), schema.preserves)).decode()
    return f"{plain} {served.resource.list_kind} {tuple(served.resource.selectable)} {raw}"


def _roots(found: Iterable[Path]) -> set[str]:
    """The definitions that paths speak of."""
    roots = {STATUS, DELETE_OPTIONS}
    for path in found:
        for operation in path.operations:
            roots.update((operation.answer, operation.body))
    return roots


def _extensions(operation: Operation) -> Tree:
    kind = {"group": operation.group, "kind": operation.kind, "version": operation.version}
    return {"x-kubernetes-action": operation.action, "x-kubernetes-group-version-kind": kind}


def _codes(operation: Operation) -> Iterable[tuple[str, str, bool]]:
    """(code, its words, whether an object comes with it)."""
    for code in operation.codes:
        yield str(code), HTTPStatus(code).phrase, operation.answer_known
    yield "401", "Unauthorized", False


# Version 2


def _schema_v2(name: str) -> Tree:
    return {"type": "string"} if name == TEXT else {"$ref": V2_PREFIX + name}


def _parameter_v2(parameter: Parameter) -> Tree:
    tree: Tree = {"description": parameter.description, "in": parameter.place, "name": parameter.name, "type": parameter.type}
    if parameter.place == "path":
        tree["required"] = True
    return {**tree, "uniqueItems": True}


def _path_v2(path: Path) -> Tree:
    operations = {operation.method: _operation_v2(operation) for operation in path.operations}
    return {**operations, "parameters": [_parameter_v2(parameter) for parameter in path.parameters]}


def _operation_v2(operation: Operation) -> Tree:
    parameters = [_parameter_v2(parameter) for parameter in operation.parameters]
    if operation.body:
        body: Tree = {"in": "body", "name": "body", "schema": _schema_v2(operation.body)}
        parameters.insert(0, {**body, "required": True} if operation.body_required else body)
    responses = {
        code: {"description": words, **({"schema": _schema_v2(operation.answer)} if has_body else {})}
        for code, words, has_body in _codes(operation)
    }
    tree: Tree = {
        "consumes": list(operation.patches) if operation.method == "patch" else ["*/*"],
        "description": operation.description,
        "operationId": operation.id,
        "produces": [*_MEDIA, _WATCH_MEDIA] if operation.streams else list(_MEDIA),
        "responses": responses,
        "schemes": ["https"],
        "tags": [operation.tag],
    }
    return {**tree, **({"parameters": parameters} if parameters else {}), **_extensions(operation)}


# Version 3


def _schema_v3(name: str) -> Tree:
    return {"type": "string"} if name == TEXT else {"$ref": V3_PREFIX + name}


def _parameter_v3(parameter: Parameter) -> Tree:
    schema = {"type": parameter.type, "uniqueItems": True}
    tree: Tree = {"description": parameter.description, "in": parameter.place, "name": parameter.name, "schema": schema}
    return {**tree, "required": True} if parameter.place == "path" else tree


def _path_v3(path: Path) -> Tree:
    operations = {operation.method: _operation_v3(operation) for operation in path.operations}
    return {**operations, "parameters": [_parameter_v3(parameter) for parameter in path.parameters]}


def _operation_v3(operation: Operation) -> Tree:
    media = [*_MEDIA, _WATCH_MEDIA] if operation.streams else _MEDIA
    content = {"content": {medium: {"schema": _schema_v3(operation.answer)} for medium in media}}
    tree: Tree = {
        "description": operation.description,
        "operationId": operation.id,
        "responses": {
            code: {"description": words, **(content if has_body else {})} for code, words, has_body in _codes(operation)
        },
        "tags": [operation.tag],
        **_extensions(operation),
    }
    if operation.parameters:
        tree["parameters"] = [_parameter_v3(parameter) for parameter in operation.parameters]
    if operation.body:
        types = operation.patches if operation.method == "patch" else ("*/*",)
        body: Tree = {"content": {type_: {"schema": _schema_v3(operation.body)} for type_ in types}}
        tree["requestBody"] = {**body, "required": True} if operation.body_required else body
    return tree

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
from sampan.api import definitions, openapi_v2_proto
from sampan.api.discovery import Catalogue
from sampan.api.openapi_definitions import V2_PREFIX, V3_PREFIX, reached
from sampan.api.openapi_paths import DELETE_OPTIONS, PATCH_TYPES, STATUS, TEXT, Operation, Parameter, Path, paths, root_path

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
        self._generation = -1

    def _document(self, name: str, make: Callable[[], bytes]) -> bytes:
        if self._generation != self.catalogue.scheme.generation:
            self._made.clear()
            self._generation = self.catalogue.scheme.generation
        document = self._made.get(name)
        if document is None:
            document = self._made[name] = make()
        return document

    def v3_index(self) -> bytes:
        """`/openapi/v3`."""
        return self._document("index", lambda: msgspec.json.encode({"paths": dict(map(self._entry, self._group_versions()))}))

    def _group_versions(self) -> list[tuple[str, str]]:
        return self.catalogue.group_versions()

    def _entry(self, group_version: tuple[str, str]) -> tuple[str, Tree]:
        path = root_path(*group_version)
        return path[1:], {"serverRelativeURL": f"/openapi/v3{path}?hash={self.v3_hash(*group_version)}"}

    def v3_hash(self, group: str, version: str) -> str:
        """Names the content of a group-version's document, without making it: all it is made from goes in."""
        served = [GIT_VERSION, group, version, *map(repr, self.catalogue.resources(group, version))]
        return hashlib.sha512("\n".join(served).encode()).hexdigest().upper()

    def v3(self, group: str, version: str) -> bytes | None:
        """`/openapi/v3/api/VERSION` and `/openapi/v3/apis/GROUP/VERSION`; None where there is no such thing."""
        if (group, version) not in self._group_versions():
            return None
        return self._document(f"v3 {group}/{version}", lambda: msgspec.json.encode(self._v3(group, version)))

    def _v3(self, group: str, version: str) -> Tree:
        found = list(paths(self.catalogue, group, version))
        return {
            "openapi": "3.0.0",
            "info": {**_INFO, "version": "unversioned" if not group else _INFO["version"]},
            "paths": {path.path: _path_v3(path) for path in found},
            "components": {"schemas": reached(_roots(found), v3=True), "securitySchemes": _SECURITY},
        }

    def v2_json(self) -> bytes:
        """`/openapi/v2`."""
        return self._document("v2", lambda: msgspec.json.encode(self._v2()))

    def v2_protobuf(self) -> bytes:
        """`/openapi/v2` as gnostic's protobuf message."""
        return self._document("v2 protobuf", lambda: openapi_v2_proto.encode(self._v2()))

    def _v2(self) -> Tree:
        found = [path for group, version in self._group_versions() for path in paths(self.catalogue, group, version)]
        return {
            "swagger": "2.0",
            "info": _INFO,
            "paths": {path.path: _path_v2(path) for path in sorted(found, key=lambda path: path.path)},
            "definitions": reached(_roots(found), v3=False),
            "securityDefinitions": _SECURITY,
            "security": [{"BearerToken": []}],
        }


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


def _known(name: str) -> bool:
    return name in definitions.names()


def _codes(operation: Operation) -> Iterable[tuple[str, str, bool]]:
    """(code, its words, whether an object comes with it)."""
    for code in operation.codes:
        yield str(code), HTTPStatus(code).phrase, operation.answer == TEXT or _known(operation.answer)
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
        "consumes": list(PATCH_TYPES) if operation.method == "patch" else ["*/*"],
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
        types = PATCH_TYPES if operation.method == "patch" else ("*/*",)
        body: Tree = {"content": {type_: {"schema": _schema_v3(operation.body)} for type_ in types}}
        tree["requestBody"] = {**body, "required": True} if operation.body_required else body
    return tree

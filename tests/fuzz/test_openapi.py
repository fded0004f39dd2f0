"""Requests that schemathesis makes up from the server's own OpenAPI documents, which are valid and tell what is answered."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
import schemathesis
from requests import Request

from sampan.api.scheme import builtin
from sampan.client.transport import EscapedPath
from tests.fuzz.arena import KINDS, SECONDS, Arena, explore, make, path_of

OPERATIONS, EXAMPLES = 6, 3
GROUP_VERSIONS = [f"apis/{group}/{version}" if group else f"api/{version}" for group, version in builtin().group_versions()]
_PATH = "/openapi/v3/"
_METHODS = ("get", "put", "post", "delete", "patch")


class Document(NamedTuple):
    raw: dict[str, Any]
    schema: Any


def document(arena: Arena, path: str) -> Document:
    raw = arena.run(arena.served.get(path)).tree
    return Document(raw, schemathesis.openapi.from_dict(raw))


@pytest.mark.parametrize("path", ["/openapi/v2", *(_PATH + name for name in GROUP_VERSIONS)])
def test_a_document_is_valid_and_nothing_that_it_refers_to_is_missing(arena: Arena, path: str) -> None:
    raw, schema = document(arena, path)
    schema.validate()
    for reference in set(_references(raw)):
        found: Any = raw
        for part in reference.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
    named = [operation["operationId"] for item in raw["paths"].values() for _, operation in _operations(item)]
    assert len(named) == len(set(named)) > 0
    for template, item in raw["paths"].items():
        for _, operation in _operations(item):
            parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
            places = {parameter["name"] for parameter in (_whole(raw, p) for p in parameters) if parameter["in"] == "path"}
            assert places == {part[1:-1] for part in template.split("/") if part.startswith("{")}, template


def _operations(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((method, item[method]) for method in _METHODS if method in item)


def _whole(raw: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = raw
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


@pytest.mark.parametrize("resource", KINDS, ids=lambda resource: f"{resource.plural}.{resource.group}.{resource.version}")
def test_an_object_is_what_the_document_of_its_version_says(arena: Arena, resource: Any) -> None:
    name = f"apis/{resource.group_version}" if resource.group else f"api/{resource.version}"
    raw = arena.run(arena.served.get(_PATH + name)).tree
    made = arena.run(make(arena, resource, "documented"))
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    schemas = raw["components"]["schemas"]
    found = next(key for key, schema in schemas.items() if gvk in schema.get("x-kubernetes-group-version-kind", ()))
    checked = jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{found}", "components": raw["components"]})
    assert _problems(checked, made.tree) == []
    listed = arena.run(arena.ask("GET", path_of(resource)))
    list_of = jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{found}List", "components": raw["components"]})
    assert _problems(list_of, listed.tree) == []


def _problems(validator: Any, tree: Any) -> list[str]:
    """But for fields that are not there and that Go writes as null, which no document of upstream's tells."""
    return [str(error) for error in validator.iter_errors(tree) if error.instance is not None]


@pytest.mark.parametrize("path", ["/openapi/v2", *(_PATH + name for name in GROUP_VERSIONS)])
def test_no_request_made_up_from_a_document_breaks_the_server(arena: Arena, path: str) -> None:
    _, schema = document(arena, path)
    operations = [result.ok() for result in schema.get_all_operations()]
    random.Random(time.time() if SECONDS else path).shuffle(operations)
    end = time.monotonic() + SECONDS
    for operation in operations[: len(operations) if SECONDS else OPERATIONS]:
        if "/watch/" not in operation.path:
            explore(operation.as_strategy(), EXAMPLES, lambda case: arena.run(_send(arena, case)))
        if SECONDS and time.monotonic() > end:
            break


async def _send(arena: Arena, case: Any) -> None:
    wanted = case.as_transport_kwargs(base_url="http://localhost")
    query = {name: value for name, value in (wanted.pop("params", None) or {}).items() if name not in ("watch", "follow")}
    media = wanted.pop("headers").get("Content-Type", "application/json")
    wanted.pop("cookies", None)
    request = Request(params=query, **wanted).prepare()
    body = request.body or b""
    body = body if isinstance(body, bytes) else str(body).encode(errors="replace")
    await arena.ask(case.method.upper(), EscapedPath(request.path_url), body, content_type=media)

"""Objects over the API: create, read, replace, and what happens when clients disagree."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.apiserver.answers import warning_headers
from tests.component.conftest import Api, Served, core

CONFIG_MAPS = core("configmaps", "default")
A = core("configmaps", "default", "a")


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_what_was_created_can_be_read_back(api: Api) -> None:
    async def scenario(server: Served) -> None:
        created = await server.create("configmaps", config_map(x="1"))
        assert created.status == 201
        read = await server.get(A)
        assert (read.status, read.body) == (200, created.body)
        meta = read.tree["metadata"]
        assert (meta["name"], meta["namespace"]) == ("a", "default")
        assert meta["uid"] and meta["creationTimestamp"] and int(meta["resourceVersion"]) > 0

    api(scenario)


def test_a_name_can_be_taken_once(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answers = await asyncio.gather(*(server.create("configmaps", config_map()) for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
        again = next(answer for answer in answers if answer.status == 409)
        assert (again.tree["reason"], again.message) == ("AlreadyExists", 'configmaps "a" already exists')

    api(scenario)


def test_a_name_is_generated_from_its_prefix(api: Api) -> None:
    async def scenario(server: Served) -> None:
        tree = {"metadata": {"generateName": "job-"}}
        names = {(await server.create("configmaps", tree)).tree["metadata"]["name"] for _ in range(5)}
        assert len(names) == 5
        assert all(name.startswith("job-") and len(name) == 9 for name in names)

    api(scenario)


@pytest.mark.parametrize(
    ("tree", "status", "message"),
    [
        (
            {"metadata": {"name": "a", "resourceVersion": "5"}},
            400,
            "resourceVersion should not be set on objects to be created",
        ),
        (
            {"metadata": {"name": "a", "namespace": "other"}},
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}},
            400,
            'Secret in version "v1" cannot be handled as a ConfigMap: '
            "converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
        (
            {"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "a"}},
            400,
            'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" '
            'in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"',
        ),
        (
            {"metadata": {}},
            422,
            'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
        ),
    ],
)
def test_a_create_that_contradicts_itself_is_refused(api: Api, tree: dict[str, Any], status: int, message: str) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.create("configmaps", tree)
        assert (answer.status, answer.message) == (status, message)

    api(scenario)


def test_a_replace_needs_the_newest_revision(api: Api) -> None:
    async def scenario(server: Served) -> None:
        first = (await server.create("configmaps", config_map(x="1"))).tree
        first["data"]["x"] = "2"
        assert (await server.update("configmaps", first)).status == 200
        stale = await server.update("configmaps", first)
        assert (stale.status, stale.tree["reason"]) == (409, "Conflict")
        assert stale.message == (
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )
        del first["metadata"]["resourceVersion"]
        first["data"]["x"] = "3"
        assert (await server.update("configmaps", first)).tree["data"] == {"x": "3"}

    api(scenario)


def test_a_replace_of_another_life_of_the_object_is_a_conflict(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", config_map())
        answer = await server.update("configmaps", {"metadata": {"name": "a", "uid": "another"}})
        assert answer.status == 409
        assert "Precondition failed: UID in precondition: another, UID in object meta: " in answer.message

    api(scenario)


def test_a_replace_must_name_what_the_url_names(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", config_map())
        wrong = await server.request("PUT", A, config_map("b"))
        assert (wrong.status, wrong.message) == (400, "the name of the object (b) does not match the name on the URL (a)")
        missing = await server.request("PUT", core("configmaps", "default", "c"), config_map("c"))
        assert (missing.status, missing.message) == (404, 'configmaps "c" not found')

    api(scenario)


def test_an_update_that_changes_nothing_writes_nothing(api: Api) -> None:
    async def scenario(server: Served) -> None:
        tree = (await server.create("configmaps", config_map(x="1"))).tree
        same = await server.update("configmaps", tree)
        assert same.tree["metadata"]["resourceVersion"] == tree["metadata"]["resourceVersion"]

    api(scenario)


def test_metadata_of_the_server_survives_a_replace(api: Api) -> None:
    async def scenario(server: Served) -> None:
        before = (await server.create("configmaps", config_map(x="1"))).tree["metadata"]
        after = (await server.update("configmaps", config_map(x="2"))).tree["metadata"]
        assert (after["uid"], after["creationTimestamp"]) == (before["uid"], before["creationTimestamp"])

    api(scenario)


def test_a_dry_run_answers_and_stores_nothing(api: Api) -> None:
    async def scenario(server: Served) -> None:
        dry = {"dryRun": "All"}
        answer = await server.create("configmaps", config_map(), query=dry)
        assert answer.status == 201 and "resourceVersion" not in answer.tree["metadata"]
        assert (await server.get(A)).status == 404
        tree = (await server.create("configmaps", config_map(x="1"))).tree
        tree["data"] = {"x": "2"}
        assert (await server.update("configmaps", tree, query=dry)).tree["data"] == {"x": "2"}
        assert (await server.delete(A, query=dry)).status == 200
        assert (await server.get(A)).tree["data"] == {"x": "1"}
        bad = await server.create("configmaps", config_map(), query={"dryRun": "Some"})
        assert bad.status == 422

    api(scenario)


@pytest.mark.parametrize(
    ("validation", "status", "warnings"),
    [("Strict", 400, []), ("Warn", 201, ['299 - "unknown field \\"foo\\""']), ("Ignore", 201, []), ("", 201, None)],
)
def test_unknown_fields_are_met_as_the_client_asks(api: Api, validation: str, status: int, warnings: list[str] | None) -> None:
    async def scenario(server: Served) -> None:
        query = {"fieldValidation": validation} if validation else {}
        answer = await server.create("configmaps", {**config_map(), "foo": 1}, query=query)
        assert answer.status == status
        if status == 400:
            why = 'strict decoding error: unknown field "foo"'
            assert answer.message == f'ConfigMap in version "v1" cannot be handled as a ConfigMap: {why}'
        if warnings is not None:
            assert answer.header("Warning") == warnings

    api(scenario)


def test_bodies_may_be_yaml_but_not_anything(api: Api) -> None:
    async def scenario(server: Served) -> None:
        body = b"metadata:\n  name: a\ndata:\n  x: '1'\n"
        answer = await server.request("POST", CONFIG_MAPS, body, content_type="application/yaml")
        assert (answer.status, answer.tree["data"]) == (201, {"x": "1"})
        answer = await server.request("POST", CONFIG_MAPS, b"x", content_type="text/plain")
        assert (answer.status, answer.tree["reason"]) == (415, "UnsupportedMediaType")
        answer = await server.request("POST", CONFIG_MAPS, b"{", content_type="application/json")
        assert (answer.status, answer.tree["reason"]) == (400, "BadRequest")
        answer = await server.request("POST", CONFIG_MAPS, {"metadata": {"name": 5}})
        assert answer.status == 400 and "cannot be handled as a ConfigMap: json: cannot unmarshal" in answer.message

    api(scenario)


def test_what_yaml_says_twice_is_warned_of_line_by_line(api: Api) -> None:
    async def scenario(server: Served) -> None:
        body = b"metadata:\n  name: a\ndata:\n  x: '1'\n  x: '2'\n  z: '1'\n  z: '2'\nDATA: 1\n"
        answer = await server.request("POST", CONFIG_MAPS, body, content_type="application/yaml")
        assert (answer.status, answer.tree["data"]) == (201, {"x": "2", "z": "2"})
        lines = ['299 - "line 5: key \\"x\\" already set in map"', '299 - "line 7: key \\"z\\" already set in map"']
        assert answer.header("Warning") == [", ".join([*lines, '299 - "unknown field \\"DATA\\""'])]

    api(scenario)


def test_warnings_are_cut_where_there_are_too_many() -> None:
    assert warning_headers(["a", "b\n", "a", "", 'say "x\\"']) == (
        ("Warning", '299 - "a"'),
        ("Warning", '299 - "say \\"x\\\\\\""'),
    )
    many = warning_headers([f"{index:04}" + "x" * 400 for index in range(100)])
    assert len(many) == 16 and all(len(text) == len('299 - ""') + 256 for _, text in many)


def test_answers_take_the_form_the_client_prefers(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", config_map(x="1"))
        assert (await server.get(A, accept="application/yaml")).body.startswith(b"apiVersion: v1\n")
        assert b'\n  "kind": "ConfigMap"' in (await server.get(A, query={"pretty": "true"})).body
        refused = await server.get(A, accept="application/vnd.kubernetes.protobuf")
        assert (refused.status, refused.tree["reason"]) == (406, "NotAcceptable")
        both = await server.get(A, accept="application/vnd.kubernetes.protobuf, application/json")
        assert both.tree["kind"] == "ConfigMap"
        partial = await server.get(A, accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json")
        assert (partial.tree["kind"], partial.tree["metadata"]["name"]) == ("PartialObjectMetadata", "a")
        assert "data" not in partial.tree

    api(scenario)


def test_large_answers_are_compressed_for_those_who_ask(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", config_map(x="y" * 200_000))
        plain = await server.get(A)
        assert len(plain.body) > 200_000 and not plain.header("Content-Encoding")
        packed = await server.get(A, headers=[("Accept-Encoding", "gzip")])
        assert packed.header("Content-Encoding") == ["gzip"] and len(packed.body) < 10_000

    api(scenario)


def test_methods_that_mean_nothing_at_a_place_are_refused(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for method, path in (("PUT", CONFIG_MAPS), ("POST", A), ("POST", core("configmaps")), ("PATCH", CONFIG_MAPS)):
            assert (await server.request(method, path, config_map())).status == 405, (method, path)
        for path in (core("configmaps", "", "a"), "/api/v1/namespaces/default/nodes", "/api/v1/nothings", A + "/nothing"):
            answer = await server.get(path)
            assert (answer.status, answer.message) == (404, "the server could not find the requested resource"), path
        assert (await server.get("/apis/nothing.io/v1/things")).body == b"404 page not found\n"

    api(scenario)


def test_both_forms_of_an_event_are_one_object(api: Api) -> None:
    async def scenario(server: Served) -> None:
        event = {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
            "reason": "Started",
            "message": "hello",
            "type": "Normal",
        }
        assert (await server.create("events", event)).status == 201
        path = "/apis/events.k8s.io/v1/namespaces/default/events"
        shown = (await server.get(path + "/e")).tree
        assert (shown["apiVersion"], shown["note"], shown["regarding"]["name"]) == ("events.k8s.io/v1", "hello", "p")
        listed = (await server.get(path, query={"fieldSelector": "regarding.name=p"})).tree
        assert (listed["kind"], len(listed["items"])) == ("EventList", 1)
        assert (await server.get(path, query={"fieldSelector": "regarding.name=q"})).tree["items"] == []
        patched = await server.patch(path + "/e", {"metadata": {"labels": {"a": "b"}}})
        assert patched.status == 200
        assert (await server.get(core("events", "default", "e"))).tree["metadata"]["labels"] == {"a": "b"}
        assert (await server.delete(path + "/e")).status == 200
        assert (await server.get(core("events", "default", "e"))).status == 404
        assert (await server.get(f"{path}/e")).message == 'events.events.k8s.io "e" not found'
        odd = {"metadata": {"name": "e"}, "reason": "r", "reportingController": "c", "regarding": event["involvedObject"]}
        # What is wrong is wrong with what is stored, which is core's.
        assert (await server.request("POST", path, odd)).message.startswith('Event "e" is invalid: ')

    api(scenario)

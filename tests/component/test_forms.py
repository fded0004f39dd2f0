"""The forms in which answers come: what Accept, the query and the client's name make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sampan.apiserver.negotiation import negotiate
from sampan.client.transport import Transport
from tests.component.conftest import Api, Served, core

CONFIG_MAPS = core("configmaps", "default")
A = f"{CONFIG_MAPS}/a"
META = "g=meta.k8s.io;v=v1"
TABLE = f"application/json;as=Table;{META}"
PARTIAL = f"application/json;as=PartialObjectMetadata;{META}"
PARTIAL_LIST = f"application/json;as=PartialObjectMetadataList;{META}"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ONLY = "only the following media types are accepted: "

CHOSEN = [
    ("", "application/json", ""),
    ("*/*", "application/json", ""),
    ("application/*", "application/json", ""),
    (f"{PROTOBUF},application/json", "application/json", ""),
    ("application/yaml, application/json", "application/yaml", ""),
    ("application/yaml;q=0.5, application/json;q=0.9", "application/json", ""),
    ("*/*, application/yaml", "application/yaml", ""),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json", ""),
    (f"{TABLE},{TABLE}beta1,application/json", "application/json", "Table"),
    (f"application/yaml;as=Table;{META}", "application/yaml", "Table"),
    (f"{PROTOBUF};as=PartialObjectMetadata;{META},{PARTIAL},application/json", "application/json", "PartialObjectMetadata"),
    ("application/json;as=Table;g=meta.k8s.io;v=v9,application/json", "application/json", ""),
    ("application/json;as=Chair;g=meta.k8s.io;v=v1,application/json", "application/json", ""),
    ("application/json;g=meta.k8s.io, application/yaml", "application/yaml", ""),
    ("application/json;stream=watch", "application/json", ""),
    ("application/yaml;stream=watch, application/json", "application/json", ""),
    ("application/json;charset=utf-8", "application/json", ""),
]


@pytest.mark.parametrize(("accept", "media_type", "shown_as"), CHOSEN)
def test_a_client_gets_the_first_form_of_its_list_that_there_is(accept: str, media_type: str, shown_as: str) -> None:
    assert negotiate(accept)[:2] == (media_type, shown_as)


def test_forms_that_there_are_not_are_refused_before_anything_is_done(api: Api) -> None:
    async def scenario(server: Served) -> None:
        tree = {"metadata": {"name": "a"}}
        for accept in (PROTOBUF, "text/plain", "application/json;as=Chair;g=meta.k8s.io;v=v1"):
            refused = await server.create("configmaps", tree, accept=accept)
            assert (refused.status, refused.tree["reason"]) == (406, "NotAcceptable")
            assert refused.message == ONLY + "application/json, application/yaml"
        assert (await server.get(A)).status == 404
        await server.create("configmaps", tree)
        for method in ("PUT", "DELETE"):
            assert (await server.request(method, A, tree, accept="text/plain")).status == 406
        assert (await server.patch(A, {"data": {"x": "y"}}, accept="text/plain")).status == 406
        assert (await server.delete(CONFIG_MAPS, accept="text/plain")).status == 406
        assert "data" not in (await server.get(A)).tree

    api(scenario)


def test_objects_and_lists_are_not_taken_for_each_other(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", {"metadata": {"name": "a"}})
        wrong = await server.get(A, accept=PARTIAL_LIST)
        assert wrong.status == 406
        assert wrong.message == (
            "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)"
        )
        wrong = await server.get(CONFIG_MAPS, accept=PARTIAL)
        assert wrong.status == 406
        assert wrong.message == (
            "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)"
        )
        assert (await server.get(A, accept=PARTIAL)).tree["kind"] == "PartialObjectMetadata"
        assert (await server.get(CONFIG_MAPS, accept=PARTIAL_LIST)).tree["kind"] == "PartialObjectMetadataList"

    api(scenario)


def test_a_table_says_what_may_go_along(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", {"metadata": {"name": "a"}})
        wrong = await server.get(A, accept=TABLE, query={"includeObject": "All"})
        assert (wrong.status, wrong.message) == (
            400,
            'Unable to convert to Table as requested: includeObject: Invalid value: "All": '
            "must be 'Metadata', 'Object', 'None', or empty",
        )
        plain = await server.get(A, accept=TABLE, query={"includeObject": ""})
        assert plain.tree["rows"][0]["object"]["kind"] == "PartialObjectMetadata"

    api(scenario)


def test_watches_come_as_json_and_streamed_lists_not_as_tables(api: Api) -> None:
    async def scenario(server: Served) -> None:
        refused = await server.get(CONFIG_MAPS, query={"watch": "1"}, accept="application/yaml")
        assert refused.status == 406
        assert f"message: '{ONLY}application/json;stream=watch'" in refused.body.decode()
        await server.create("configmaps", {"metadata": {"name": "a"}})
        streamed = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        assert (await server.get(CONFIG_MAPS, query={"watch": "1", **streamed}, accept=TABLE)).status == 406
        async with server.watch(CONFIG_MAPS, streamed, accept=f"{TABLE},{PARTIAL}") as events:
            assert [(await events.next())[1]["kind"] for _ in range(2)] == ["PartialObjectMetadata"] * 2
        async with server.watch(CONFIG_MAPS, accept=f"{PROTOBUF};stream=watch,application/json;stream=watch") as events:
            assert await events.names(1) == [("ADDED", "a")]

    api(scenario)


def test_people_get_their_json_indented(api: Api) -> None:
    async def scenario(server: Served) -> None:
        async def asked(path: str, agent: str, query: dict[str, str] | None = None, **options: Any) -> bool:
            transport = Transport(replace(server.admin, user_agent=agent))
            answer = await server.get(path, query=query or {}, by=transport, **options)
            await transport.close()
            return answer.body.startswith((b'{\n  "kind"', b'{\n  "major"'))

        await server.create("configmaps", {"metadata": {"name": "a"}})
        for agent in ("curl/8.5.0", "Wget/1.21", "Mozilla/5.0 (X11; Linux)"):
            assert await asked(A, agent)
            assert not await asked(A, agent, {"pretty": "false"})
            assert await asked(A, agent, {"pretty": ""})
        assert not await asked(A, "kubectl/v1.33")
        assert await asked(A, "kubectl/v1.33", {"pretty": "1"})
        assert not await asked(A, "kubectl/v1.33", {"pretty": "yes"})
        assert await asked(A, "kubectl/v1.33", accept="application/json;pretty=1")
        assert await asked(f"{CONFIG_MAPS}/none", "curl/8")
        for path in ("/api", "/apis", "/apis/apps/v1", "/version"):
            assert await asked(path, "curl/8"), path

    api(scenario)


def test_refusals_and_deletions_are_told_in_the_form_that_the_client_takes(api: Api) -> None:
    async def scenario(server: Served) -> None:
        missing = await server.get(A, accept="application/yaml")
        assert (missing.status, missing.header("Content-Type")) == (404, ["application/yaml"])
        assert b'message: configmaps "a" not found\n' in missing.body
        await server.create("configmaps", {"metadata": {"name": "a"}})
        gone = await server.delete(A, accept="application/yaml")
        assert gone.status == 200 and b"status: Success\n" in gone.body
        assert (await server.get(A, accept=TABLE)).tree["kind"] == "Status"

    api(scenario)


def test_only_large_answers_are_packed(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for name, size in (("small", 100_000), ("large", 140_000)):
            await server.create("configmaps", {"metadata": {"name": name}, "data": {"x": "y" * size}})
        for name, encoding, packed in (
            ("small", "gzip", []), ("large", "gzip", ["gzip"]), ("large", "br, gzip", ["gzip"]), ("large", "gzip;q=0", []),
        ):  # fmt: skip
            answer = await server.get(f"{CONFIG_MAPS}/{name}", headers=[("Accept-Encoding", encoding)])
            assert answer.header("Content-Encoding") == packed, (name, encoding)

    api(scenario)


def test_methods_that_no_resource_has_are_refused(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", {"metadata": {"name": "a"}})
        for method, path in (
            ("HEAD", A), ("HEAD", CONFIG_MAPS), ("OPTIONS", A), ("OPTIONS", "/apis"), ("POST", "/api/v1"), ("PUT", CONFIG_MAPS),
            ("POST", A), ("PATCH", CONFIG_MAPS),
        ):  # fmt: skip
            answer = await server.request(method, path)
            assert answer.status == 405, (method, path)
            if method != "HEAD":
                assert answer.tree == {
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "MethodNotAllowed",
                    "message": "the server does not allow this method on the requested resource", "details": {}, "code": 405,
                }, (method, path)  # fmt: skip

    api(scenario)


def test_no_answer_is_to_be_kept_unless_it_says_so(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for path in (A, CONFIG_MAPS, "/api", "/version", "/healthz", "/openapi/v3"):
            assert (await server.get(path)).header("Cache-Control") == ["no-cache, private"], path
        aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        assert (await server.get("/apis", accept=aggregated)).header("Cache-Control") == ["public"]

    api(scenario)


def test_parameters_that_mean_nothing_are_overlooked_and_of_repeated_ones_the_first_counts(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", {"metadata": {"name": "a"}})
        query = [("colour", "blue"), ("labelSelector", ""), ("fieldSelector", "metadata.name=a"), ("fieldSelector", "x=y")]
        listed = await server.get(CONFIG_MAPS, query=query)
        assert [item["metadata"]["name"] for item in listed.tree["items"]] == ["a"]
        twice = await server.create("configmaps", {"metadata": {"name": "b"}}, query=[("dryRun", "All"), ("dryRun", "Some")])
        assert twice.status == 422
        assert twice.message == (
            'CreateOptions.meta.k8s.io "" is invalid: '
            'dryRun: Unsupported value: []string{"All", "Some"}: supported values: "All"'
        )
        watched = await server.get(A, query={"watch": "true"})
        assert (watched.status, watched.tree["kind"]) == (200, "ConfigMap")

    api(scenario)

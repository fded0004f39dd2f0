"""The aggregation layer: what an extension API server, an APIService or a client cannot make this server do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sampan.lib.http import Response
from tests.component.conftest import Api, Served
from tests.component.extension import APIS, NAME, SERVICES, Joined, json_answer, with_extension
from tests.component.streaming import NAMESPACE

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


async def _touch(joined: Joined, label: str) -> None:
    answer = await joined.served.patch(f"{NAMESPACE}/services/adapter", {"metadata": {"labels": {"look": label}}})
    assert answer.status == 200, answer.body


async def _looked_at(joined: Joined, path: str, times: int = 1) -> None:
    """Return when the extension server has been asked anew for the document at a path."""
    joined.extension.seen.clear()
    await _touch(joined, "again")
    async with asyncio.timeout(10):
        while [request.path for request in joined.extension.seen].count(path) < times:  # noqa: ASYNC110 - the other is asked
            await asyncio.sleep(0.01)


def test_a_redirect_is_not_let_through(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        joined.extension.instead[f"{APIS}/rates"] = Response(302, b"", "", (("Location", "https://example.com/"),))
        for headers in ((), (("Connection", "Upgrade"), ("Upgrade", "websocket"))):
            answer = await joined.served.request("GET", f"{APIS}/rates", headers=headers)
            assert (answer.status, answer.header("location")) == (502, [])
            assert answer.body == b"the backend attempted to redirect this request, which is not permitted"

    with_extension(api, tmp_path, scenario)


def test_who_is_impersonated_is_who_asks(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        joined.extension.seen.clear()
        headers = [("Impersonate-User", "bob"), ("Impersonate-Group", "system:masters"), ("Impersonate-Extra-Team", "a")]
        answer = await joined.served.request("GET", f"{APIS}/rates", headers=headers)
        assert answer.status == 200 and len(answer.header("date")) == 1
        seen = joined.extension.asked[-1]
        assert (seen.headers["x-remote-user"], seen.headers["x-remote-extra-team"]) == ("bob", "a")
        assert not [name for name in seen.headers if name.startswith("impersonate-")]

    with_extension(api, tmp_path, scenario)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/openapi/v3", {"paths": [1]}),
        ("/openapi/v3", {"paths": {APIS[1:]: "x"}}),
        ("/openapi/v2", {"paths": {f"{APIS}/rates": 7}}),
        ("/openapi/v2", {"paths": {f"{APIS}/rates": {"get": {"parameters": 8}}}, "definitions": {}}),
        ("/apis", {"kind": "APIGroupDiscoveryList", "items": [4]}),
        (
            "/apis",
            {
                "kind": "APIGroupDiscoveryList",
                "items": [
                    {"metadata": {"name": "metrics.example.com"}, "versions": [{"version": "v1beta1", "resources": [1]}]}
                ],
            },
        ),
        (APIS, {"kind": "APIResourceList", "resources": [{"name": 5}]}),
        (APIS, {"kind": "APIResourceList", "resources": [{"name": "rates", "verbs": "get"}]}),
    ],
)
def test_nonsense_spoils_neither_this_servers_documents_nor_its_health(
    api: Api, tmp_path: Path, path: str, document: dict[str, Any]
) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        joined.extension.instead[path] = json_answer(document)
        await _looked_at(joined, path, times=2 if path == APIS else 1)  # of a list it is also asked whether it is there
        joined.extension.instead[APIS] = Response(500)
        await _touch(joined, "once-more")
        await joined.becomes("False", "FailedDiscoveryCheck")
        whole = await joined.tree("/apis", accept=DISCOVERY)
        found = next(item for item in whole["items"] if item["metadata"]["name"] == "metrics.example.com")
        assert all(isinstance(resource["verbs"], list) for resource in found["versions"][0]["resources"])
        for own in ("/openapi/v3", "/openapi/v2", "/apis"):
            assert (await joined.served.request("GET", own)).status == 200
        assert (await joined.served.request("GET", "/openapi/v2", accept=PROTOBUF)).status == 200

    with_extension(api, tmp_path, scenario)


def test_parameters_that_paths_share_come_along_with_them(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        shared = {"name": "watch", "in": "query", "type": "boolean", "uniqueItems": True}
        item = {"get": {"responses": {}}, "parameters": [{"$ref": "#/parameters/watch-XNNPZGbK"}]}
        document = {"paths": {f"{APIS}/rates": item}, "definitions": {}, "parameters": {"watch-XNNPZGbK": shared}}
        joined.extension.instead["/openapi/v2"] = json_answer(document)
        await joined.becomes("True", "Passed")
        async with asyncio.timeout(10):
            while f"{APIS}/rates" not in (v2 := await joined.tree("/openapi/v2"))["paths"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert v2["paths"][f"{APIS}/rates"]["parameters"] == [shared]
        assert (await joined.served.request("GET", "/openapi/v2", accept=PROTOBUF)).status == 200

    with_extension(api, tmp_path, scenario)


def test_services_of_others_are_no_reason_to_look_again(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        joined.extension.seen.clear()
        for number in range(20):
            made = await joined.served.create(
                "services", {"metadata": {"name": f"s{number}"}, "spec": {"ports": [{"port": 80}]}}
            )
            assert made.status == 201
            spec = {"group": f"g{number}.example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
            tree = {"metadata": {"name": f"v1.g{number}.example.com"}, "spec": spec}
            assert (await joined.served.request("POST", SERVICES, tree)).status == 201
        await _looked_at(joined, "/openapi/v2")
        looks = [request.path for request in joined.extension.seen].count("/openapi/v2")
        assert looks <= 3, "once for its own condition, once as we ask for it"

    with_extension(api, tmp_path, scenario)


def test_a_service_that_can_not_be_is_said_to_be_absent(api: Api) -> None:
    async def scenario(served: Served) -> None:
        spec = {
            "group": "metrics.example.com", "version": "v1beta1", "groupPriorityMinimum": 1, "versionPriority": 1,
            "service": {"namespace": "default", "name": "["},
        }  # fmt: skip
        assert (await served.request("POST", SERVICES, {"metadata": {"name": NAME}, "spec": spec})).status == 201
        async with asyncio.timeout(10):
            while not (found := (await served.get(f"{SERVICES}/{NAME}")).tree.get("status")):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        condition = found["conditions"][0]
        assert (condition["status"], condition["reason"]) == ("False", "ServiceNotFound")
        assert (await served.get(f"{APIS}/rates")).status == 503
        assert (await served.create("configmaps", {"metadata": {"name": "alive"}})).status == 201

    api(scenario)

"""Paths that are no resources."""

from __future__ import annotations

import pytest

from sampan import GIT_VERSION
from tests.component.conftest import Api, Served


@pytest.mark.parametrize("name", ["healthz", "livez", "readyz"])
def test_health_is_told_as_a_whole_and_by_check(api: Api, name: str) -> None:
    async def scenario(server: Served) -> None:
        assert (await server.get(f"/{name}")).body == b"ok"
        verbose = (await server.get(f"/{name}", query={"verbose": ""})).body.decode()
        assert "[+]ping ok\n" in verbose and verbose.endswith(f"{name} check passed\n")
        assert (await server.get(f"/{name}/ping")).body == b"ok"
        assert (await server.get(f"/{name}/nothing")).status == 404

    api(scenario)


def test_health_and_version_are_for_everybody_and_the_rest_is_not(api: Api) -> None:
    async def scenario(server: Served) -> None:
        nobody = server.connect("nobody")
        for path, status in (("/healthz", 200), ("/version", 200), ("/api", 200), ("/metrics", 403), ("/api/v1/pods", 403)):
            answer = await server.get(path, by=nobody)
            assert answer.status == status, path
        assert (await server.get("/metrics", by=nobody)).message == 'forbidden: User "nobody" cannot get path "/metrics"'

    api(scenario)


def test_the_version_is_kubernetes_own_with_ours_behind(api: Api) -> None:
    async def scenario(server: Served) -> None:
        tree = (await server.get("/version")).tree
        assert (tree["major"], tree["minor"], tree["gitVersion"]) == ("1", "33", GIT_VERSION)

    api(scenario)


def test_requests_are_counted(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.get("/api/v1/namespaces/default/configmaps/nothing")
        for _ in range(2):
            await server.create("configmaps", {"metadata": {"name": "twice"}})
        text = (await server.get("/metrics")).body.decode()
        for code, verb in ((404, "GET"), (201, "POST"), (409, "POST")):
            wanted = (
                f'apiserver_request_total{{code="{code}",dry_run="",group="",resource="configmaps",scope="resource",subresource="",'
                f'verb="{verb}",version="v1"}}'
            )
            assert any(line.startswith(wanted) for line in text.splitlines()), (code, verb)
        assert "apiserver_request_duration_seconds_bucket" in text

    api(scenario)


def test_discovery_lists_what_is_served(api: Api) -> None:
    async def scenario(server: Served) -> None:
        assert (await server.get("/api")).tree["versions"] == ["v1"]
        groups = {group["name"] for group in (await server.get("/apis")).tree["groups"]}
        assert {"apps", "rbac.authorization.k8s.io", "authorization.k8s.io"} <= groups
        core = {resource["name"] for resource in (await server.get("/api/v1")).tree["resources"]}
        assert {"pods", "pods/log", "pods/exec", "pods/binding", "pods/status", "bindings", "namespaces/finalize"} <= core
        apps = {resource["name"] for resource in (await server.get("/apis/apps/v1")).tree["resources"]}
        assert {"deployments", "deployments/scale", "deployments/status"} <= apps
        assert (await server.get("/apis/apps")).tree["preferredVersion"]["groupVersion"] == "apps/v1"
        assert (await server.get("/apis/nothing")).status == 404
        paths = (await server.get("/")).tree["paths"]
        assert {"/api/v1", "/apis/apps/v1", "/healthz", "/metrics"} <= set(paths)

    api(scenario)


def test_discovery_comes_in_one_piece_for_those_who_ask(api: Api) -> None:
    async def scenario(server: Served) -> None:
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        answer = await server.get("/apis", accept=accept)
        assert answer.tree["kind"] == "APIGroupDiscoveryList"
        assert "as=APIGroupDiscoveryList" in answer.header("Content-Type")[0]
        (etag,) = answer.header("ETag")
        again = await server.get("/apis", accept=accept, headers=[("If-None-Match", etag)])
        assert (again.status, again.body) == (304, b"")

    api(scenario)


def test_openapi_is_published_in_both_versions(api: Api) -> None:
    async def scenario(server: Served) -> None:
        index = (await server.get("/openapi/v3")).tree["paths"]
        url = index["apis/apps/v1"]["serverRelativeURL"]
        path, _, query = url.partition("?")
        document = await server.get(path, query={"hash": query.removeprefix("hash=")})
        assert document.tree["openapi"].startswith("3.")
        assert "io.k8s.api.apps.v1.Deployment" in document.tree["components"]["schemas"]
        moved = await server.get(path, query={"hash": "old"})
        assert (moved.status, moved.header("Location")) == (301, [url])
        v2 = await server.get("/openapi/v2")
        assert (v2.tree["swagger"], "/api/v1/pods" in v2.tree["paths"]) == ("2.0", True)
        packed = await server.get("/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
        assert packed.status == 200 and packed.tree is None

    api(scenario)


@pytest.mark.parametrize(
    "accept", ["text/plain", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io", ";", "*/*"]
)
def test_the_index_of_openapi_is_json_whatever_is_accepted(api: Api, accept: str) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.get("/openapi/v3", accept=accept)
        assert (answer.status, answer.header("Content-Type")) == (200, ["application/json"])
        assert "apis/apps/v1" in answer.tree["paths"]

    api(scenario)


def test_what_is_nowhere_is_not_found(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.get("/nowhere")
        assert (answer.status, answer.body) == (404, b"404 page not found\n")

    api(scenario)


def test_made_up_resources_do_not_make_metrics_of_their_own(api: Api) -> None:
    async def scenario(server: Served) -> None:
        nobody = server.connect("nobody")
        for path in ("/api/v1/madeups", "/apis/made.up/v1/pods", "/api/v1/namespaces/default/pods/a/madeup"):
            assert (await server.get(path, by=nobody)).status == 403
        assert (await server.get("/api/v1/namespaces/default/pods/a/log")).status == 404
        exposed = (await server.get("/metrics")).body
        assert b"made" not in exposed
        assert b'resource="pods",scope="resource",subresource="log"' in exposed

    api(scenario)

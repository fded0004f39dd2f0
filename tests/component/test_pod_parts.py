"""`pods/ephemeralcontainers` and `pods/resize` over HTTP."""

from __future__ import annotations

from typing import Any

from tests.component.conftest import Api, Served, core

P = core("pods", "default", "p")
DEBUGGER = {"name": "debug", "image": "busybox:1", "stdin": True, "tty": True, "targetContainerName": "c"}
STRATEGIC = "application/strategic-merge-patch+json"


async def make_pod(server: Served) -> dict[str, Any]:
    assert (await server.create("serviceaccounts", {"metadata": {"name": "default"}})).status == 201
    containers = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "100m"}}}]
    answer = await server.create("pods", {"metadata": {"name": "p"}, "spec": {"containers": containers}})
    assert answer.status == 201, answer.tree
    tree: dict[str, Any] = answer.tree
    return tree


def test_a_debugger_joins_a_pod(api: Api) -> None:
    async def scenario(server: Served) -> None:
        pod = await make_pod(server)
        patched = await server.patch(
            P + "/ephemeralcontainers", {"spec": {"ephemeralContainers": [DEBUGGER], "nodeName": "n"}}, STRATEGIC
        )
        assert patched.status == 200, patched.tree
        spec = patched.tree["spec"]
        assert [container["name"] for container in spec["ephemeralContainers"]] == ["debug"]
        assert "nodeName" not in spec and patched.tree["metadata"]["generation"] == 2
        assert (await server.get(P + "/ephemeralcontainers")).tree == patched.tree == (await server.get(P)).tree
        spec["ephemeralContainers"] = []
        removed = await server.update("pods", patched.tree, subresource="ephemeralcontainers")
        assert (removed.status, removed.tree["details"]["causes"]) == (
            422,
            [
                {
                    "reason": "FieldValueForbidden",
                    "message": 'Forbidden: existing ephemeral containers "debug" may not be removed\n',
                    "field": "spec.ephemeralContainers",
                }
            ],
        )
        stale = await server.update("pods", pod, subresource="ephemeralcontainers")
        assert (stale.status, stale.tree["reason"]) == (409, "Conflict")

    api(scenario)


def test_the_main_resource_leaves_ephemeral_containers_and_resources_alone(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        for change in (
            {"spec": {"ephemeralContainers": [DEBUGGER]}},
            {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}},
        ):
            answer = await server.patch(P, change, STRATEGIC)
            assert answer.status == 422
            assert "pod updates may not change fields other than" in answer.message

    api(scenario)


def test_a_pod_is_resized(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        change = {"spec": {"containers": [{"name": "c", "image": "j", "resources": {"requests": {"cpu": "200m"}}}]}}
        resized = await server.patch(P + "/resize", change, STRATEGIC)
        assert resized.status == 200, resized.tree
        (container,) = resized.tree["spec"]["containers"]
        assert (container["image"], container["resources"]) == ("i", {"requests": {"cpu": "200m"}})
        assert (await server.get(P + "/resize")).tree["metadata"]["generation"] == 2
        container["resources"] = {}
        refused = await server.update("pods", resized.tree, subresource="resize")
        assert refused.status == 422
        assert "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed" in refused.message

    api(scenario)


def test_other_verbs_and_pods_are_refused(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for part in ("ephemeralcontainers", "resize"):
            assert (await server.get(f"{P}/{part}")).status == 404
            assert (await server.request("POST", f"{P}/{part}", {})).status == 405

    api(scenario)


def test_discovery_tells_of_both(api: Api) -> None:
    async def scenario(server: Served) -> None:
        resources = {resource["name"]: resource for resource in (await server.get("/api/v1")).tree["resources"]}
        for part in ("ephemeralcontainers", "resize"):
            found = resources[f"pods/{part}"]
            assert (found["kind"], found["verbs"]) == ("Pod", ["get", "patch", "update"])

    api(scenario)

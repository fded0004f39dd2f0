"""Cluster IPs as objects: each has its IPAddress, and ServiceCIDRs widen what there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.component.conftest import DEADLINE_SECONDS, Api, Served, core

Tree = dict[str, Any]
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
RANGES = "/apis/networking.k8s.io/v1/servicecidrs"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the server writes by itself, and says nothing when done
            await asyncio.sleep(0.005)


async def make(server: Served, name: str, **spec: Any) -> str:
    made = await server.create("services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]} | spec})
    assert made.status == 201, made.tree
    return str(made.tree["spec"]["clusterIP"])


def test_a_cluster_ip_has_an_object_while_its_service_has_it(api: Api) -> None:
    async def scenario(server: Served) -> None:
        address = await make(server, "web")

        async def is_there() -> bool:
            return (await server.get(f"{ADDRESSES}/{address}")).status == 200

        async def is_gone() -> bool:
            return (await server.get(f"{ADDRESSES}/{address}")).status == 404

        await until(is_there)
        found = (await server.get(f"{ADDRESSES}/{address}")).tree
        assert found["spec"] == {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}}
        assert found["metadata"]["labels"] == {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
        await server.delete(core("services", "default", "web"))
        await until(is_gone)
        assert await make(server, "heir", clusterIP=address) == address
        await until(is_there)
        assert (await server.get(f"{ADDRESSES}/{address}")).tree["spec"]["parentRef"]["name"] == "heir"

    api(scenario)


def test_the_range_of_the_configuration_is_an_object_that_is_ready(api: Api) -> None:
    async def scenario(server: Served) -> None:
        found = (await server.get(f"{RANGES}/kubernetes")).tree
        assert found["spec"] == {"cidrs": ["10.96.0.0/12"]}
        [condition] = found["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("Ready", "True")
        assert condition["message"] == "Kubernetes default Service CIDR is ready"

    api(scenario)


def test_a_second_range_is_used_when_the_first_is_full(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for index in range(5):  # and the first of the six is the API server's own
            await make(server, f"s{index}")
        full = await server.create("services", {"metadata": {"name": "late"}, "spec": {"ports": [{"port": 80}]}})
        assert full.status == 500
        assert full.message == "Internal error occurred: failed to allocate a serviceIP: range is full"
        wider = {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.9.0.0/29"]}}
        assert (await server.request("POST", RANGES, wider)).status == 201
        assert (await make(server, "late")).startswith("10.9.0.")
        assert await make(server, "choosy", clusterIP="10.9.0.6" if not await has(server, "10.9.0.6") else "10.9.0.5")

    async def has(server: Served, address: str) -> bool:
        found = await server.get("/api/v1/services", query={"fieldSelector": f"spec.clusterIP={address}"})
        return bool(found.tree["items"])

    api(scenario, service_cidr="10.8.0.0/29")

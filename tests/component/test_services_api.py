"""Services and what they hold: cluster IPs and node ports, taken once and given back."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import pytest

from sampan.lib.clock import RealClock
from sampan.store.memory import MemoryStore
from tests.component.conftest import Answer, Api, Served, core


async def make(server: Served, name: str, /, **spec: Any) -> Answer:
    spec = {"ports": [{"port": 80}], **spec}
    return await server.create("services", {"metadata": {"name": name}, "spec": spec})


def test_a_service_gets_an_address_of_the_range(api: Api) -> None:
    async def scenario(server: Served) -> None:
        spec = (await make(server, "a")).tree["spec"]
        assert ipaddress.ip_address(spec["clusterIP"]) in ipaddress.ip_network("10.96.0.0/12")
        assert spec["clusterIPs"] == [spec["clusterIP"]]
        assert (spec["ipFamilies"], spec["ipFamilyPolicy"], spec["type"]) == (["IPv4"], "SingleStack", "ClusterIP")

    api(scenario)


def test_the_first_address_is_the_servers_own(api: Api) -> None:
    async def scenario(server: Served) -> None:
        service = (await server.get(core("services", "default", "kubernetes"))).tree
        assert service["spec"]["clusterIP"] == "10.96.0.1"
        assert service["metadata"]["labels"] == {"component": "apiserver", "provider": "kubernetes"}

    api(scenario)


def test_a_small_range_is_given_out_whole_and_not_twice(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answers = await asyncio.gather(*(make(server, f"s{index}") for index in range(16)))
        good = [answer.tree["spec"]["clusterIP"] for answer in answers if answer.status == 201]
        assert len(good) == len(set(good)) == 13, "14 addresses, one of which is kubernetes'"
        full = next(answer for answer in answers if answer.status != 201)
        assert full.status == 500 and "range is full" in full.message
        freed = good[0]
        name = next(a.tree["metadata"]["name"] for a in answers if a.status == 201 and a.tree["spec"]["clusterIP"] == freed)
        await server.delete(core("services", "default", name))
        assert (await make(server, "again")).tree["spec"]["clusterIP"] == freed

    api(scenario, service_cidr="10.0.0.0/28")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.96.0.1", "failed to allocate IP 10.96.0.1: provided IP is already allocated"),
        (
            "10.0.0.1",
            "failed to allocate IP 10.0.0.1: the provided network does not match the current range",
        ),
    ],
)
def test_an_address_of_ones_own_choice_must_be_free(api: Api, address: str, why: str) -> None:
    async def scenario(server: Served) -> None:
        answer = await make(server, "a", clusterIP=address)
        assert answer.status == 422
        assert answer.message == f'Service "a" is invalid: spec.clusterIPs: Invalid value: []string{{"{address}"}}: {why}'

    api(scenario)


def test_a_chosen_address_is_taken_until_the_service_goes(api: Api) -> None:
    async def scenario(server: Served) -> None:
        assert (await make(server, "a", clusterIP="10.96.0.77")).status == 201
        assert (await make(server, "b", clusterIP="10.96.0.77")).status == 422
        await server.delete(core("services", "default", "a"))
        assert (await make(server, "b", clusterIP="10.96.0.77")).status == 201

    api(scenario)


def test_what_a_failed_create_took_is_free_again(api: Api) -> None:
    async def scenario(server: Served) -> None:
        odd = await make(server, "a", clusterIP="x")
        assert odd.message.startswith(
            'Service "a" is invalid: spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address'
        )
        bad = await make(server, "a", clusterIP="10.96.0.77", ports=[{"port": 99999}])
        assert bad.status == 422
        dry = {"metadata": {"name": "a"}, "spec": {"clusterIP": "10.96.0.77", "ports": [{"port": 80}]}}
        assert (await server.create("services", dry, query={"dryRun": "All"})).status == 201
        assert (await make(server, "a", clusterIP="10.96.0.77")).status == 201
        assert (await make(server, "a", clusterIP="10.96.0.78")).status == 409
        assert (await make(server, "b", clusterIP="10.96.0.78")).status == 201

    api(scenario)


@pytest.mark.parametrize(
    ("spec", "held"),
    [({"clusterIP": "None"}, "None"), ({"type": "ExternalName", "externalName": "example.com", "ports": []}, None)],
)
def test_some_services_have_no_address(api: Api, spec: dict[str, Any], held: str | None) -> None:
    async def scenario(server: Served) -> None:
        answer = await make(server, "a", **spec)
        assert answer.status == 201
        assert answer.tree["spec"].get("clusterIP") == held

    api(scenario)


def test_node_ports_are_given_chosen_and_freed(api: Api) -> None:
    async def scenario(server: Served) -> None:
        spec = (await make(server, "a", type="NodePort")).tree["spec"]
        assert 30000 <= spec["ports"][0]["nodePort"] <= 32767
        chosen = [{"port": 80, "nodePort": 30080}]
        assert (await make(server, "b", type="NodePort", ports=chosen)).status == 201
        taken = await make(server, "c", type="NodePort", ports=chosen)
        assert taken.status == 422
        assert "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated" in taken.message
        outside = await make(server, "d", type="NodePort", ports=[{"port": 80, "nodePort": 80}])
        assert "provided port is not in the valid range. The range of valid ports is 30000-32767" in outside.message
        path = core("services", "default", "b")
        patched = await server.patch(path, {"spec": {"type": "ClusterIP"}})
        assert patched.status == 200 and "nodePort" not in patched.tree["spec"]["ports"][0]
        assert (await make(server, "e", type="NodePort", ports=chosen)).status == 201

    api(scenario)


def test_one_port_of_two_protocols_shares_its_node_port(api: Api) -> None:
    async def scenario(server: Served) -> None:
        ports = [{"name": "tcp", "port": 53, "protocol": "TCP"}, {"name": "udp", "port": 53, "protocol": "UDP"}]
        spec = (await make(server, "dns", type="NodePort", ports=ports)).tree["spec"]
        first, second = (port["nodePort"] for port in spec["ports"])
        assert first == second

    api(scenario)


def test_an_update_keeps_what_it_does_not_mention(api: Api) -> None:
    async def scenario(server: Served) -> None:
        before = (await make(server, "a", type="NodePort")).tree["spec"]
        tree = {"metadata": {"name": "a"}, "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"x": "y"}}}
        after = (await server.update("services", tree)).tree["spec"]
        assert after["clusterIP"] == before["clusterIP"]
        assert after["ports"][0]["nodePort"] == before["ports"][0]["nodePort"]
        other = (await make(server, "other")).tree["spec"]["clusterIP"]
        for wanted in ("10.96.0.99", other):
            moved = await server.patch(core("services", "default", "a"), {"spec": {"clusterIP": wanted}})
            assert moved.status == 422 and f'[]string{{"{wanted}"}}: may not change once set' in moved.message
        odd = await server.patch(core("services", "default", "a"), {"spec": {"type": "Odd"}})
        assert "spec.clusterIPs[0]: Invalid value: []string(nil): primary clusterIP can not be unset" in odd.message
        external = await server.patch(
            core("services", "default", "a"), {"spec": {"type": "ExternalName", "externalName": "x.y", "clusterIP": None}}
        )
        assert external.status == 200 and not external.tree["spec"].get("clusterIP")
        assert (await make(server, "b", clusterIP=before["clusterIP"])).status == 201

    api(scenario)


def test_a_new_server_knows_what_is_taken(api: Api) -> None:
    async def scenario() -> None:
        store = MemoryStore(RealClock())
        await store.open()
        close, store.close, store.open = store.close, _nothing, _nothing  # type: ignore[method-assign]
        async with api.serve(RealClock(), store) as first:
            assert (await make(first, "a", clusterIP="10.96.0.77")).status == 201
        async with api.serve(RealClock(), store) as second:
            assert (await make(second, "b", clusterIP="10.96.0.77")).status == 422
        await close()

    async def _nothing() -> None:
        return None

    asyncio.run(scenario())


def test_the_server_names_itself_to_pods(api: Api) -> None:
    async def scenario(server: Served) -> None:
        async with server.watch(core("endpoints", "default")) as events:
            _, endpoints = await events.next()
        async with server.watch("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices") as events:
            _, found = await events.next()
        (subset,) = endpoints["subsets"]
        assert subset["addresses"] == [{"ip": "10.89.0.1"}]
        assert subset["ports"] == [{"name": "https", "port": server.server.port, "protocol": "TCP"}]
        assert found["endpoints"][0]["addresses"] == ["10.89.0.1"]

    api(scenario, advertise_address="10.89.0.1")

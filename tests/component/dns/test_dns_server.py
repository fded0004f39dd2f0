"""DNS over real sockets, answering for a real API server's Services."""

from __future__ import annotations

import asyncio
import contextlib
import json

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from sampan.dns.endpoint import ensure_service, publish
from sampan.dns.server import DNSServer
from sampan.testing import Cluster

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"clusterIP": "10.96.7.7", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
}


@pytest.fixture(scope="module")
def cluster():
    with Cluster(nodes=1) as running:
        yield running


class Resolver(asyncio.DatagramProtocol):
    """An upstream server that answers every question with one address."""

    def __init__(self) -> None:
        self.asked = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.asked += 1
        reply = dns.message.make_response(dns.message.from_wire(data))
        question = reply.question[0]
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "192.0.2.7"))
        self.transport.sendto(reply.to_wire(), addr)


@contextlib.asynccontextmanager
async def serving(cluster: Cluster, *, upstream=()):
    server = DNSServer(cluster.client, bind=[("127.0.0.1", 0)], upstream=upstream)
    task = asyncio.ensure_future(server.run())
    try:
        ready = asyncio.ensure_future(server.ready.wait())
        await asyncio.wait({ready, task}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert ready.done(), task
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(server: DNSServer, name: str, type_: str = "A", *, tcp: bool = False) -> dns.message.Message:
    ip, port = server.addresses[0]
    query = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await query(dns.message.make_query(name, type_), ip, port=port, timeout=5)


def texts(message: dns.message.Message) -> list[str]:
    return [item.to_text() for rrset in message.answer for item in rrset]


def test_a_service_answers_over_udp_and_tcp_and_is_gone_when_deleted(cluster):
    async def scenario():
        async with serving(cluster) as server:
            name = "web.default.svc.cluster.local"
            assert (await ask(server, name)).rcode() == dns.rcode.NXDOMAIN
            await cluster.client.request("POST", "/api/v1/namespaces/default/services", body=json.dumps(SERVICE).encode())
            for _ in range(200):
                found = await ask(server, name)
                if found.answer:
                    break
                await asyncio.sleep(0.02)
            assert texts(found) == ["10.96.7.7"]
            assert texts(await ask(server, name, tcp=True)) == ["10.96.7.7"]
            assert texts(await ask(server, f"_http._tcp.{name}", "SRV")) == [f"0 100 80 {name}."]
            assert texts(await ask(server, "7.7.96.10.in-addr.arpa", "PTR")) == [f"{name}."]
            await cluster.client.request("DELETE", "/api/v1/namespaces/default/services/web")
            for _ in range(200):
                if (await ask(server, name)).rcode() == dns.rcode.NXDOMAIN:
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("the deleted service still answers")

    cluster.run(scenario())


def test_other_names_are_asked_of_upstream_and_fail_plainly_without_one(cluster):
    async def scenario():
        loop = asyncio.get_running_loop()
        transport, resolver = await loop.create_datagram_endpoint(Resolver, local_addr=("127.0.0.1", 0))
        try:
            async with serving(cluster, upstream=[transport.get_extra_info("sockname")]) as server:
                assert texts(await ask(server, "example.com")) == ["192.0.2.7"]
                assert resolver.asked == 1
                await ask(server, "nobody.default.svc.cluster.local")
                assert resolver.asked == 1
        finally:
            transport.close()
        async with serving(cluster) as server:
            assert (await ask(server, "example.com")).rcode() == dns.rcode.SERVFAIL

    cluster.run(scenario())


def test_each_node_publishes_itself_as_an_endpoint_of_kube_dns(cluster):
    async def scenario():
        await ensure_service(cluster.client, "10.96.0.10")
        await ensure_service(cluster.client, "10.96.0.10")
        for ip in ("10.89.0.2", "10.89.0.3"):
            await publish(cluster.client, node_name="node-1", node_ip=ip)
        async with serving(cluster) as server:
            assert texts(await ask(server, "kube-dns.kube-system.svc.cluster.local")) == ["10.96.0.10"]

    cluster.run(scenario())
    slices = cluster.list("endpointslices", namespace="kube-system", labels="kubernetes.io/service-name=kube-dns")
    assert [s["endpoints"][0]["addresses"] for s in slices] == [["10.89.0.3"]]

"""The cluster's zone, question by question, and its messages."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import msgspec
import pytest

from sampan.api.types.core_v1 import Service
from sampan.api.types.discovery_v1 import EndpointSlice
from sampan.dns import wire
from sampan.dns.forward import servers_of
from sampan.dns.zone import Answer, Record, Zone


def service(name: str, **spec: object) -> Service:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "metrics", "port": 9090, "protocol": "TCP"}]
    return msgspec.convert({"metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": ports, **spec}}, Service)


SLICE = msgspec.convert(
    {
        "metadata": {"name": "db-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4",
        "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": ["10.244.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
            {"addresses": ["10.244.1.6"], "conditions": {"ready": True}},
            {"addresses": ["10.244.1.7"], "conditions": {"ready": False}},
        ],
    },
    EndpointSlice,
)


class Directory:
    def __init__(self) -> None:
        self.services = {
            "web": service("web", clusterIP="10.96.0.7"),
            "db": service("db", clusterIP="None"),
            "idle": service("idle", clusterIP="None"),
            "docs": service("docs", type="ExternalName", externalName="docs.example.com"),
        }

    def service(self, namespace: str, name: str) -> Service | None:
        return self.services.get(name) if namespace == "shop" else None

    def slices(self, namespace: str, service: str) -> list[EndpointSlice]:
        return [SLICE] if (namespace, service) == ("shop", "db") else []

    def namespace_exists(self, name: str) -> bool:
        return name == "shop"

    def services_with_ip(self, ip: str) -> list[Service]:
        return [s for s in self.services.values() if s.spec.clusterIP == ip]

    def slices_with_ip(self, ip: str) -> list[EndpointSlice]:
        return [SLICE] if ip in {"10.244.0.5", "10.244.1.6"} else []


ZONE = Zone("cluster.local", Directory())
WEB = "web.shop.svc.cluster.local"
DB = "db.shop.svc.cluster.local"


def records(answer: Answer) -> list[tuple[str, str]]:
    return [(r.type_, r.text) for r in answer.records]


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        (WEB, "A", [("A", "10.96.0.7")]),
        (WEB, "AAAA", []),
        (f"_http._tcp.{WEB}", "SRV", [("SRV", f"0 100 80 {WEB}.")]),
        (f"_http._tcp.{WEB}", "A", []),
        (DB, "A", [("A", "10.244.0.5"), ("A", "10.244.1.6")]),
        (f"db-0.{DB}", "A", [("A", "10.244.0.5")]),
        (f"10-244-1-6.{DB}", "A", [("A", "10.244.1.6")]),
        (f"_sql._tcp.{DB}", "SRV", [("SRV", f"0 50 5432 10-244-1-6.{DB}."), ("SRV", f"0 50 5432 db-0.{DB}.")]),
        ("docs.shop.svc.cluster.local", "A", [("CNAME", "docs.example.com.")]),
        ("10-244-9-9.shop.pod.cluster.local", "A", [("A", "10.244.9.9")]),
        ("dns-version.cluster.local", "TXT", [("TXT", '"1.1.0"')]),
        ("shop.svc.cluster.local", "A", []),
        ("svc.cluster.local", "A", []),
        ("cluster.local", "NS", [("NS", "ns.dns.cluster.local.")]),
    ],
)
def test_a_name_that_exists_answers_with_its_records(name, type_, expected):
    answer = ZONE.resolve(name, type_)
    assert answer.exists
    assert records(answer) == expected


@pytest.mark.parametrize(
    "name",
    [
        "nobody.shop.svc.cluster.local",
        "web.elsewhere.svc.cluster.local",
        "elsewhere.svc.cluster.local",
        f"_ftp._tcp.{WEB}",
        f"_http._udp.{WEB}",
        f"10-244-1-7.{DB}",
        "idle.shop.svc.cluster.local",
        "10-244-9.shop.pod.cluster.local",
        "10-244-9-9.elsewhere.pod.cluster.local",
        "a.b.c.d.e.cluster.local",
    ],
)
def test_a_name_that_does_not_exist_is_nxdomain(name):
    assert not ZONE.resolve(name, "A").exists


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("7.0.96.10", [("PTR", f"{WEB}.")]),
        ("5.0.244.10", [("PTR", f"db-0.{DB}.")]),
        ("6.1.244.10", [("PTR", f"10-244-1-6.{DB}.")]),
        ("7.1.244.10", None),
    ],
)
def test_an_address_answers_with_the_name_of_its_service_or_endpoint(ip, expected):
    answer = ZONE.reverse(f"{ip}.in-addr.arpa")
    assert (records(answer) if answer else None) == expected


def asked(name: str, type_: str, answer: Answer, *, tcp: bool = False, **edns: int) -> dns.message.Message:
    question = wire.parse(dns.message.make_query(name, type_, **edns).to_wire())
    return dns.message.from_wire(wire.reply(question, answer, ZONE, tcp=tcp))


def test_a_name_that_does_not_exist_comes_with_the_zones_soa():
    message = asked("no.shop.svc.cluster.local", "A", Answer(False))
    assert message.rcode() == dns.rcode.NXDOMAIN
    assert message.authority[0].name.to_text() == "cluster.local."


def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp():
    many = Answer(True, [Record(DB, "A", f"10.244.{i // 200}.{i % 200}") for i in range(400)])
    cut, whole = asked(DB, "A", many), asked(DB, "A", many, tcp=True)
    assert cut.flags & dns.flags.TC
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 400


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\x01", bytes(12), b"\xff" * 40, bytes([1, 2, 0x81]) + bytes(9)],
    ids=["empty", "short", "zero", "ones", "reply"],
)
def test_garbage_gets_an_error_or_silence_and_never_an_answer(data):
    with pytest.raises(wire.NotAQuestion) as caught:
        wire.parse(data)
    assert caught.value.reply[:2] in (b"", data[:2])


def test_loopback_resolvers_are_not_asked_from_another_network_namespace():
    text = "search x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
    assert servers_of(text, exclude=["192.0.2.2"]) == [("192.0.2.1", 53)]

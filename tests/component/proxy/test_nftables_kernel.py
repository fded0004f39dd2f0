"""The rules in a real kernel: a network namespace of the test's own, real packets."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import textwrap
import uuid

import pytest

from sampan.proxy.backends.nftables import render
from sampan.proxy.backends.ruleset import create, update
from sampan.proxy.model import PortRules

missing = [tool for tool in ("nft", "ip", "nsenter") if not shutil.which(tool)]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
]

NETWORKS = {"cluster_cidr": "10.244.0.0/16", "service_cidr": "10.96.0.0/12"}
WEB = PortRules(
    name="shop/web:http", protocol="tcp", port=80, cluster_ip="10.96.0.7", node_port=30080,
    internal=(("10.89.0.2", 8081), ("10.89.0.2", 8082)), external=(("10.89.0.2", 8081), ("10.89.0.2", 8082)),
)  # fmt: skip

SERVERS = """
    import socket, sys, threading
    def serve(listener, name):
        while True:
            connection, _ = listener.accept()
            connection.sendall(name.encode())
            connection.close()
    for port in map(int, sys.argv[1:]):
        listener = socket.create_server(("10.89.0.2", port))
        threading.Thread(target=serve, args=(listener, str(port)), daemon=True).start()
        print("up", flush=True)
    sys.stdin.read()
"""
CLIENT = """
    import socket, sys
    for _ in range(int(sys.argv[3])):
        try:
            with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as s:
                print(s.recv(16).decode())
        except OSError as error:
            print(type(error).__name__)
"""


class Namespace:
    """A network namespace with one address, two servers, and a way into it."""

    def __init__(self) -> None:
        self.name = f"sampan-test-{uuid.uuid4().hex[:8]}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        for command in (
            "ip link set lo up",
            "ip link add svc0 type bridge",
            "ip addr add 10.89.0.2/32 dev lo",
            "ip link set svc0 up",
            "ip route add 10.96.0.0/12 dev svc0 src 10.89.0.2",
        ):
            self.run(command.split())

    def run(self, command: list[str], text: str = "") -> str:
        inside = ["nsenter", f"--net=/run/netns/{self.name}", *command]
        done = subprocess.run(inside, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, *ports: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(SERVERS), *map(str, ports)]
        inside = ["nsenter", f"--net=/run/netns/{self.name}", *command]
        process = subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in ports:
            assert process.stdout.readline() == "up\n"
        return process

    def answers(self, ip: str, port: int, times: int = 1) -> list[str]:
        return self.run([sys.executable, "-c", textwrap.dedent(CLIENT), ip, str(port), str(times)]).split()

    def delete(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=True)


@pytest.fixture
def namespace():
    made = Namespace()
    servers = made.serve(8081, 8082)
    yield made
    servers.kill()
    servers.communicate()
    made.delete()


def test_connections_spread_over_the_endpoints_by_cluster_ip_and_node_port(namespace):
    namespace.run(["nft", "-f", "-"], create("kube-proxy", render([WEB], **NETWORKS)))
    assert set(namespace.answers("10.96.0.7", 80, 40)) == {"8081", "8082"}
    assert set(namespace.answers("10.89.0.2", 30080, 40)) == {"8081", "8082"}


def test_a_client_with_session_affinity_stays_with_its_endpoint_when_others_come_and_go(namespace):
    affine = dataclasses.replace(WEB, affinity_seconds=60)
    first = render([affine], **NETWORKS)
    namespace.run(["nft", "-f", "-"], create("kube-proxy", first))
    [held] = set(namespace.answers("10.96.0.7", 80, 20))
    kept = tuple(e for e in WEB.internal if str(e[1]) == held)
    second = render([dataclasses.replace(affine, internal=kept, external=kept)], **NETWORKS)
    namespace.run(["nft", "-f", "-"], update("kube-proxy", first, second))
    third = render([affine], **NETWORKS)
    namespace.run(["nft", "-f", "-"], update("kube-proxy", second, third))
    assert set(namespace.answers("10.96.0.7", 80, 20)) == {held}


def test_a_service_without_endpoints_refuses_at_once_and_serves_again_when_they_return(namespace):
    full, empty = render([WEB], **NETWORKS), render([dataclasses.replace(WEB, internal=(), external=())], **NETWORKS)
    namespace.run(["nft", "-f", "-"], create("kube-proxy", empty))
    assert namespace.answers("10.96.0.7", 80) == ["ConnectionRefusedError"]
    assert namespace.answers("10.89.0.2", 30080) == ["ConnectionRefusedError"]
    namespace.run(["nft", "-f", "-"], update("kube-proxy", empty, full))
    assert namespace.answers("10.96.0.7", 80)[0] in ("8081", "8082")


def test_a_port_that_the_service_lacks_is_refused(namespace):
    namespace.run(["nft", "-f", "-"], create("kube-proxy", render([WEB], **NETWORKS)))
    assert namespace.answers("10.96.0.7", 81) == ["ConnectionRefusedError"]


def test_removing_every_service_empties_the_table(namespace):
    full, none = render([dataclasses.replace(WEB, affinity_seconds=60)], **NETWORKS), render([], **NETWORKS)
    namespace.run(["nft", "-f", "-"], create("kube-proxy", full))
    namespace.run(["nft", "-f", "-"], update("kube-proxy", full, none))
    listed = namespace.run(["nft", "list", "table", "ip", "kube-proxy"])
    assert "10.89.0.2" not in listed and "10.96.0.7" not in listed

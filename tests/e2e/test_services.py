"""Services and DNS between real pods on two nodes."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.e2e.local import eventually
from tests.e2e.space import Manifest, Space, pod, shell

SERVE = "mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www"
ON = ("node-1", "node-2")


def server(name: str, node: str, app: str = "web", **spec: Any) -> Manifest:
    """A pod that says its name on port 8080 and is ready once it does."""
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    ports = [{"name": "http", "containerPort": 8080}]
    one = shell(SERVE, ports=ports, readinessProbe=probe)
    return pod(name, one, labels={"app": app}, nodeName=node, **spec)


def service(name: str, app: str = "web", **spec: Any) -> Manifest:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": ports, **spec},
    }


@pytest.fixture(scope="module")
def web(space: Space) -> Space:
    """Two servers and a client, one server on each node."""
    space.apply(service("web"), service("headless", clusterIP="None"), service("outside", type="NodePort"))
    space.start(*(server(f"web-{node}", node) for node in ON), pod("client", nodeName="node-1"))
    eventually(lambda: len(asked(space, "http://web", 8)) == 2, "the service leads to both servers")
    return space


def asked(space: Space, url: str, times: int, client: str = "client") -> set[str]:
    """Who answered; "" is nobody."""
    script = f"for i in $(seq {times}); do timeout 3 wget -qO- {url} || echo; done"
    return set(space.sh(client, script).split("\n")) - {""} or {""}


def fetch(url: str, source: str = "") -> str:
    """From the machine, outside the cluster."""
    argv = ["curl", "-s", "-m", "3", *(["--interface", source] if source else []), url]
    return subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False).stdout.strip()


def node_ips(space: Space) -> dict[str, str]:
    nodes = space.cluster.get("nodes")["items"]
    assert len(nodes) == 2
    return {
        n["metadata"]["name"]: next(a["address"] for a in n["status"]["addresses"] if a["type"] == "InternalIP") for n in nodes
    }


BOTH = {"web-node-1", "web-node-2"}


def test_a_cluster_ip_spreads_over_pods_of_both_nodes(web: Space) -> None:
    assert asked(web, "http://web", 20) == BOTH
    ip = web.get("service", "web")["spec"]["clusterIP"]
    assert asked(web, f"http://{ip}", 20) == BOTH


def test_pods_reach_each_other_across_nodes_by_address(web: Space) -> None:
    ip = web.get("pod", "web-node-2")["status"]["podIP"]
    assert asked(web, f"http://{ip}:8080", 1) == {"web-node-2"}


def test_every_node_serves_a_node_port_to_the_machine_outside(web: Space) -> None:
    port = web.get("service", "outside")["spec"]["ports"][0]["nodePort"]
    for ip in node_ips(web).values():
        assert {fetch(f"http://{ip}:{port}/") for _ in range(20)} == BOTH


def test_a_local_policy_answers_with_the_nodes_own_pods_only(web: Space) -> None:
    web.apply(service("local", type="NodePort", externalTrafficPolicy="Local"))
    port = web.get("service", "local")["spec"]["ports"][0]["nodePort"]
    for node, ip in node_ips(web).items():
        eventually(lambda ip=ip: fetch(f"http://{ip}:{port}/"), "the node port answers")
        assert {fetch(f"http://{ip}:{port}/") for _ in range(10)} == {f"web-{node}"}


def test_a_client_with_affinity_stays_with_its_pod(web: Space) -> None:
    web.apply(service("sticky", sessionAffinity="ClientIP"))
    eventually(lambda: asked(web, "http://sticky", 1) != {""}, "the service answers")
    assert len(asked(web, "http://sticky", 20)) == 1


def test_a_pod_reaches_itself_through_its_service(web: Space) -> None:
    web.apply(service("mirror", "mirror"))
    web.start(server("alone", "node-1", "mirror"))
    eventually(lambda: asked(web, "http://mirror", 1, "alone") == {"alone"}, "a pod reaches itself")


def test_a_service_without_endpoints_refuses_at_once(web: Space) -> None:
    web.apply(service("empty", "nobody"))

    def refused() -> bool:
        done = web.kubectl("exec", "client", "--", "timeout", "3", "wget", "-qO-", "http://empty", check=False)
        return "Connection refused" in done.stderr

    eventually(refused, "the connection is refused")


def test_a_host_network_pod_reaches_services_too(web: Space) -> None:
    web.start(pod("host", nodeName="node-2", hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"))
    assert asked(web, f"http://web.{web.name}.svc.cluster.local", 20, "host") == BOTH


def looked_up(space: Space, *arguments: str) -> str:
    return space.kubectl("exec", "client", "--", "nslookup", *arguments, check=False).stdout


def test_names_lead_to_services_endpoints_ports_and_back(web: Space) -> None:
    domain = f"{web.name}.svc.cluster.local"
    ip = web.get("service", "web")["spec"]["clusterIP"]
    pods = [web.get("pod", name)["status"]["podIP"] for name in sorted(BOTH)]
    assert f"Address: {ip}" in looked_up(web, f"web.{domain}")
    headless = looked_up(web, f"headless.{domain}")
    assert all(f"Address: {each}" in headless for each in pods)
    assert f"_http._tcp.web.{domain}" in looked_up(web, "-type=srv", f"_http._tcp.web.{domain}")
    assert f"name = web.{domain}" in looked_up(web, "-type=ptr", f"{'.'.join(reversed(ip.split('.')))}.in-addr.arpa")
    assert "NXDOMAIN" in looked_up(web, f"nobody.{domain}")


def test_a_pod_with_a_hostname_and_subdomain_has_a_name_of_its_own(web: Space) -> None:
    web.start(server("named", "node-2", hostname="first", subdomain="headless"))
    ip = web.get("pod", "named")["status"]["podIP"]
    name = f"first.headless.{web.name}.svc.cluster.local"
    eventually(lambda: f"Address: {ip}" in looked_up(web, name), "the pod's own name answers")
    web.kubectl("delete", "pod", "named")


def test_an_external_name_is_an_alias(web: Space) -> None:
    web.kubectl("create", "service", "externalname", "alias", f"--external-name=web.{web.name}.svc.cluster.local")
    name = f"alias.{web.name}.svc.cluster.local"
    eventually(lambda: "canonical name = web." in looked_up(web, "-type=cname", name), "the alias answers")


def test_a_service_that_is_deleted_answers_no_more(web: Space) -> None:
    web.apply(service("brief"))
    eventually(lambda: asked(web, "http://brief", 1) != {""}, "the service answers")
    ip = web.get("service", "brief")["spec"]["clusterIP"]
    web.kubectl("delete", "service", "brief")
    eventually(lambda: asked(web, f"http://{ip}", 1) == {""}, "its address is silent")
    assert "NXDOMAIN" in looked_up(web, f"brief.{web.name}.svc.cluster.local")

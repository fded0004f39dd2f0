"""A pod in the runtime's terms: DNS, hosts, resources, security, mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.api.types.core_v1 import (
    ContainerPort,
    HostAlias,
    Pod,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    ResourceRequirements,
    SecurityContext,
    VolumeMount,
)
from sampan.kubelet import resources
from sampan.kubelet.config import AgentConfig
from sampan.kubelet.env import ConfigError
from sampan.kubelet.hosts import HostnameError, hosts_file, sandbox_hostname
from sampan.kubelet.podconfig import Paths, mounts, sandbox_config, sub_path_of
from sampan.kubelet.resolv import parse, pod_dns
from sampan.kubelet.runtime.base import DNSConfig, ImageRef, NamespaceMode
from sampan.kubelet.security import container_security, namespaces

from .making import container, pod

HOST = parse("# comment\nnameserver 192.0.2.1\nsearch corp.example other.example.\noptions timeout:2\n")
CLUSTER = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")

DNS: list[tuple[str, Pod, DNSConfig]] = [
    (
        "ClusterFirst",
        pod(dnsPolicy="ClusterFirst"),
        DNSConfig(("10.96.0.10",), (*CLUSTER, "corp.example", "other.example"), ("ndots:5",)),
    ),
    ("ClusterFirst on the host's network", pod(dnsPolicy="ClusterFirst", hostNetwork=True), HOST),
    (
        "ClusterFirstWithHostNet",
        pod(dnsPolicy="ClusterFirstWithHostNet", hostNetwork=True),
        DNSConfig(("10.96.0.10",), (*CLUSTER, "corp.example", "other.example"), ("ndots:5",)),
    ),
    ("Default", pod(dnsPolicy="Default"), HOST),
    (
        "None",
        pod(dnsPolicy="None", dnsConfig=PodDNSConfig(nameservers=["1.1.1.1"], searches=["a"])),
        DNSConfig(("1.1.1.1",), ("a",), ()),
    ),
    (
        "options of its own win",
        pod(dnsPolicy="ClusterFirst", dnsConfig=PodDNSConfig(options=[PodDNSConfigOption(name="ndots", value="2")])),
        DNSConfig(("10.96.0.10",), (*CLUSTER, "corp.example", "other.example"), ("ndots:2",)),
    ),
]


@pytest.mark.parametrize(("name", "of", "expected"), DNS, ids=[d[0] for d in DNS])
def test_a_pod_resolves_names_as_its_policy_says(name: str, of: Pod, expected: DNSConfig) -> None:
    assert pod_dns(of, cluster_dns=["10.96.0.10"], cluster_domain="cluster.local", host=HOST) == expected


def test_a_hosts_file_names_the_pod_and_its_aliases() -> None:
    of = pod(subdomain="sub", hostAliases=[HostAlias(ip="10.1.1.1", hostnames=["a", "b"])])
    text = hosts_file(of, ["10.244.0.2"], "cluster.local", "")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.244.0.2\tweb.sub.default.svc.cluster.local\tweb\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n10.1.1.1\ta\tb\n")
    on_host = hosts_file(pod(hostNetwork=True), [], "cluster.local", "127.0.0.1 localhost\n")
    assert on_host == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"


def test_a_host_name_is_cut_to_what_a_kernel_takes() -> None:
    long = pod()
    long.metadata.name = "a" * 62 + "-" + "b" * 10
    assert sandbox_hostname(long, "cluster.local") == "a" * 62
    full = pod(subdomain="s" * 60, setHostnameAsFQDN=True)
    with pytest.raises(HostnameError, match="is too long"):
        sandbox_hostname(full, "cluster.local")


def asking(requests: dict[str, str], limits: dict[str, str]) -> ResourceRequirements:
    return ResourceRequirements(requests=requests, limits=limits)


QOS = [
    ({}, {}, "BestEffort"),
    ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
    ({"cpu": "1"}, {"cpu": "1"}, "Burstable"),
    ({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}, "Burstable"),
    ({"memory": "1Gi"}, {}, "Burstable"),
]


@pytest.mark.parametrize(("requests", "limits", "expected"), QOS)
def test_quality_of_service_follows_from_requests_and_limits(
    requests: dict[str, str], limits: dict[str, str], expected: str
) -> None:
    of = pod(containers=[container(resources=asking(requests, limits))])
    assert resources.qos_class(of) == expected
    middle = "" if expected == "Guaranteed" else f"/{expected.lower()}"
    assert resources.cgroup_path("/root/", of) == f"/root/kubepods{middle}/podu1"


def test_requests_and_limits_become_kernel_numbers() -> None:
    one = container(resources=asking({"cpu": "250m", "memory": "64Mi"}, {"cpu": "500m", "memory": "128Mi"}))
    made = resources.container_resources(pod(containers=[one]), one, 1 << 30, unified=True)
    assert (made.cpu_shares, made.cpu_quota, made.cpu_period) == (256, 50_000, 100_000)
    assert made.memory_limit_bytes == 128 << 20
    assert made.oom_score_adj == 1000 - 62
    assert made.unified == {"memory.oom.group": "1"}
    bare = resources.container_resources(pod(), container(), 1 << 30, unified=False)
    assert (bare.cpu_shares, bare.cpu_quota, bare.oom_score_adj) == (2, 0, 1000)


def test_a_pods_cgroup_is_limited_only_where_all_its_containers_are() -> None:
    limited = container("a", resources=asking({}, {"cpu": "1", "memory": "1Mi"}))
    half = container("b", resources=asking({"cpu": "1"}, {"memory": "1Mi"}))
    made = resources.pod_resources(pod(containers=[limited, half]))
    assert (made.cpu_quota, made.memory_limit_bytes, made.cpu_shares) == (0, 2 << 20, 1024)


ROOT, NAMED, NUMBERED = ImageRef("i"), ImageRef("i", username="www"), ImageRef("i", uid=1000)
WHERE = '(pod: "web_default(u1)", container: c)'
NON_ROOT = [
    (SecurityContext(), ROOT, f"container has runAsNonRoot and image will run as root {WHERE}"),
    (
        SecurityContext(),
        NAMED,
        f"container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root {WHERE}",
    ),
    (SecurityContext(runAsUser=0), NUMBERED, f"container's runAsUser breaks non-root policy {WHERE}"),
    (SecurityContext(), NUMBERED, ""),
    (SecurityContext(runAsUser=5), ROOT, ""),
    (SecurityContext(runAsNonRoot=False), ROOT, ""),
]


@pytest.mark.parametrize(("own", "image", "message"), NON_ROOT)
def test_run_as_non_root_is_checked(own: SecurityContext, image: ImageRef, message: str) -> None:
    one = container(securityContext=own)
    of = pod(containers=[one], securityContext=PodSecurityContext(runAsNonRoot=True))
    if not message:
        container_security(of, one, image)
        return
    with pytest.raises(ConfigError) as caught:
        container_security(of, one, image)
    assert str(caught.value) == message


def test_the_containers_word_counts_before_the_pods_and_the_images() -> None:
    context = PodSecurityContext(runAsUser=1, runAsGroup=2, fsGroup=3, supplementalGroups=[4])
    own = container(securityContext=SecurityContext(runAsUser=9))
    of = pod(containers=[own], securityContext=context)
    made = container_security(of, own, NUMBERED)
    assert (made.run_as_user, made.run_as_group, made.supplemental_groups) == (9, 2, (3, 4))
    assert container_security(pod(), container(), NUMBERED).run_as_user == 1000
    assert container_security(pod(), container(), NAMED).run_as_username == "www"
    assert container_security(pod(), container(), ROOT).run_as_user == 0


def test_namespaces_are_the_nodes_where_asked() -> None:
    assert namespaces(pod()).pid is NamespaceMode.CONTAINER
    assert namespaces(pod(shareProcessNamespace=True)).pid is NamespaceMode.POD
    host = namespaces(pod(hostNetwork=True, hostPID=True, hostIPC=True))
    assert {host.network, host.pid, host.ipc} == {NamespaceMode.NODE}


def test_a_sandbox_maps_host_ports_and_lies_in_its_cgroup() -> None:
    one = container(ports=[ContainerPort(containerPort=80, hostPort=8080), ContainerPort(containerPort=81)])
    config = AgentConfig(node_name="n", node_ip="10.0.0.1", root_dir=Path("/r"), cgroup_root="/k")
    made = sandbox_config(pod(containers=[one]), config, 2, DNSConfig())
    assert [(p.protocol, p.container_port, p.host_port) for p in made.port_mappings] == [("TCP", 80, 8080)]
    assert made.cgroup_parent == "/k/kubepods/besteffort/podu1"
    assert made.log_directory == "/r/logs/default_web_u1"
    assert (made.attempt, made.hostname) == (2, "web")


def test_mounts_take_the_subpath_and_leave_a_hosts_file_of_the_users_own() -> None:
    given = [VolumeMount(name="a", mountPath="/a", readOnly=True), VolumeMount(name="b", mountPath="/etc/hosts", subPath="h")]
    one = container(volumeMounts=given, terminationMessagePath="/dev/termination-log")
    paths = Paths({"a": Path("/v/a"), "b": Path("/v/b")}, {1: Path("/s/1")}, Path("/p/etc-hosts"), Path("/p/message"))
    made = [(m.container_path, m.host_path, m.readonly) for m in mounts(one, paths)]
    assert made == [("/a", "/v/a", True), ("/etc/hosts", "/s/1", False), ("/dev/termination-log", "/p/message", False)]


def test_a_sub_path_expression_needs_its_variables() -> None:
    mount = VolumeMount(name="a", mountPath="/a", subPathExpr="logs/$(POD)")
    assert sub_path_of(mount, {"POD": "web"}) == "logs/web"
    with pytest.raises(ConfigError, match="missing value for"):
        sub_path_of(mount, {})

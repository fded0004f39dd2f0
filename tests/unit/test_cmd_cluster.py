"""The plan of a local cluster and what is computed from it: addresses, rules, configuration, processes."""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from sampan.cmd import up
from sampan.cmd.cluster import cgroups, containerd, credentials, lock, mounts, network, preflight, processes
from sampan.cmd.cluster import plan as plans
from sampan.cmd.cluster.plan import ClusterPlan
from sampan.cmd.cluster.shell import ClusterError

PLAN = ClusterPlan("dev", Path("/data/dev"), node_count=2, api_port=7000, subnet=3)


def test_a_plan_names_everything_of_a_cluster() -> None:
    node = PLAN.nodes[1]
    assert (PLAN.bridge, PLAN.host_ip, PLAN.table, PLAN.context) == ("sampan-br3", "10.89.3.1", "sampan_dev", "sampan-dev")
    assert (node.name, node.ip, node.netns) == ("node-2", "10.89.3.3", "sampan-dev-node-2")
    assert node.cgroup == "/sampan/dev/node-2"
    assert node.containerd_socket == Path("/run/sampan/dev/node-2/containerd.sock")


def test_interface_names_and_socket_paths_fit_the_kernels_limits() -> None:
    plan = ClusterPlan("a" * 40, Path("/d"), node_count=plans.MAX_NODES, subnet=255)
    node = plan.nodes[-1]
    assert max(len(plan.bridge), len(node.veth)) <= 15
    assert len(str(node.containerd_socket) + ".ttrpc") < 108


@pytest.mark.parametrize(
    "change",
    [{"name": "Dev"}, {"name": ""}, {"name": "-a"}, {"name": "a/b"}, {"name": "a" * 41}, {"node_count": -1}, {"api_port": 0}],
)
def test_an_impossible_plan_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cannot name a cluster|nodes, not|not a TCP port"):
        replace(PLAN, **change)  # type: ignore[arg-type]


def test_no_cluster_has_its_directory_where_the_lock_is() -> None:
    with pytest.raises(ValueError, match="cannot name a cluster"):
        replace(PLAN, name=lock.FILE.name)


def test_a_plan_is_read_back_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "STATE_ROOT", tmp_path / "state")
    for data_dir in (tmp_path / "state" / "dev", tmp_path / "elsewhere"):
        plan = replace(PLAN, name=data_dir.name, data_dir=data_dir)
        plan.save()
        assert plans.load(data_dir.name) == plan
        assert (data_dir / "cluster.json").stat().st_mode & 0o777 == 0o600
        assert data_dir.stat().st_mode & 0o777 == 0o700
    assert plans.names() == ["dev", "elsewhere"]
    assert plans.load("none") is None


def test_a_new_cluster_takes_the_first_network_nobody_has() -> None:
    taken = [IPv4Network("10.89.0.0/24"), IPv4Network("10.89.1.128/25"), IPv4Network("192.168.0.0/16")]
    assert plans.with_free_subnet(PLAN, taken).subnet == 2
    with pytest.raises(ValueError, match="in use on this machine"):
        plans.with_free_subnet(PLAN, [IPv4Network("10.0.0.0/8")])


def test_an_isolated_cluster_has_no_way_out() -> None:
    plan = replace(PLAN, isolated=True)
    assert "route add unreachable default" in network.node_commands(plan, plan.nodes[0])
    rules = network.host_rules(plan)
    assert 'iifname "sampan-br3" oifname != "sampan-br3" drop' in rules
    assert "masquerade" not in rules


def test_service_and_pod_addresses_never_leave_the_machine() -> None:
    assert 'iifname "sampan-br3" oifname != "sampan-br3" ip daddr { 10.96.0.0/12, 10.244.0.0/16 } drop' in network.host_rules(
        PLAN
    )


def test_containerds_configuration_is_toml_with_paths_of_its_own() -> None:
    node = PLAN.nodes[0]
    text = containerd.config(node, cni_bin_dir=Path("/usr/lib/cni"), snapshotter="native", restrict_oom_score=True)
    tree = tomllib.loads(text)
    cri = tree["plugins"]["io.containerd.grpc.v1.cri"]
    assert (tree["root"], tree["state"]) == ("/data/dev/nodes/node-1/containerd", "/run/sampan/dev/node-1/containerd")
    assert tree["grpc"]["address"] == "/run/sampan/dev/node-1/containerd.sock"
    assert cri["sandbox_image"] == "localhost/pause:sampan"
    assert cri["restrict_oom_score_adj"] is True
    assert cri["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/run/sampan/dev/node-1/cni"}
    assert cri["containerd"]["snapshotter"] == "native"
    assert cri["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False, "Root": "/run/sampan/dev/node-1/runc"}


@pytest.mark.parametrize(("mask", "has"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_capabilities_are_read_from_the_effective_mask(mask: str, has: bool) -> None:
    assert containerd.has_capability(containerd.CAP_SYS_RESOURCE, f"Name:\tx\nCapEff:\t{mask}\n") is has


V1 = """\
30 20 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
35 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
"""
V2 = "31 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_both_cgroup_versions_are_recognized() -> None:
    one = cgroups.detect(V1)
    assert one.version == 1
    assert one.directories("/sampan/dev") == [
        Path("/sys/fs/cgroup/cpu,cpuacct/sampan/dev"),
        Path("/sys/fs/cgroup/memory/sampan/dev"),
        Path("/sys/fs/cgroup/pids/sampan/dev"),
        Path("/sys/fs/cgroup/systemd/sampan/dev"),
        Path("/sys/fs/cgroup/unified/sampan/dev"),
    ]
    two = cgroups.detect(V2)
    assert (two.version, two.directories("/sampan")) == (2, [Path("/sys/fs/cgroup/sampan")])
    with pytest.raises(ClusterError, match="no usable cgroups"):
        cgroups.detect("30 20 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n")


def test_a_v2_cgroup_passes_its_controllers_down(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "sampan", tmp_path / "sampan" / "dev"):
        directory.mkdir(exist_ok=True)
        (directory / "cgroup.controllers").write_text("cpu io memory pids\n")
    cgroups.prepare(cgroups.Cgroups(2, {"": tmp_path}), "/sampan/dev")
    for directory in (tmp_path, tmp_path / "sampan", tmp_path / "sampan" / "dev"):
        assert (directory / "cgroup.subtree_control").read_text() == "+cpu +io +memory +pids"


def test_missing_controllers_are_named(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(ClusterError, match="cgroup controllers memory are off"):
        cgroups.prepare(cgroups.Cgroups(2, {"": tmp_path}), "/sampan/dev")


def test_mounts_below_are_listed_deepest_first() -> None:
    table = (
        "1 0 8:1 / / rw - ext4 /dev/vda rw\n"
        "2 1 0:5 / /nowhere/run rw - tmpfs tmpfs rw\n"
        "3 1 0:6 / /nowhere/running rw - tmpfs tmpfs rw\n"
        "4 2 0:7 / /nowhere/run/a\\040b/rootfs rw shared:1 - overlay overlay rw\n"
    )
    assert mounts.below([Path("/nowhere/run")], table) == ["/nowhere/run/a b/rootfs", "/nowhere/run"]


def test_missing_tools_come_with_the_packages_that_have_them() -> None:
    present = {"containerd", "ctr", "nsenter"}
    sentence = preflight.missing_tools(preflight.NODE_TOOLS, lambda tool: tool if tool in present else None)
    assert sentence == "runc, conntrack, iptables are not installed: apt-get install conntrack iptables runc"
    assert preflight.missing_tools({"ip": "iproute2"}, lambda tool: tool) is None


def test_a_taken_port_is_told_with_its_owner() -> None:
    import os
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sentence = preflight.taken_port("127.0.0.1", port)
        assert sentence is not None
        assert f"port {port} is in use by" in sentence
        assert f"(pid {os.getpid()}): stop that, or choose another with --api-port" in sentence
    assert preflight.taken_port("127.0.0.1", port) is None


def test_every_component_gets_its_own_identity() -> None:
    subjects = {(c.file, bool(c.server)): (c.common_name, c.organizations) for c in credentials.certificates(PLAN, "host")}
    assert subjects["admin", True] == ("kubernetes-admin", ("system:masters",))
    assert subjects["node-2", True] == ("system:node:node-2", ("system:nodes",))
    assert subjects["scheduler", True] == ("system:kube-scheduler", ())
    serving = next(c for c in credentials.certificates(PLAN, "host") if c.file == "apiserver")
    assert set(serving.ips) == {"127.0.0.1", "10.89.3.1", "10.96.0.1"}
    assert "kubernetes.default.svc.cluster.local" in serving.dns_names


def test_credentials_are_made_once_and_what_is_lost_again(tmp_path: Path) -> None:
    plan = replace(PLAN, data_dir=tmp_path / "dev")
    assert credentials.ensure(plan)
    before = {file: file.read_bytes() for file in (tmp_path / "dev").rglob("*") if file.is_file()}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in before)
    assert not credentials.ensure(plan)
    plan.admin_kubeconfig.unlink()
    assert credentials.ensure(plan)
    changed = {file.name for file, content in before.items() if file.read_bytes() != content}
    assert changed == {"admin.conf"}


def test_a_lost_authority_renews_every_certificate(tmp_path: Path) -> None:
    plan = replace(PLAN, data_dir=tmp_path / "dev", node_count=0)
    credentials.ensure(plan)
    before = (plan.pki_dir / "apiserver.crt").read_bytes()
    (plan.pki_dir / "ca.key").unlink()
    credentials.ensure(plan)
    assert (plan.pki_dir / "apiserver.crt").read_bytes() != before


def test_the_processes_of_a_cluster_are_its_control_plane_and_two_a_node() -> None:
    specs = processes.all_processes(PLAN)
    nodes = ["containerd-node-1", "agent-node-1", "containerd-node-2", "agent-node-2"]
    assert [spec.name for spec in specs] == ["apiserver", "controller-manager", "scheduler", *nodes]
    assert all(spec.environment["SAMPAN_PROCESS_OF"] == "dev" for spec in specs)
    assert specs[4].argv[:3] == ["nsenter", "--net=/run/netns/sampan-dev-node-1", "--"]
    assert "--kubeconfig=/data/dev/kubeconfig/node-1.conf" in specs[4].argv


def asked(*given: str) -> str:
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    return up.asked_datastore(parser.parse_args(given))


def test_a_datastore_is_asked_for_by_url_with_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked() == ""
    assert asked("--datastore=sqlite:///srv/state.db") == "sqlite:///srv/state.db"
    assert asked("--datastore=etcd://h:2379", "--datastore-cafile=ca.crt") == f"etcd://h:2379?ca={tmp_path}/ca.crt"
    with pytest.raises(ClusterError, match=r"--datastore: 'http://h' is not a store"):
        asked("--datastore=http://h")


def test_a_cluster_keeps_its_own_state_unless_told_otherwise() -> None:
    assert PLAN.datastore == "sqlite:///data/dev/store/state.db"
    assert replace(PLAN, store_url="etcd://h:2379").datastore == "etcd://h:2379"

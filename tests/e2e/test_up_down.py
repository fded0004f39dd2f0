"""`sampan up` and `sampan down` on the real machine: what they make, repair, refuse, and leave behind (nothing)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sampan.cmd.cluster import images
from tests.e2e import residue
from tests.e2e.local import LocalCluster, eventually

NewCluster = Callable[..., LocalCluster]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: "localhost/busybox:1", command: [sleep, "3600"]}
"""


def ready_nodes(cluster: LocalCluster) -> list[str]:
    return [node["name"] for node in cluster.status()["nodes"] if node["ready"]]


def pod_is_running(cluster: LocalCluster, name: str = "sleeper") -> bool:
    found = cluster.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}", check=False)
    return found.stdout == "Running"


def left_of(cluster: LocalCluster, before: residue.Snapshot) -> list[str]:
    return residue.added(before, residue.snapshot(), cluster.name)


def test_a_cluster_comes_up_usable_and_goes_without_a_trace(new_cluster: NewCluster) -> None:
    before = residue.snapshot()
    cluster = new_cluster()
    said = cluster.up()
    assert "node-1 is Ready" in said.stdout
    assert "cluster DNS answers" in said.stdout
    assert cluster.status()["healthy"]
    cluster.apply(POD)
    eventually(lambda: pod_is_running(cluster), "the pod runs")
    assert cluster.kubectl("exec", "sleeper", "--", "hostname").stdout == "sleeper\n"
    cluster.down()
    assert left_of(cluster, before) == []
    assert "no cluster" in cluster.down().stdout


def test_up_again_touches_nothing_healthy(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.up("--nodes", "0")
    before = cluster.status()["processes"]
    cluster.up()
    after = cluster.status()["processes"]
    assert [row["pid"] for row in after] == [row["pid"] for row in before]


def test_a_control_plane_alone_needs_no_node(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.up("--nodes", "0")
    assert cluster.status()["nodes"] == []
    assert "default" in cluster.kubectl("get", "namespaces").stdout


def test_clusters_stand_side_by_side(new_cluster: NewCluster) -> None:
    one, two = new_cluster(), new_cluster()
    one.up()
    two.up()
    assert ready_nodes(one) == ready_nodes(two) == ["node-1"]
    one.kubectl("create", "namespace", "only-here")
    assert "only-here" not in two.kubectl("get", "namespaces").stdout
    one.down()
    assert two.status()["healthy"]


def test_two_nodes_become_three(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.up("--nodes", "2")
    first = cluster.pid("agent-node-1")
    cluster.up("--nodes", "3")
    assert ready_nodes(cluster) == ["node-1", "node-2", "node-3"]
    assert cluster.pid("agent-node-1") == first
    refused = cluster.up("--nodes", "1", check=False)
    assert refused.returncode == 1
    assert "has 3 nodes and cannot become one of 1" in refused.stderr


@pytest.mark.parametrize("component", ["apiserver", "controller-manager", "scheduler", "agent-node-1", "containerd-node-1"])
def test_a_killed_process_comes_back_and_no_container_restarts(live: LocalCluster, component: str) -> None:
    name = f"survivor-{component}"
    live.apply(POD.replace("sleeper", name))
    eventually(lambda: pod_is_running(live, name), "the pod runs")
    container = live.get("pod", name)["status"]["containerStatuses"][0]["containerID"]
    pid = live.pid(component)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: live.pid(component) not in (0, pid), f"{component} runs again")
    live.up()
    status = live.get("pod", name)["status"]["containerStatuses"][0]
    assert (status["containerID"], status["restartCount"]) == (container, 0)
    live.kubectl("delete", "pod", name, "--wait=false")


def test_up_adopts_what_a_killed_supervisor_left_running_and_starts_the_rest(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.up("--nodes", "0")
    before = {row["name"]: row["pid"] for row in cluster.status()["processes"]}
    for name in ("supervisor", "scheduler"):
        os.kill(before.pop(name), signal.SIGKILL)
    eventually(lambda: not cluster.status()["healthy"], "status tells that something is gone")
    said = cluster.up().stdout
    assert "started scheduler" in said
    assert cluster.status()["healthy"]
    after = {row["name"]: row["pid"] for row in cluster.status()["processes"]}
    assert {name: after[name] for name in before} == before


def test_kept_data_brings_the_cluster_back(new_cluster: NewCluster) -> None:
    before = residue.snapshot()
    cluster = new_cluster()
    cluster.up()
    cluster.apply(POD)
    eventually(lambda: pod_is_running(cluster), "the pod runs")
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    cluster.down("--keep-data")
    assert [phrase for phrase in left_of(cluster, before) if "/var/lib/sampan" not in phrase] == []
    cluster.up()
    assert cluster.get("configmap", "kept")["data"] == {"a": "b"}
    eventually(lambda: pod_is_running(cluster), "the pod runs again")
    eventually(lambda: cluster.kubectl("exec", "sleeper", "--", "true", check=False).returncode == 0, "its container is real")


def test_down_clears_what_a_crash_left(new_cluster: NewCluster) -> None:
    before = residue.snapshot()
    cluster = new_cluster()
    cluster.up()
    cluster.apply(POD)
    eventually(lambda: pod_is_running(cluster), "the pod runs")
    for row in cluster.status()["processes"]:
        os.kill(row["pid"], signal.SIGKILL)
    cluster.down()
    assert left_of(cluster, before) == []


def test_down_works_when_half_of_the_cluster_is_gone(new_cluster: NewCluster) -> None:
    before = residue.snapshot()
    cluster = new_cluster()
    cluster.up()
    bridge = next(link for link in os.listdir("/sys/class/net") if marked(link, cluster))
    subprocess.run(["ip", "link", "del", bridge], check=True)
    subprocess.run(["ip", "netns", "del", f"sampan-{cluster.name}-node-1"], check=True)
    Path(f"/var/lib/sampan/{cluster.name}/cluster.json").unlink()
    cluster.down()
    assert left_of(cluster, before) == []


def marked(link: str, cluster: LocalCluster) -> bool:
    alias = Path(f"/sys/class/net/{link}/ifalias").read_text().strip()
    return alias == f"sampan:{cluster.name}" and link.startswith("sampan-br")


def test_up_mends_a_node_that_lost_its_network(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.up()
    cluster.apply(POD)
    eventually(lambda: pod_is_running(cluster), "the pod runs")
    subprocess.run(["ip", "netns", "del", f"sampan-{cluster.name}-node-1"], check=True)
    cluster.up()
    assert ready_nodes(cluster) == ["node-1"]
    eventually(lambda: cluster.kubectl("exec", "sleeper", "--", "true", check=False).returncode == 0, "the pod runs again")


def test_a_host_path_survives_down(new_cluster: NewCluster, tmp_path: Path) -> None:
    kept = tmp_path / "precious"
    kept.mkdir()
    (kept / "file").write_text("data")
    cluster = new_cluster()
    cluster.up()
    pod = yaml.safe_load(POD)
    pod["spec"]["volumes"] = [{"name": "host", "hostPath": {"path": str(kept)}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
    cluster.apply(yaml.safe_dump(pod))
    eventually(lambda: pod_is_running(cluster), "the pod runs")
    assert cluster.kubectl("exec", "sleeper", "--", "cat", "/host/file").stdout == "data"
    cluster.down()
    assert (kept / "file").read_text() == "data"


def test_the_users_other_contexts_stay_as_they_are(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    mine = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "prod", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "prod", "user": {"token": "t"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "prod"}}],
        "current-context": "prod",
    }
    cluster.kubeconfig.write_text(yaml.safe_dump(mine))
    cluster.up("--nodes", "0")
    assert cluster.kubectl("config", "current-context").stdout == f"sampan-{cluster.name}\n"
    assert cluster.kubectl("--context", f"sampan-{cluster.name}", "get", "--raw", "/readyz").stdout == "ok"
    assert yaml.safe_load(cluster.sampan("kubeconfig").stdout)["current-context"] == f"sampan-{cluster.name}"
    cluster.down()
    after = yaml.safe_load(cluster.kubeconfig.read_text())
    assert (after["clusters"], after["users"], after["contexts"]) == (mine["clusters"], mine["users"], mine["contexts"])


def test_a_taken_port_is_one_sentence(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    with socket.create_server(("127.0.0.1", cluster.port)):
        refused = cluster.up("--nodes", "0", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"sampan: port {cluster.port} is in use by ")
    assert refused.stderr.endswith("stop that, or choose another with --api-port\n")
    assert not Path(f"/var/lib/sampan/{cluster.name}").exists()


def test_a_missing_tool_is_one_sentence(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    runc = shutil.which("runc")
    # In a mount namespace of its own, where runc's name leads to something that cannot be executed.
    hide = f"mount --bind /dev/null {runc} && exec {sys.executable} -P -m sampan.cmd.main up --name {cluster.name}"
    refused = subprocess.run(["unshare", "--mount", "sh", "-c", hide], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "sampan: runc is not installed: apt-get install runc\n")


def test_a_directory_with_other_peoples_files_is_not_taken(new_cluster: NewCluster, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1").write_text("words")
    cluster = new_cluster()
    refused = cluster.up("--data-dir", str(tmp_path / "thesis"), check=False)
    assert refused.returncode == 1
    assert "is not empty and belongs to no cluster" in refused.stderr


def test_data_may_live_elsewhere(new_cluster: NewCluster, tmp_path: Path) -> None:
    cluster = new_cluster()
    cluster.up("--nodes", "0", "--data-dir", str(tmp_path / "data"))
    assert (tmp_path / "data" / "store").is_dir()
    open_to_others = [path for path in (tmp_path / "data").rglob("*") if path.stat().st_mode & 0o077]
    assert open_to_others == []
    cluster.down()
    assert not (tmp_path / "data").exists()
    assert not Path(f"/var/lib/sampan/{cluster.name}").is_symlink()


def test_logs_and_images_are_shown(live: LocalCluster, tmp_path: Path) -> None:
    assert "event=ready" in live.sampan("logs", "apiserver").stdout
    assert "localhost/busybox:1" in live.sampan("image", "list").stdout
    unknown = live.sampan("logs", "etcd", check=False)
    assert (unknown.returncode, "has no component etcd" in unknown.stderr) == (1, True)
    missing = live.sampan("image", "load", str(tmp_path / "none.tar"), check=False)
    assert (missing.returncode, "is not a file" in missing.stderr) == (1, True)


def test_a_loaded_image_runs_on_every_node(live: LocalCluster, tmp_path: Path) -> None:
    base = images.busybox()[0].layers
    mine = images.Image(
        "localhost/mine:1", [*base, images.layer({"hello.txt": b"from my image\n"})], command=["cat", "/hello.txt"]
    )
    nodes = live.get("nodes")["items"]
    archive = tmp_path / "mine.tar"
    archive.write_bytes(images.archive([mine], nodes[0]["metadata"]["labels"]["kubernetes.io/arch"]))
    said = live.sampan("image", "load", str(archive)).stdout
    assert said.splitlines() == [f"{node['metadata']['name']}: localhost/mine:1" for node in nodes]
    live.kubectl("run", "mine", "--image=localhost/mine:1", "--image-pull-policy=Never", "--restart=Never")
    eventually(lambda: live.get("pod", "mine")["status"].get("phase") == "Succeeded", "the container ran to its end")
    assert live.kubectl("logs", "mine").stdout == "from my image\n"
    live.kubectl("delete", "pod", "mine", "--wait=false")

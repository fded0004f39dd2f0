"""Upstream's kubelet as the node of a local cluster, in the place of our agent, with real containers."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.cmd.cluster import network, processes
from sampan.cmd.cluster.plan import CLUSTER_DNS, CLUSTER_DOMAIN, ClusterPlan, NodePlan, load
from sampan.cmd.cluster.processes import ProcessSpec
from tests.e2e.local import LocalCluster, eventually, free_port, what_is_missing
from tests.upstream.plane import DIRECTORY, MISSING, has

pytestmark = [
    pytest.mark.skipif(not has("kubelet"), reason=MISSING),
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
    pytest.mark.timeout(300),
]
STATIC_POD = """
apiVersion: v1
kind: Pod
metadata: {name: static}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "localhost/busybox:1", command: [sleep, "1000"]}]
"""
MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {greeting: ahoy}
---
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
  - name: page
    image: localhost/busybox:1
    command: [sh, -c, "echo a page > /www/index.html"]
    volumeMounts: [{name: www, mountPath: /www}]
  containers:
  - name: app
    image: localhost/busybox:1
    command: [sh, -c, "echo started; exec httpd -f -p 8080 -h /www"]
    env: [{name: GREETING, valueFrom: {configMapKeyRef: {name: conf, key: greeting}}}]
    volumeMounts: [{name: conf, mountPath: /conf}, {name: www, mountPath: /www}, {name: all, mountPath: /all}]
    readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 1}
    resources: {requests: {cpu: 50m}, limits: {memory: 64Mi}}
  volumes:
  - {name: conf, configMap: {name: conf}}
  - {name: www, emptyDir: {}}
  - name: all
    projected:
      sources:
      - serviceAccountToken: {path: token, expirationSeconds: 600, audience: vault}
      - configMap: {name: conf}
      - downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: once}
spec: {restartPolicy: Never, containers: [{name: c, image: "localhost/busybox:1", command: [sh, -c, "exit 3"]}]}
"""


def kubelet(plan: ClusterPlan, node: NodePlan) -> ProcessSpec:
    """Beside the containerd of a node, in its network namespace and cgroup."""
    here, pki = node.data_dir / "upstream-kubelet", plan.pki_dir
    (here / "manifests").mkdir(parents=True, exist_ok=True)
    (here / "manifests/static.yaml").write_text(STATIC_POD)
    flags = [
        f"--kubeconfig={plan.kubeconfig_dir}/{node.name}.conf",
        "--kube-api-content-type=application/json",
        f"--hostname-override={node.name}",
        f"--node-ip={node.ip}",
        "--container-runtime=remote",
        f"--container-runtime-endpoint=unix://{node.containerd_socket}",
        f"--root-dir={here}",
        f"--cert-dir={here}/pki",
        f"--pod-manifest-path={here}/manifests",
        f"--volume-plugin-dir={here}/plugins",
        f"--tls-cert-file={pki}/{node.name}.crt",
        f"--tls-private-key-file={pki}/{node.name}.key",
        f"--client-ca-file={pki}/ca.crt",
        # Who may what is asked of our API server.
        "--anonymous-auth=false",
        "--authentication-token-webhook",
        "--authorization-mode=Webhook",
        f"--cluster-dns={CLUSTER_DNS}",
        f"--cluster-domain={CLUSTER_DOMAIN}",
        "--resolv-conf=",
        "--read-only-port=0",
        "--healthz-port=0",
        "--fail-swap-on=false",
        "--cgroup-driver=cgroupfs",
        f"--cgroup-root={node.cgroup}",
        "--cgroups-per-qos=false",
        "--enforce-node-allocatable=",
        # The machine's disk and memory are all tests'; this node judges neither.
        "--eviction-hard=memory.available<1Mi",
        "--image-gc-high-threshold=100",
        "--sync-frequency=1s",
        "--node-status-update-frequency=1s",
    ]
    argv = [*network.enter(node), str(DIRECTORY / "kubelet"), *flags]
    log, environment = str(plan.log_dir / "kubelet.log"), {processes.MARK: plan.name}
    return ProcessSpec(f"kubelet-{node.name}", argv, log, environment, umask=0o022)


FIXED_PLACES = ("/var/log/pods", "/var/log/containers", "/var/lib/kubelet")
"""Where this kubelet writes whatever its flags say."""


@pytest.fixture(scope="module", autouse=True)
def tidy() -> Iterator[None]:
    """What it leaves in places that it does not let go of is taken away; what was there before stays."""
    before = {place: _entries(place) for place in map(Path, FIXED_PLACES)}
    yield
    for place, known in before.items():
        for new in (_entries(place) or set()) - (known or set()):
            new.unlink() if new.is_symlink() else shutil.rmtree(new)
        if known is None and place.exists():
            place.rmdir()


def _entries(place: Path) -> set[Path] | None:
    return set(place.iterdir()) if place.exists() else None


@pytest.fixture(scope="module")
def cluster(tidy: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    made = LocalCluster(tmp_path_factory.mktemp("kubelet"))
    try:
        made.up("--nodes", "1")
        plan = load(made.name)
        assert plan is not None
        processes.retire(plan, ["agent-node-1"])
        others = [spec for spec in processes.all_processes(plan) if spec.name != "agent-node-1"]
        processes.supervise_cluster(plan, [*others, kubelet(plan, plan.nodes[0])])
        eventually(
            lambda: _version(made) == "v1.20.2" and _is_ready(made.get("node", "node-1")), "the kubelet is registered", 60
        )
        made.apply(MANIFEST)
        made.kubectl("wait", "pod/app", "--for=condition=Ready", "--timeout=45s")
        yield made
    finally:
        made.down()


def _version(cluster: LocalCluster) -> str:
    return str(cluster.get("node", "node-1")["status"]["nodeInfo"]["kubeletVersion"])


def _is_ready(tree: Any) -> bool:
    return any(item["type"] == "Ready" and item["status"] == "True" for item in tree["status"]["conditions"])


def test_the_node_reports_itself(cluster: LocalCluster) -> None:
    node = cluster.get("node", "node-1")
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    assert {condition["type"] for condition in node["status"]["conditions"]} >= {
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
    }
    lease = cluster.get("lease", "node-1", "--namespace=kube-node-lease")
    renewed = lease["spec"]["renewTime"]
    eventually(
        lambda: cluster.get("lease", "node-1", "--namespace=kube-node-lease")["spec"]["renewTime"] != renewed,
        "it is renewed",
        60,
    )
    assert cluster.get("csinode", "node-1")["metadata"]["ownerReferences"][0]["kind"] == "Node"


def test_pods_run_and_their_ends_are_told(cluster: LocalCluster) -> None:
    status = cluster.get("pod", "app")["status"]
    assert status["phase"] == "Running" and status["podIP"].startswith("10.244.")
    ended = eventually(lambda: _ended(cluster, "once"), "it has ended")
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert cluster.get("pod", "once")["status"]["phase"] == "Failed"
    reasons = {event["reason"] for event in cluster.get("events")["items"] if event["involvedObject"]["name"] == "app"}
    assert reasons >= {"Scheduled", "Pulled", "Created", "Started"}


def _ended(cluster: LocalCluster, name: str) -> Any:
    return cluster.get("pod", name)["status"]["containerStatuses"][0]["state"].get("terminated")


def test_a_static_pod_is_mirrored(cluster: LocalCluster) -> None:
    def mirrored() -> Any:
        pods = {pod["metadata"]["name"]: pod for pod in cluster.get("pods")["items"]}
        return pods.get("static-node-1")

    pod = eventually(mirrored, "it is there")
    assert "kubernetes.io/config.mirror" in pod["metadata"]["annotations"]
    eventually(lambda: mirrored()["status"]["phase"] == "Running", "it runs")


def test_logs_and_commands_go_through_our_server(cluster: LocalCluster) -> None:
    assert cluster.kubectl("logs", "app").stdout == "started\n"
    assert cluster.kubectl("exec", "app", "--", "sh", "-c", "echo $GREETING").stdout == "ahoy\n"
    assert cluster.kubectl("exec", "-i", "app", "--", "cat", input_text="a line\n").stdout == "a line\n"
    assert cluster.kubectl("exec", "app", "--", "false", check=False).returncode == 1
    assert cluster.kubectl("get", "--raw", "/api/v1/namespaces/default/pods/app:8080/proxy/").stdout == "a page\n"
    summary = json.loads(cluster.kubectl("get", "--raw", "/api/v1/nodes/node-1/proxy/stats/summary").stdout)
    assert summary["node"]["nodeName"] == "node-1"


def test_ports_are_forwarded(cluster: LocalCluster) -> None:
    port = free_port()
    argv = [cluster.kubectl_path, "port-forward", "pod/app", f"{port}:8080"]
    forwarding = subprocess.Popen(argv, env=cluster.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert forwarding.stdout is not None and "Forwarding" in forwarding.stdout.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            assert answer.read() == b"a page\n"
    finally:
        forwarding.kill()
        forwarding.communicate()


def test_volumes_show_what_the_api_has_and_follow_it(cluster: LocalCluster) -> None:
    def read(path: str) -> str:
        return cluster.kubectl("exec", "app", "--", "cat", path).stdout

    assert (read("/conf/greeting"), read("/all/greeting"), read("/all/name")) == ("ahoy", "ahoy", "app")
    for path, audience in (
        ("/all/token", "vault"),
        ("/var/run/secrets/kubernetes.io/serviceaccount/token", "https://kubernetes"),
    ):
        claims = json.loads(base64.urlsafe_b64decode(read(path).split(".")[1] + "=="))
        assert claims["aud"][0].startswith(audience) and claims["kubernetes.io"]["pod"]["name"] == "app"
    cluster.kubectl("patch", "configmap", "conf", "--patch", '{"data": {"greeting": "again"}}')
    eventually(lambda: read("/conf/greeting") == "again", "it shows", 90)


def test_pods_go_when_they_are_deleted(cluster: LocalCluster) -> None:
    """The last of them, for it takes the pod of the others."""
    cluster.kubectl("delete", "pod", "app", "once", "--timeout=45s")
    names = {pod["metadata"]["name"] for pod in cluster.get("pods")["items"]}
    assert names == {"static-node-1"}

"""What is measured, one function a row or a few."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Self

from bench import bare, wrk
from bench.growth import fill, growth
from bench.report import Row
from bench.target import NAMESPACE, Target, resident_mib
from sampan.client.rest import Client

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
WATCHERS = 50
MEMORY_PODS = 10_000
BARE_BYTES = 8 << 20
"""The bare server hands over whole bodies: beyond this it is the memory of 32 of them that is measured."""


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """A Pod of about 1.8 KB as it is stored."""
    container = {
        "name": "app",
        "image": "localhost/app:1.2.3",
        "args": ["--listen=:8080", "--log-format=json"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(5)],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    }
    labels = {"app.kubernetes.io/name": "app", "app.kubernetes.io/instance": "bench", "pod-template-hash": "6b8d9c7f5"}
    metadata = {"name": name, "labels": labels, "annotations": {"example.com/checksum": "9f86d081884c7d659a2feaa0c55ad015"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container], **spec}}


class Bench:
    """The target and what the suites share."""

    def __init__(self, *, seconds: float, pods: int, nodes: int) -> None:
        self.seconds = seconds
        self.pods = pods
        self.nodes = nodes
        self.target = Target()
        self.headers = {"Authorization": f"Bearer {self.target.token}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.target.close()

    def load(self, path: str, *, method: str = "GET", body: str = "", content_type: str = "application/json") -> wrk.Load:
        headers = {**self.headers, "Content-Type": content_type} if body else self.headers
        return wrk.run(self.target.url + path, seconds=self.seconds, method=method, headers=headers, body=body)

    def bare_tls(self, body_bytes: int) -> wrk.Load:
        """The same load on the bare server answering as many bytes."""
        files = [str(self.target.path / name) for name in ("server.crt", "server.key")]
        command = [sys.executable, "-m", "bench.bare", "tls", str(body_bytes), *files]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            return wrk.run(f"https://127.0.0.1:{port}/", seconds=self.seconds)
        finally:
            process.kill()
            process.communicate()

    def size_of(self, path: str) -> int:
        return len(self.target.call(lambda client: client.request("GET", path)))

    def count_pods(self) -> int:
        metadata = self.first_page()["metadata"]
        return 1 + int(metadata.get("remainingItemCount", 0))

    def first_page(self) -> dict[str, Any]:
        page: dict[str, Any] = json.loads(self.target.call(lambda client: client.request("GET", PODS, query={"limit": "1"})))
        return page


def idle(bench: Bench) -> list[Row]:
    return [Row("API server, idle", resident_mib(bench.target.server.pid), "MiB", "≤ 90")]


def create(bench: Bench) -> list[Row]:
    load = bench.load(PODS, method="POST", body=json.dumps(pod("create-@@")))
    commits = bare.sqlite_commits(min(bench.seconds, 2.0), 2048)
    return [Row("create Pods", load.per_second, "/s", "≥ 4000", commits, "SQLite", load.p99_ms)]


def get(bench: Bench) -> list[Row]:
    bench.target.call(lambda client: client.request("POST", PODS, body=json.dumps(pod("get")).encode()))
    load = bench.load(f"{PODS}/get")
    plain = bench.bare_tls(bench.size_of(f"{PODS}/get"))
    return [Row("get one Pod", load.per_second, "/s", "≥ 20000", plain.per_second, "TLS", load.p99_ms)]


def patch(bench: Bench) -> list[Row]:
    bench.target.call(lambda client: client.request("POST", PODS, body=json.dumps(pod("hot")).encode()))
    body = json.dumps({"metadata": {"annotations": {"example.com/turn": "@@"}}})
    load = bench.load(f"{PODS}/hot", method="PATCH", body=body, content_type="application/merge-patch+json")
    return [Row("patch one and the same Pod", load.per_second, "/s", "≥ 2500", p99_ms=load.p99_ms)]


def list_(bench: Bench) -> list[Row]:
    body = json.dumps(pod("list-@@"))
    while bench.count_pods() < bench.pods:
        bench.load(PODS, method="POST", body=body.replace("list-", f"list-{time.monotonic_ns()}-"))
    rows = []
    plain = bench.bare_tls(min(bench.size_of(PODS), BARE_BYTES))
    for query, title in (("", "list, default"), ("?resourceVersion=0", "list, resourceVersion=0")):
        load = bench.load(PODS + query)
        work = f"{title} ({bench.count_pods():,} Pods)"
        rows.append(Row(work, load.mib_per_second, "MiB/s", "≥ 500", plain.mib_per_second, "TLS"))
    return rows


def watch(bench: Bench) -> list[Row]:
    host, port = "127.0.0.1", str(bench.target.port)
    path = f"{PODS}?watch=1&resourceVersion={bench.first_page()['metadata']['resourceVersion']}"
    command = [sys.executable, "-m", "bench.watchers", host, port, bench.target.token, path, str(WATCHERS)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the watchers did not open")
        start = time.perf_counter()
        load = bench.load(PODS, method="POST", body=json.dumps(pod(f"watch-{time.monotonic_ns()}-@@")))
        events = int(process.communicate("", timeout=60)[0])
        elapsed = time.perf_counter() - start
    finally:
        process.kill()
        process.communicate()
    return [
        Row(f"watch events to {WATCHERS} watchers", events / elapsed, "/s", "≥ 150000"),
        Row("… while Pods are created", load.per_second, "/s", p99_ms=load.p99_ms),
    ]


def memory(bench: Bench) -> list[Row]:
    """A server of its own: how much of the load before it came to depends on how fast the machine is."""
    target = Target()
    try:
        target.call(lambda client: fill(client, PODS, pod(""), "full", MEMORY_PODS))
        target.call(lambda client: client.request("GET", PODS))
        used = resident_mib(target.server.pid)
    finally:
        target.close()
    return [Row(f"API server with {MEMORY_PODS:,} Pods", used, "MiB", "≤ 250")]


def custom(bench: Bench) -> list[Row]:
    """Custom objects next to ConfigMaps of the same content."""
    definition = {
        "metadata": {"name": "notes.bench.example.com"},
        "spec": {
            "group": "bench.example.com",
            "scope": "Namespaced",
            "names": {"plural": "notes", "kind": "Note"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _NOTE}}],
        },
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    bench.target.call(lambda client: client.request("POST", path, body=json.dumps(definition).encode()))
    data = {f"key-{number}": "x" * 64 for number in range(20)}
    notes, maps = f"/apis/bench.example.com/v1/namespaces/{NAMESPACE}/notes", f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    note = {"apiVersion": "bench.example.com/v1", "kind": "Note", "metadata": {"name": "n-@@"}, "data": data}
    bodies = {notes: note, maps: {**note, "apiVersion": "v1", "kind": "ConfigMap"}}
    rows = []
    rates = [bench.load(path, method="POST", body=json.dumps(tree)) for path, tree in bodies.items()]
    rows.append(_ratio("create custom objects", *rates))
    for path, tree in bodies.items():
        body = json.dumps({**tree, "metadata": {"name": "one"}}).encode()
        bench.target.call(lambda client, path=path, body=body: client.request("POST", path, body=body))
    rates = [bench.load(f"{path}/one") for path in (notes, maps)]
    rows.append(_ratio("get one custom object", *rates))
    return rows


_NOTE = {"type": "object", "properties": {"data": {"type": "object", "additionalProperties": {"type": "string"}}}}


def _ratio(work: str, ours: wrk.Load, builtin: wrk.Load) -> Row:
    return Row(work, ours.per_second, "/s", "ratio ≥ 0.77", builtin.per_second, "ConfigMap", ours.p99_ms)


def full(bench: Bench) -> list[Row]:
    return growth(pod(""))


ZONE_SPREAD = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "app"}},
        }
    ]
}
HOST_ANTI_AFFINITY = {
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app.kubernetes.io/name": "app"}}, "topologyKey": "kubernetes.io/hostname"}
            ]
        }
    }
}


def schedule(bench: Bench) -> list[Row]:
    """A cluster of its own for each: the pods are there before the scheduler starts."""
    rows = []
    workloads: list[tuple[str, str, dict[str, Any], int]] = [
        ("plain", "≥ 1500", {}, 3000),
        ("zone spread", "≥ 1000", ZONE_SPREAD, 3000),
        ("anti-affinity by host", "≥ 1000", HOST_ANTI_AFFINITY, bench.nodes),
    ]
    for title, goal, spec, pods in workloads:
        rate = _bound_per_second(bench.nodes, pods, spec)
        rows.append(Row(f"Pods bound, {title} ({bench.nodes:,} nodes)", rate, "/s", goal))
    return rows


def _bound_per_second(nodes: int, pods: int, spec: dict[str, Any]) -> float:
    target = Target()
    try:
        target.call(lambda client: _populate(client, nodes, pods, spec))
        scheduler = target.start("scheduler", f"--kubeconfig={target.kubeconfig}")
        return target.call(lambda client: _time_bindings(client, pods, scheduler))
    finally:
        target.close()


async def _populate(client: Client, nodes: int, pods: int, spec: dict[str, Any]) -> None:
    amounts = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    for i in range(nodes):
        labels = {"kubernetes.io/hostname": f"node-{i}", "topology.kubernetes.io/zone": f"zone-{i % 3}"}
        node = {"metadata": {"name": f"node-{i}", "labels": labels}, "status": {"capacity": amounts, "allocatable": amounts}}
        await client.request("POST", "/api/v1/nodes", body=json.dumps(node).encode())
        untaint = json.dumps({"spec": {"taints": None}}).encode()
        await client.request("PATCH", f"/api/v1/nodes/node-{i}", body=untaint, content_type="application/merge-patch+json")
    for i in range(pods):
        await client.request("POST", PODS, body=json.dumps(pod(f"p-{i}", **spec)).encode())


async def _time_bindings(client: Client, pods: int, scheduler: subprocess.Popen[bytes]) -> float:
    """From the first binding seen to the last, on a watch that a Pod enters when it gets a node."""
    query = {"watch": "1", "fieldSelector": "spec.nodeName!=", "resourceVersion": "0"}
    bound, first, already = 0, 0.0, 0
    async with client.transport.stream("GET", PODS, query=query) as stream:
        async for chunk in stream:
            bound += chunk.count(b'"type":"ADDED"')
            now = time.perf_counter()
            if bound and not first:
                first, already = now, bound
            if bound >= pods:
                return (bound - already) / (now - first)
            if scheduler.poll() is not None:
                break
    raise RuntimeError(f"the watch ended after {bound} of {pods} bindings")


def testing(bench: Bench) -> list[Row]:
    """`sampan.testing`, as a test sees it. A process of its own, so that the first cluster is one."""
    out = subprocess.run([sys.executable, "-m", "bench.testing"], capture_output=True, text=True, check=True).stdout
    return [Row(*row) for row in json.loads(out)]


SUITES: dict[str, Callable[[Bench], list[Row]]] = {
    "idle": idle,
    "create": create,
    "get": get,
    "patch": patch,
    "list": list_,
    "watch": watch,
    "memory": memory,
    "custom": custom,
    "full": full,
    "schedule": schedule,
    "testing": testing,
}

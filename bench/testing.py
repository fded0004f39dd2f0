"""How fast `sampan.testing` is: prints rows as JSON."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from sampan.testing import Cluster

TIMES = 10
NODES = 50
PODS = 500


def main() -> None:
    ready, gone = [], []
    for _ in range(TIMES):
        began = time.perf_counter()
        with Cluster():
            ready.append(time.perf_counter() - began)
            ending = time.perf_counter()
        gone.append(time.perf_counter() - ending)
    rows: list[tuple[Any, ...]] = [
        ("test cluster, ready (median; imports done)", statistics.median(ready[1:]), "s", "≤ 1"),
        ("test cluster, the process's first", ready[0], "s", "≤ 1"),
        ("test cluster, torn down", statistics.median(gone), "s"),
    ]
    with Cluster(nodes=NODES) as cluster:
        began, used = time.perf_counter(), time.process_time()
        cluster.apply(deployment())
        cluster.wait_for("deploy/web", "rollout", timeout=120)
        took, used = time.perf_counter() - began, time.process_time() - used
        rows.append((f"test cluster, {PODS} pods on {NODES} nodes ready", PODS / took, "/s"))
        rows.append(("… CPU for each pod", used / PODS * 1000, "ms"))
    print(json.dumps(rows))


def deployment() -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    spec = {"replicas": PODS, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


if __name__ == "__main__":
    main()

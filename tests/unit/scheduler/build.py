"""Nodes, pods and frameworks for the scheduler's tests."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from sampan.api.selectors import LabelSelector
from sampan.api.types.core_v1 import Node, Pod
from sampan.scheduler.cache import NodeTable
from sampan.scheduler.framework import Framework
from sampan.scheduler.plugins import default_plugins
from sampan.scheduler.podinfo import PodInfo, pod_info


class NoSelections:
    def of(self, pod: PodInfo) -> LabelSelector | None:
        return None


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    labels: dict[str, str] | None = None,
    extended: dict[str, str] | None = None,
    **spec: Any,
) -> Node:
    tree = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **(extended or {})}},
    }
    return msgspec.convert(tree, Node)


def pod(name: str, *, cpu: str = "", memory: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Pod:
    requests = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    container = {"name": "c", "resources": {"requests": requests}, "ports": spec.pop("ports", [])}
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": labels or {}}
    return msgspec.convert({"metadata": metadata, "spec": {"containers": [container]} | spec}, Pod)


def table_of(*nodes: Node) -> NodeTable:
    table = NodeTable()
    for each in nodes:
        table.set_node(each)
    return table


def framework() -> Framework:
    filters, scores = default_plugins(NoSelections())  # type: ignore[arg-type]
    return Framework(filters, scores, np.random.default_rng(1))


def place(table: NodeTable, on: str, placed: Pod) -> None:
    table.place(pod_info(placed), on)


def choose(table: NodeTable, wanted: Pod) -> str:
    return framework().select(table, pod_info(wanted))

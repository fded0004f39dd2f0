"""NodeUnschedulable: a cordoned node takes only pods that tolerate it."""

from __future__ import annotations

from sampan.scheduler.cache import Mask, NodeTable
from sampan.scheduler.plugins.tainttoleration import tolerates
from sampan.scheduler.podinfo import PodInfo

TAINT = ("node.kubernetes.io/unschedulable", "", "NoSchedule")


class NodeUnschedulable:
    name = "NodeUnschedulable"
    static = True

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        if any(tolerates(toleration, TAINT) for toleration in pod.pod.spec.tolerations):
            return None
        return ~table.unschedulable

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        return ["node(s) were unschedulable"]

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return False

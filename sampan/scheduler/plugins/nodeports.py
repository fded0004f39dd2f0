"""NodePorts: two pods cannot have one port of a node."""

from __future__ import annotations

import numpy as np

from sampan.scheduler.cache import Mask, NodeTable
from sampan.scheduler.podinfo import PodInfo

EVERY_ADDRESS = "0.0.0.0"


class NodePorts:
    name = "NodePorts"
    static = False

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        mask: Mask | None = None
        for ip, protocol, port in pod.host_ports:
            for row, used in table.ports.get((protocol, port), {}).items():
                if used and (ip == EVERY_ADDRESS or EVERY_ADDRESS in used or ip in used):
                    if mask is None:
                        mask = np.ones(table.size, np.bool_)
                    mask[row] = False
        return mask

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        return ["node(s) didn't have free ports for the requested pod ports"]

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return True

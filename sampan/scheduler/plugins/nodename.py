"""NodeName: a pod that names its node goes there or nowhere."""

from __future__ import annotations

import numpy as np

from sampan.scheduler.cache import Mask, NodeTable
from sampan.scheduler.podinfo import PodInfo


class NodeName:
    name = "NodeName"
    static = True

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        wanted = pod.pod.spec.nodeName
        if not wanted:
            return None
        mask = np.zeros(table.size, np.bool_)
        if wanted in table.rows:
            mask[table.rows[wanted]] = True
        return mask

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        return ["node(s) didn't match the requested node name"]

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return False

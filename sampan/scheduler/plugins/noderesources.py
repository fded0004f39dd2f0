"""NodeResourcesFit and NodeResourcesBalancedAllocation: room for what a pod requests, and where it leaves the most."""

from __future__ import annotations

import numpy as np

from sampan.scheduler.cache import Mask, NodeTable, Scores
from sampan.scheduler.framework import MAX_NODE_SCORE
from sampan.scheduler.podinfo import PODS, PodInfo


class NodeResourcesFit:
    """The filter, and the score LeastAllocated over CPU and memory."""

    name = "NodeResourcesFit"
    static = False
    weight = 1

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        mask: Mask | None = None
        for name, amount in pod.requests.items():
            if not amount:
                continue
            index = table.resources.get(name)
            if index is None:
                return np.zeros(table.size, np.bool_)
            fits = table.requested[index] + amount <= table.allocatable[index]
            mask = fits if mask is None else mask & fits
        return mask

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        return ["Too many pods" if name == PODS else f"Insufficient {name}" for name in self._short(table, pod, row)]

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return all(
            name in table.resources and pod.requests[name] <= table.allocatable[table.resources[name], row]
            for name in self._short(table, pod, row)
        )

    def _short(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        """The resources of which the node has too little left."""
        short = []
        for name, amount in pod.requests.items():
            index = table.resources.get(name)
            free = 0 if index is None else table.allocatable[index, row] - table.requested[index, row]
            if amount and amount > free:
                short.append(name)
        return short

    def score(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Scores | None:
        allocatable = table.allocatable[:2]
        wanted = table.scored + _asked(pod)
        free = np.where(wanted <= allocatable, allocatable - wanted, 0)
        each = free * 100 // np.maximum(allocatable, 1)
        scores: Scores = (each.sum(axis=0) // 2).astype(np.float64)
        return scores


class NodeResourcesBalancedAllocation:
    """Prefers nodes whose CPU and memory would be used to the same degree."""

    name = "NodeResourcesBalancedAllocation"
    weight = 1

    def score(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Scores | None:
        asked = [pod.requests.get("cpu", 0), pod.requests.get("memory", 0)]
        if not any(asked):
            return None  # A pod that requests nothing does not change the balance.
        used = (table.requested[:2] + np.array(asked)[:, None]) / np.maximum(table.allocatable[:2], 1)
        cpu, memory = np.minimum(used, 1.0)
        scores: Scores = np.floor((1.0 - np.abs(cpu - memory) / 2) * MAX_NODE_SCORE)
        return scores


def _asked(pod: PodInfo) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.array([[pod.scored_cpu], [pod.scored_memory]], np.int64)

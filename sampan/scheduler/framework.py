"""Plugins, and how they are run: filters leave nodes over, scores rank what is left.

Modelled on https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/: names, weights and the order of
filters are upstream's. A filter says of all nodes at once which fit, and of one node, in words, why it does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from sampan.scheduler.cache import Mask, NodeTable, Scores
from sampan.scheduler.podinfo import PodInfo

MAX_NODE_SCORE = 100.0
CACHED_MASKS = 1024


class FilterPlugin(Protocol):
    name: str
    static: bool
    """Whether the answer depends only on the nodes' own attributes and `PodInfo.node_needs`, and so may be shared."""

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        """Rows that fit (rows that are not candidates don't matter); None: all do."""
        ...

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        """Why the node at `row` does not fit, as `kubectl describe pod` shows it."""
        ...

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        """Whether removing pods from the node could make it fit."""
        ...


class ScorePlugin(Protocol):
    name: str
    weight: int

    def score(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Scores | None:
        """0 to 100 for every row; None: all alike."""
        ...


class Unschedulable(Exception):
    """No node fits; the message is the FailedScheduling event's."""


class Framework:
    """The plugins of one profile."""

    def __init__(self, filters: Sequence[FilterPlugin], scores: Sequence[ScorePlugin], generator: np.random.Generator) -> None:
        self._filters = filters
        self._statics = [f for f in filters if f.static]
        self._dynamics = [f for f in filters if not f.static]
        self._scores = scores
        self._random = generator
        self._masks: dict[bytes, Mask] = {}
        self._masks_version = -1

    def select(self, table: NodeTable, pod: PodInfo) -> str:
        """The name of the node that fits best; one of the best at random. Raises Unschedulable."""
        candidates = self._fitting(table, pod)
        rows = np.flatnonzero(candidates)
        if not len(rows):
            raise Unschedulable(self.diagnose(table, pod))
        if len(rows) > 1:
            total = self._total(table, pod, candidates)[rows]
            rows = rows[total == total.max()]
        row = rows[self._random.integers(len(rows))] if len(rows) > 1 else rows[0]
        node = table.nodes[int(row)]
        assert node is not None
        return node.metadata.name

    def _fitting(self, table: NodeTable, pod: PodInfo) -> Mask:
        candidates = self._static_mask(table, pod)
        for plugin in self._dynamics:
            mask = plugin.filter(table, pod, candidates)
            if mask is not None:
                candidates = candidates & mask
        return candidates

    def _static_mask(self, table: NodeTable, pod: PodInfo) -> Mask:
        if self._masks_version != table.static_version or len(self._masks) >= CACHED_MASKS:
            self._masks.clear()
            self._masks_version = table.static_version
        mask = self._masks.get(pod.node_needs)
        if mask is None:
            mask = table.valid
            for plugin in self._statics:
                found = plugin.filter(table, pod, mask)
                if found is not None:
                    mask = mask & found
            self._masks[pod.node_needs] = mask
        return mask

    def _total(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Scores:
        total = np.zeros(table.size)
        for plugin in self._scores:
            scores = plugin.score(table, pod, candidates)
            if scores is not None:
                total += plugin.weight * scores
        return total

    def diagnose(self, table: NodeTable, pod: PodInfo) -> str:
        """Upstream's sentence: how many nodes fail for which reason, and whether preemption would help."""
        if not len(table):
            return "no nodes available to schedule pods"
        counted: Counter[str] = Counter()
        hopeless = 0
        left = table.valid
        for plugin in self._filters:
            mask = plugin.filter(table, pod, left)
            if mask is None:
                continue
            for row in np.flatnonzero(left & ~mask):
                counted.update(plugin.reasons(table, pod, int(row)))
                hopeless += not plugin.resolvable(table, pod, int(row))
            left = left & mask
        total = len(table)
        return f"{_fit_error(total, counted)} preemption: {_fit_error(total, _preemption(total, hopeless))}"


def _preemption(total: int, hopeless: int) -> dict[str, int]:
    reasons = {
        "Preemption is not helpful for scheduling": hopeless,
        "No preemption victims found for incoming pod": total - hopeless,
    }
    return {reason: count for reason, count in reasons.items() if count}


def _fit_error(total: int, counted: dict[str, int]) -> str:
    reasons = sorted(f"{count} {reason}" for reason, count in counted.items())
    return f"0/{total} nodes are available: {', '.join(reasons)}."


def normalized(raw: Scores, candidates: Mask, *, reverse: bool = False) -> Scores | None:
    """Raw scores scaled so that the best candidate has 100 (with `reverse`, the lowest raw score does)."""
    best = raw[candidates].max()
    if best == 0:
        return np.full(raw.shape, MAX_NODE_SCORE) if reverse else None
    scaled: Scores = np.floor(raw * MAX_NODE_SCORE / best)
    return MAX_NODE_SCORE - scaled if reverse else scaled

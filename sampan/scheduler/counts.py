"""How many pods of a kind each node holds: what spreading and pod affinity are computed from.

A count is an array over the node table's rows, made when a pod first asks for it and kept up to date as pods come and go. Two
kinds exist: pods that a selector matches, and pods that carry a required anti-affinity term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sampan.api.selectors import LabelSelector
from sampan.scheduler.podinfo import PodInfo, Term

if TYPE_CHECKING:
    from sampan.scheduler.cache import NodeTable

Counts = npt.NDArray[np.int32]

MAX_SELECTIONS = 512
"""Selections counted at one time; each pod that comes or goes is tested against all of them."""


class PodCounts:
    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._selections: dict[Term, Counts] = {}
        self.repelling: dict[Term, Counts] = {}
        """Anti-affinity term → how many pods on each node carry it."""

    def matching(self, namespace: str, selector: LabelSelector) -> Counts:
        """Pods of a namespace that the selector matches, by row."""
        return self.selected(Term(frozenset((namespace,)), False, selector, ""))

    def selected(self, term: Term) -> Counts:
        """Pods that the term means, by row."""
        key = Term(term.namespaces, term.all_namespaces, term.selector, "")
        counts = self._selections.get(key)
        if counts is None:
            if len(self._selections) >= MAX_SELECTIONS:
                del self._selections[next(iter(self._selections))]
            counts = np.zeros(self._table.size, np.int32)
            for info, node in self._table.placed.values():
                row = self._table.rows.get(node)
                if row is not None and _counts(info) and key.matches(info):
                    counts[row] += 1
            self._selections[key] = counts
        return counts

    def count(self, row: int, info: PodInfo, sign: int) -> None:
        for term in info.anti_affinity:
            counts = self.repelling.get(term)
            if counts is None:
                counts = self.repelling[term] = np.zeros(self._table.size, np.int32)
            counts[row] += sign
            if sign < 0 and not counts.any():
                del self.repelling[term]
        if _counts(info):
            for term, counts in self._selections.items():
                if term.matches(info):
                    counts[row] += sign

    def grow(self, size: int) -> None:
        for group in (self._selections, self.repelling):
            for term, counts in group.items():
                group[term] = np.pad(counts, (0, size - len(counts)))


def _counts(info: PodInfo) -> bool:
    """A pod on its way out is no reason to put the next one elsewhere."""
    return not info.pod.metadata.deletionTimestamp

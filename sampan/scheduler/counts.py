"""How many pods of a kind each node holds: what spreading and pod affinity are computed from.

A count is an array over the node table's rows, made when a pod first asks for it and kept up to date as pods come and go. Two
kinds exist: pods that a selector matches, and pods that carry a required anti-affinity term.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sampan.api.selectors import NOTHING, LabelSelector
from sampan.scheduler.podinfo import PodInfo, Term

if TYPE_CHECKING:
    from sampan.scheduler.cache import NodeTable

Counts = npt.NDArray[np.int32]

MAX_SELECTIONS = 512
"""Selections counted at one time; each pod that comes or goes is tested against all of them."""


class _Selection(NamedTuple):
    """Pods that all the terms mean, with or without those on their way out."""

    terms: tuple[Term, ...]
    with_leaving: bool

    def matches(self, info: PodInfo) -> bool:
        if not self.with_leaving and info.pod.metadata.deletionTimestamp:
            return False
        return all(term.matches(info) for term in self.terms)


class PodCounts:
    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._selections: dict[_Selection, Counts] = {}
        self.repelling: dict[Term, Counts] = {}
        """Anti-affinity term → how many pods on each node carry it."""

    def matching(self, namespace: str, selector: LabelSelector) -> Counts:
        """Pods of a namespace that the selector matches, by row; not those on their way out, which are no reason to put the
        next one elsewhere."""
        return self._counted(_Selection((Term(frozenset((namespace,)), NOTHING, selector, ""),), False))

    def selected(self, *terms: Term) -> Counts:
        """Pods that every one of the terms means, by row, until they are gone."""
        plain = tuple(replace(term, topology_key="") for term in terms)
        return self._counted(_Selection(plain, True))

    def _counted(self, selection: _Selection) -> Counts:
        counts = self._selections.get(selection)
        if counts is None:
            if len(self._selections) >= MAX_SELECTIONS:
                del self._selections[next(iter(self._selections))]
            counts = np.zeros(self._table.size, np.int32)
            for info, node in self._table.placed.values():
                row = self._table.rows.get(node)
                if row is not None and selection.matches(info):
                    counts[row] += 1
            self._selections[selection] = counts
        return counts

    def count(self, row: int, info: PodInfo, sign: int) -> None:
        for term in info.anti_affinity:
            counts = self.repelling.get(term)
            if counts is None:
                counts = self.repelling[term] = np.zeros(self._table.size, np.int32)
            counts[row] += sign
            if sign < 0 and not counts.any():
                del self.repelling[term]
        for selection, counts in self._selections.items():
            if selection.matches(info):
                counts[row] += sign

    def grow(self, size: int) -> None:
        for selection, counts in self._selections.items():
            self._selections[selection] = np.pad(counts, (0, size - len(counts)))
        for term, counts in self.repelling.items():
            self.repelling[term] = np.pad(counts, (0, size - len(counts)))

"""InterPodAffinity: required affinity and anti-affinity between pods, both ways."""

from __future__ import annotations

import numpy as np

from sampan.scheduler.cache import Mask, NodeTable
from sampan.scheduler.podinfo import PodInfo, Term


class InterPodAffinity:
    name = "InterPodAffinity"
    static = False

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        mask: Mask | None = None
        for term in (t for t in table.counts.repelling if t.matches(pod)):
            away = ~_domains_with(table, term, table.counts.repelling[term])
            mask = away if mask is None else mask & away
        for term in pod.anti_affinity:
            away = ~_domains_with(table, term, table.counts.selected(term))
            mask = away if mask is None else mask & away
        if pod.affinity:
            near = self._near(table, pod)
            mask = near if mask is None else mask & near
        return mask

    @staticmethod
    def _near(table: NodeTable, pod: PodInfo) -> Mask:
        """Nodes that are, for every term, in a domain with a pod that all the terms mean. The first of a group that wants to
        be with its own kind may go anywhere its topology keys are, or no group could ever begin."""
        near = np.ones(table.size, np.bool_)
        keyed = np.ones(table.size, np.bool_)
        anybody = False
        counts = table.counts.selected(*pod.affinity)
        for term in pod.affinity:
            has_key = table.label(term.topology_key).codes != 0
            anybody = anybody or bool(counts[has_key].any())
            near &= _domains_with(table, term, counts)
            keyed &= has_key
        if not anybody and all(term.matches(pod) for term in pod.affinity):
            return keyed
        return near

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        if pod.affinity and not self._near(table, pod)[row]:
            return ["node(s) didn't match pod affinity rules"]
        if any(_domains_with(table, term, table.counts.selected(term))[row] for term in pod.anti_affinity):
            return ["node(s) didn't match pod anti-affinity rules"]
        return ["node(s) didn't satisfy existing pods anti-affinity rules"]

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return not pod.affinity or bool(self._near(table, pod)[row])


def _domains_with(table: NodeTable, term: Term, counts: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Mask:
    """Nodes whose domain of the term's topology key holds at least one counted pod."""
    codes = table.label(term.topology_key).codes
    found = np.zeros(len(table.label(term.topology_key).values) + 1, np.bool_)
    found[codes[counts > 0]] = True
    found[0] = False
    return found[codes]

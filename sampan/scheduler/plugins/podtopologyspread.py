"""PodTopologySpread: keep the pods of one selection evenly over zones, hosts or any other label.

Pods without constraints of their own get upstream's system defaults: those of one owner or Service spread, as a preference,
over hosts and zones.
"""

from __future__ import annotations

import numpy as np

from sampan.api.selectors import LabelSelector
from sampan.scheduler.cache import Codes, Mask, NodeTable, Scores
from sampan.scheduler.framework import MAX_NODE_SCORE
from sampan.scheduler.plugins.nodeaffinity import required_mask
from sampan.scheduler.plugins.tainttoleration import TaintToleration
from sampan.scheduler.podinfo import PodInfo, Spread
from sampan.scheduler.selection import Selections

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


class PodTopologySpread:
    name = "PodTopologySpread"
    static = False
    weight = 2

    def __init__(self, selections: Selections) -> None:
        self._selections = selections

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        mask: Mask | None = None
        for constraint in pod.spread:
            fits = self._within_skew(table, pod, constraint)
            mask = fits if mask is None else mask & fits
        return mask

    def _within_skew(self, table: NodeTable, pod: PodInfo, constraint: Spread) -> Mask:
        codes = table.label(constraint.topology_key).codes
        counted = table.valid & (codes != 0)
        if constraint.honor_affinity and (allowed := required_mask(table, pod)) is not None:
            counted = counted & allowed
        if constraint.honor_taints and (tolerated := TaintToleration().filter(table, pod, counted)) is not None:
            counted = counted & tolerated
        # Every required key must be on a node for it to count in any domain.
        for other in pod.spread:
            counted = counted & (table.label(other.topology_key).codes != 0)
        by_domain = self._by_domain(table, pod, constraint.selector, codes, counted)
        domains = np.unique(codes[counted])
        least = by_domain[domains].min() if len(domains) >= max(constraint.min_domains, 1) else 0
        itself = 1 if constraint.selector.matches(pod.labels) else 0
        fits: Mask = (by_domain[codes] + itself - least <= constraint.max_skew) & (codes != 0)
        return fits

    @staticmethod
    def _by_domain(table: NodeTable, pod: PodInfo, selector: LabelSelector, codes: Codes, counted: Mask) -> Scores:
        counts = table.counts.matching(pod.namespace, selector)
        return np.bincount(codes, weights=np.where(counted, counts, 0)).astype(np.float64)

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        if any(table.label(c.topology_key).codes[row] == 0 for c in pod.spread):
            return ["node(s) didn't match pod topology spread constraints (missing required label)"]
        return ["node(s) didn't match pod topology spread constraints"]

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return all(table.label(c.topology_key).codes[row] != 0 for c in pod.spread)

    def score(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Scores | None:
        constraints = pod.soft_spread or self._defaults(pod)
        if not constraints:
            return None
        raw = np.zeros(table.size)
        ignored = np.zeros(table.size, np.bool_)
        for constraint in constraints:
            codes = table.label(constraint.topology_key).codes
            if pod.soft_spread:
                ignored |= codes == 0
            counted = table.valid & (codes != 0)
            by_domain = self._by_domain(table, pod, constraint.selector, codes, counted)
            domains = len(np.unique(codes[candidates & (codes != 0)]))
            # Fewer domains weigh more, as each can take more pods (upstream's topologyNormalizingWeight).
            here = np.where(codes != 0, by_domain[codes], 0)
            raw += here * np.log(domains + 2) + (constraint.max_skew - 1)
        return self._inverted(raw, candidates, ignored)

    @staticmethod
    def _inverted(raw: Scores, candidates: Mask, ignored: Mask) -> Scores | None:
        """The fewest pods score 100; nodes without a required label score 0."""
        compared = candidates & ~ignored
        if not compared.any():
            return None
        rounded = np.round(raw)
        highest, lowest = rounded[compared].max(), rounded[compared].min()
        if highest == 0:
            return np.where(ignored, 0.0, MAX_NODE_SCORE)
        scores = np.floor(MAX_NODE_SCORE * (highest + lowest - rounded) / highest)
        return np.where(ignored, 0.0, scores)

    def _defaults(self, pod: PodInfo) -> tuple[Spread, ...]:
        if pod.pod.spec.topologySpreadConstraints:
            return ()
        selector = self._selections.of(pod)
        if selector is None:
            return ()
        return (Spread(3, HOSTNAME, selector, 1, True, False), Spread(5, ZONE, selector, 1, True, False))

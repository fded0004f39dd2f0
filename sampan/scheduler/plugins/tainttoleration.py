"""TaintToleration: a taint keeps off pods that do not tolerate it, or (PreferNoSchedule) makes its node a worse choice."""

from __future__ import annotations

import numpy as np

from sampan.api.types.core_v1 import Toleration
from sampan.scheduler.cache import Mask, NodeTable, Scores
from sampan.scheduler.framework import normalized
from sampan.scheduler.podinfo import PodInfo

HARD = ("NoSchedule", "NoExecute")


def tolerates(toleration: Toleration, taint: tuple[str, str, str]) -> bool:
    """Upstream's Toleration.ToleratesTaint; `taint` is (key, value, effect)."""
    key, value, effect = taint
    if toleration.effect and toleration.effect != effect:
        return False
    if toleration.key and toleration.key != key:
        return False
    if toleration.operator == "Exists":
        return True
    return toleration.operator in ("", "Equal") and toleration.key == key and toleration.value == value


def _untolerated(table: NodeTable, pod: PodInfo, effects: tuple[str, ...]) -> list[int]:
    """Codes of the taints with such an effect that the pod does not tolerate, in the order they were first seen."""
    tolerations = pod.pod.spec.tolerations
    return [
        code
        for taint, code in table.taints.items()
        if taint[2] in effects and not any(tolerates(toleration, taint) for toleration in tolerations)
    ]


class TaintToleration:
    name = "TaintToleration"
    static = True
    weight = 3

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        codes = _untolerated(table, pod, HARD)
        if not codes:
            return None
        kept_off: Mask = np.any(table.tainted[codes], axis=0)
        return ~kept_off

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        node = table.nodes[row]
        for taint in node.spec.taints if node else ():
            identity = (taint.key, taint.value, taint.effect)
            if taint.effect in HARD and not any(tolerates(t, identity) for t in pod.pod.spec.tolerations):
                return [f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"]
        return []

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return False

    def score(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Scores | None:
        codes = _untolerated(table, pod, ("PreferNoSchedule",))
        if not codes:
            return None
        return normalized(table.tainted[codes].sum(axis=0).astype(np.float64), candidates, reverse=True)

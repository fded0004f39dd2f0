"""The thin seam over `prometheus_client`: metrics are module-level values, and `exposition` is what /metrics answers.

RECONCILES = Counter("sampan_reconciles_total", "Reconciliations.", ("controller", "result"))
RECONCILES.labels("replicaset", "success").inc()
"""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["CONTENT_TYPE", "Counter", "Gauge", "Histogram", "Tally", "exposition"]

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Tally:
    """What goes up and down with every request, for a Gauge that reads it when it is asked: its own steps take a lock each.

    RUNNING.labels("readOnly").set_function(tally.read)
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def read(self) -> float:
        return self.value


def exposition() -> bytes:
    """Every metric of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)

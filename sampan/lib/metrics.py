"""The thin seam over `prometheus_client`: metrics are module-level values, and `exposition` is what /metrics answers.

RECONCILES = Counter("sampan_reconciles_total", "Reconciliations.", ("controller", "result"))
RECONCILES.labels("replicaset", "success").inc()
"""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["CONTENT_TYPE", "Counter", "Gauge", "Histogram", "exposition"]

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """Every metric of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)

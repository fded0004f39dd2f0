"""When the change happened that endpoints are written for; the time until proxies know of it is measured from there.

After staging's pkg endpointslice/util/trigger_time_tracker.go, which knows as little of changes that lie close together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sampan.api.types.core_v1 import Pod, Service
from sampan.controllers.pods import condition
from sampan.controllers.runtime import Context

ANNOTATION: Final = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass(frozen=True, slots=True)
class _Seen:
    """Times of the last look, as RFC 3339 writes them."""

    service: str
    pods: dict[str, str]


def trigger_time(ctx: Context, service: Service, pods: Iterable[Pod]) -> str:
    """Of the earliest change since the last look at the service; "" where there was none that has a time."""
    seen: _Seen | None = ctx.memory.get(ctx.key)
    now = _Seen(service.metadata.creationTimestamp, {pod.metadata.name: _ready_since(pod) for pod in pods})
    ctx.memory[ctx.key] = now
    if seen is None:
        return now.service
    changed = [time for name, time in now.pods.items() if time > seen.pods.get(name, "")]
    if now.service > seen.service:
        changed.append(now.service)
    return min(changed, default="")


def forget(ctx: Context) -> None:
    ctx.memory.pop(ctx.key, None)


def annotated(annotations: dict[str, str], time: str) -> dict[str, str]:
    rest = {name: value for name, value in annotations.items() if name != ANNOTATION}
    return {**rest, ANNOTATION: time} if time else rest


def _ready_since(pod: Pod) -> str:
    ready = condition(pod, "Ready")
    return ready.lastTransitionTime if ready is not None else ""

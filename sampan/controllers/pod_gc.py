"""Pods that nobody else will remove: of nodes that are gone, never scheduled and deleted, finished and too many.

After upstream's pkg/controller/podgc.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Node, Pod, PodCondition
from sampan.controllers.runtime import Context, Periodic
from sampan.lib.clock import rfc3339

EVERY_SECONDS = 20.0
QUARANTINE_SECONDS = 40.0
"""How long a node has to be missing: its pods are deleted without grace, so nobody must have overlooked it."""
TERMINATED_THRESHOLD = 12_500
ORPHANED = "PodGC: node no longer exists"


class PodGC:
    def __init__(self, terminated_threshold: int = TERMINATED_THRESHOLD) -> None:
        self._threshold = terminated_threshold
        self._missing_since: dict[str, float] = {}

    def periodic(self) -> Periodic:
        return Periodic("pod-garbage-collector", EVERY_SECONDS, self.collect, reads=(Pod, Node))

    async def collect(self, ctx: Context) -> None:
        pods = ctx.list(Pod)
        for pod in plan_terminated(pods, self._threshold):
            await _remove(ctx, pod)
        gone = await self._gone_nodes(ctx, pods)
        for pod in pods:
            if pod.spec.nodeName in gone:
                await _remove(ctx, await _mark_failed(ctx, pod))
            elif not pod.spec.nodeName and pod.metadata.deletionTimestamp:
                await _remove(ctx, pod)

    async def _gone_nodes(self, ctx: Context, pods: Sequence[Pod]) -> set[str]:
        known = {node.metadata.name for node in ctx.list(Node)}
        missing = {pod.spec.nodeName for pod in pods if pod.spec.nodeName} - known
        now = ctx.clock.monotonic()
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        over = [name for name, since in self._missing_since.items() if now - since >= QUARANTINE_SECONDS]
        return {name for name in over if not await _exists(ctx, name)}


def plan_terminated(pods: Sequence[Pod], threshold: int) -> list[Pod]:
    """The oldest finished pods beyond the threshold; 0: no limit."""
    finished = [pod for pod in pods if pod.status.phase in ("Succeeded", "Failed") and not pod.metadata.deletionTimestamp]
    if threshold <= 0 or len(finished) <= threshold:
        return []
    finished.sort(key=lambda pod: (pod.metadata.creationTimestamp, pod.metadata.name))
    return finished[: len(finished) - threshold]


async def _exists(ctx: Context, name: str) -> bool:
    try:
        await ctx.client.get(Node, name)
    except StatusError as error:
        if error.code != 404:
            raise
        return False
    return True


async def _mark_failed(ctx: Context, pod: Pod) -> Pod:
    if pod.status.phase in ("Succeeded", "Failed"):
        return pod
    target = PodCondition(
        type="DisruptionTarget", status="True", reason="DeletionByPodGC",
        message=ORPHANED, lastTransitionTime=rfc3339(ctx.clock.now()),
    )  # fmt: skip
    conditions = [*(c for c in pod.status.conditions if c.type != target.type), target]
    try:
        return await ctx.update_status(replace(pod, status=replace(pod.status, phase="Failed", conditions=conditions)))
    except StatusError as error:
        if error.code not in (404, 409):
            raise
        return pod


async def _remove(ctx: Context, pod: Pod) -> None:
    """Without grace: there is no kubelet that would end it."""
    await ctx.delete(pod, grace_seconds=0)

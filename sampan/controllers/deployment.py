"""Deployments: a replica set for each template, pods moved from the old to the new one, revisions kept to go back to.

After upstream's pkg/controller/deployment. The decisions are in `rolling.py` (how many pods where), `history.py` (which
replica set, which revision) and `deploymentstatus.py` (conditions); here they are put in order and carried out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from sampan.api.errors import ALREADY_EXISTS, StatusError
from sampan.api.selectors import from_label_selector
from sampan.api.types.apps_v1 import Deployment, DeploymentStatus, ReplicaSet
from sampan.api.types.core_v1 import Pod
from sampan.controllers import deploymentstatus as progress
from sampan.controllers import history, rolling
from sampan.controllers.ownership import CONTROLLER_INDEX, claim, controller_of, controller_uids
from sampan.controllers.rolling import Scale, replicas_of
from sampan.controllers.runtime import Context, Controller, Index, Key, Requeue, Watch, key_of


class Rollout:
    """One reconciliation: the deployment, its new replica set (if any) and its old ones, updated as writes are made."""

    def __init__(self, ctx: Context, d: Deployment, sets: list[ReplicaSet]) -> None:
        self.ctx = ctx
        self.d = d
        self.new = history.find_new(d, sets)
        new_uid = self.new.metadata.uid if self.new is not None else ""
        self.old = [rs for rs in sets if rs.metadata.uid != new_uid]

    @property
    def sets(self) -> list[ReplicaSet]:
        return [*self.old, self.new] if self.new is not None else list(self.old)

    async def find_or_create_new(self) -> ReplicaSet:
        await self.sync_revision()
        return self.new if self.new is not None else await self._create_new()

    async def sync_revision(self) -> None:
        """Bring the new replica set's annotations, and the deployment's revision, up to date."""
        if self.new is None:
            return
        patch = history.plan_new_set_patch(self.d, self.new, self.old)
        if patch:
            self.new = await self.ctx.patch(self.new, patch)
        await self._set_revision(self.new)
        if progress.has_deadline(self.d) and self._progressing() is None:
            await self._note_progress("True", progress.FOUND_NEW_SET, f'Found new replica set "{self.new.metadata.name}"')

    async def scale(self, steps: Iterable[Scale]) -> bool:
        """Whether any size changed."""
        changed = False
        for step in steps:
            changed |= await self._scale_one(step)
        return changed

    async def clean_up(self) -> None:
        for rs in history.plan_cleanup(self.d, self.old):
            await self.ctx.delete(rs)

    async def write_status(self, status: DeploymentStatus) -> None:
        if status != self.d.status:
            self.d = await self.ctx.update_status(replace(self.d, status=status))

    async def write_counts(self) -> None:
        await self.write_status(progress.plan_counts(self.d, self.sets, self.new, self.ctx.clock.now()))

    async def write_progress(self) -> Requeue | None:
        now = self.ctx.clock.now()
        status = progress.plan_progress(self.d, self.sets, self.new, now)
        await self.write_status(status)
        wait = progress.recheck_after_seconds(self.d, status, now)
        return Requeue(wait) if wait is not None else None

    async def _create_new(self) -> ReplicaSet:
        replicas = rolling.new_set_replicas(self.d, self.old, 0)
        max_replicas = replicas_of(self.d) + rolling.max_surge(self.d)
        made = history.make_replica_set(self.d, replicas, max_replicas, self.old)
        name = made.metadata.name
        try:
            self.new = await self.ctx.create(made)
        except StatusError as error:
            if error.reason == ALREADY_EXISTS:
                self.new = await self._existing(name)
                return self.new
            await self._note_progress(
                "False", progress.SET_CREATE_ERROR, f'Failed to create new replica set "{name}": {error.message}'
            )
            raise
        if replicas > 0:
            self._tell(f"Scaled up replica set {name} from 0 to {replicas}")
        await self._set_revision(self.new)
        if progress.has_deadline(self.d):
            await self._note_progress("True", progress.NEW_SET_CREATED, f'Created new replica set "{name}"')
        return self.new

    async def _existing(self, name: str) -> ReplicaSet:
        """The replica set of that name if it is ours and of our template; else the next try takes another hash."""
        rs = await self.ctx.client.get(ReplicaSet, name, self.d.metadata.namespace)
        owner = controller_of(rs)
        same = history.template_bytes(rs.spec.template) == history.template_bytes(self.d.spec.template)
        if owner is not None and owner.uid == self.d.metadata.uid and same:
            return rs
        collisions = (self.d.status.collisionCount or 0) + 1
        await self.write_status(replace(self.d.status, collisionCount=collisions))
        raise StatusError(409, ALREADY_EXISTS, f'replica set "{name}" belongs to another template or owner')

    async def _scale_one(self, step: Scale) -> bool:
        rs, before = step.rs, replicas_of(step.rs)
        sizes = history.size_annotations(self.d, replicas_of(self.d) + rolling.max_surge(self.d))
        stale = {k: v for k, v in sizes.items() if rs.metadata.annotations.get(k) != v}
        if step.replicas == before and not stale:
            return False
        patch: dict[str, Any] = {"metadata": {"resourceVersion": rs.metadata.resourceVersion, "annotations": stale}}
        if step.replicas != before:
            patch["spec"] = {"replicas": step.replicas}
        self._replace(await self.ctx.patch(rs, patch))
        if step.replicas == before:
            return False
        direction = "up" if step.replicas > before else "down"
        self._tell(f"Scaled {direction} replica set {rs.metadata.name} from {before} to {step.replicas}")
        return True

    def _replace(self, fresh: ReplicaSet) -> None:
        if self.new is not None and self.new.metadata.uid == fresh.metadata.uid:
            self.new = fresh
        else:
            self.old = [fresh if rs.metadata.uid == fresh.metadata.uid else rs for rs in self.old]

    async def _set_revision(self, rs: ReplicaSet) -> None:
        revision = rs.metadata.annotations.get(history.REVISION, "")
        if self.d.metadata.annotations.get(history.REVISION) != revision:
            # By way of the status: an annotation written any other way is a new generation of the deployment.
            patch = {"metadata": {"annotations": {history.REVISION: revision}}}
            self.d = await self.ctx.patch(self.d, patch, subresource="status")

    async def _note_progress(self, status: str, reason: str, message: str) -> None:
        fresh = progress.make_condition(progress.PROGRESSING, status, reason, message, self.ctx.clock.now())
        conditions = progress.set_condition(list(self.d.status.conditions), fresh)
        await self.write_status(replace(self.d.status, conditions=conditions))

    def _progressing(self) -> object:
        return progress.get_condition(self.d.status.conditions, progress.PROGRESSING)

    def _tell(self, message: str) -> None:
        self.ctx.events.event(self.d, "Normal", "ScalingReplicaSet", message)


async def reconcile(ctx: Context, key: Key) -> Requeue | None:
    d = ctx.get(Deployment, key)
    if d is None:
        return None
    selector = from_label_selector(d.spec.selector)
    if selector.empty:
        ctx.events.event(
            d, "Warning", "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required."
        )
        return None
    rollout = Rollout(ctx, d, await claim(ctx, d, selector, ReplicaSet))
    if d.metadata.deletionTimestamp:
        await rollout.write_counts()
        return None
    conditions = progress.plan_paused(d, ctx.clock.now())
    if conditions is not None:
        await rollout.write_status(replace(d.status, conditions=conditions))
    if d.spec.paused or rolling.was_scaled(d, rollout.sets):
        await _resize(rollout)
        return None
    if rolling.is_rolling(d):
        return await _roll(rollout)
    return await _recreate(rollout)


async def _resize(rollout: Rollout) -> None:
    """Follow spec.replicas without moving pods from one template to another."""
    await rollout.sync_revision()
    await rollout.scale(rolling.plan_scale(rollout.d, rollout.old, rollout.new))
    if rollout.d.spec.paused:
        await rollout.clean_up()
    await rollout.write_counts()


async def _roll(rollout: Rollout) -> Requeue | None:
    new = await rollout.find_or_create_new()
    if await rollout.scale(rolling.plan_new(rollout.d, rollout.sets, new)):
        return await rollout.write_progress()
    if await rollout.scale(rolling.plan_old(rollout.d, rollout.old, new)):
        return await rollout.write_progress()
    return await _finish(rollout)


async def _recreate(rollout: Rollout) -> Requeue | None:
    await rollout.sync_revision()
    if await rollout.scale(Scale(rs, 0) for rs in rolling.active(rollout.old)):
        return await rollout.write_progress()
    if _old_pods_run(rollout):
        return await rollout.write_progress()
    new = await rollout.find_or_create_new()
    await rollout.scale([Scale(new, replicas_of(rollout.d))] if replicas_of(new) != replicas_of(rollout.d) else [])
    return await _finish(rollout)


async def _finish(rollout: Rollout) -> Requeue | None:
    if progress.is_complete(rollout.d, rollout.d.status):
        await rollout.clean_up()
    return await rollout.write_progress()


def _old_pods_run(rollout: Rollout) -> bool:
    """Two templates must never run side by side: pods that are only being deleted count, too."""
    if any(rs.status.replicas for rs in rollout.old):
        return True
    pods = (pod for rs in rollout.old for pod in rollout.ctx.by_index(Pod, CONTROLLER_INDEX, rs.metadata.uid))
    return any(pod.status.phase not in ("Succeeded", "Failed") for pod in pods)


def _recreating(ctx: Context, pod: Pod) -> Iterable[Key]:
    """A pod's end may be what a Recreate waits for; the replica set's status does not tell it."""
    owner = controller_of(pod)
    if owner is None or owner.kind != ReplicaSet.api.kind:
        return ()
    rs = ctx.get(ReplicaSet, Key(pod.metadata.namespace, owner.name))
    above = controller_of(rs) if rs is not None else None
    if above is None or above.kind != Deployment.api.kind:
        return ()
    key = Key(pod.metadata.namespace, above.name)
    d = ctx.get(Deployment, key)
    return (key,) if d is not None and not rolling.is_rolling(d) else ()


def _deployments_matching(ctx: Context, rs: ReplicaSet) -> Iterable[Key]:
    """An orphan may be adopted by any deployment that selects it."""
    if controller_of(rs) is not None or rs.metadata.deletionTimestamp:
        return ()
    found = ctx.list(Deployment, rs.metadata.namespace)
    return [key_of(d) for d in found if from_label_selector(d.spec.selector).matches(rs.metadata.labels)]


CONTROLLER = Controller(
    "deployment-controller",
    for_=Deployment,
    owns=(ReplicaSet,),
    watches=(Watch(ReplicaSet, _deployments_matching), Watch(Pod, _recreating)),
    indexes=(Index(Pod, CONTROLLER_INDEX, controller_uids),),
    reconcile=reconcile,
)

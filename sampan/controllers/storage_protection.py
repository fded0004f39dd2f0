"""Volumes that are bound and claims that pods use are kept from going: their finalizers fall when nothing is in use any more.

After upstream's pkg/controller/volume/{pvcprotection,pvprotection}. Admission gives the finalizers; objects from before it did
get them here.
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.api.types.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from sampan.client.codec import T
from sampan.controllers.ownership import controller_of
from sampan.controllers.runtime import Context, Controller, Index, Key, Watch

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
CLAIM_INDEX = "claim"


async def reconcile_claim(ctx: Context, key: Key) -> None:
    claim = ctx.get(PersistentVolumeClaim, key)
    if claim is None:
        return
    if not claim.metadata.deletionTimestamp:
        await _protect(ctx, claim, CLAIM_FINALIZER)
    elif CLAIM_FINALIZER in claim.metadata.finalizers and not await _is_used(ctx, claim):
        await _release(ctx, claim, CLAIM_FINALIZER)


async def reconcile_volume(ctx: Context, key: Key) -> None:
    volume = ctx.get(PersistentVolume, key)
    if volume is None:
        return
    if not volume.metadata.deletionTimestamp:
        await _protect(ctx, volume, VOLUME_FINALIZER)
    elif VOLUME_FINALIZER in volume.metadata.finalizers and volume.status.phase != "Bound":
        await _release(ctx, volume, VOLUME_FINALIZER)


async def _protect(ctx: Context, obj: T, finalizer: str) -> None:
    if finalizer not in obj.metadata.finalizers:
        await _set(ctx, obj, [*obj.metadata.finalizers, finalizer])


async def _release(ctx: Context, obj: T, finalizer: str) -> None:
    await _set(ctx, obj, [name for name in obj.metadata.finalizers if name != finalizer])


async def _set(ctx: Context, obj: T, finalizers: list[str]) -> None:
    # The resourceVersion keeps the finalizers that others set meanwhile.
    await ctx.patch(obj, {"metadata": {"resourceVersion": obj.metadata.resourceVersion, "finalizers": finalizers}})


async def _is_used(ctx: Context, claim: PersistentVolumeClaim) -> bool:
    if any(uses(pod, claim) for pod in ctx.by_index(Pod, CLAIM_INDEX, str(_key(claim)))):
        return True
    # A pod may be there that the informer does not show yet, and a claim in use must not go.
    return any(uses(pod, claim) for pod in (await ctx.client.list(Pod, claim.metadata.namespace)).items)


def uses(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    """Only a pod that is on a node: no kubelet starts one whose claim is being deleted."""
    if not pod.spec.nodeName:
        return False
    name = claim.metadata.name
    if any(v.persistentVolumeClaim is not None and v.persistentVolumeClaim.claimName == name for v in pod.spec.volumes):
        return True
    owner = controller_of(claim)
    made_for_it = owner is not None and owner.uid == pod.metadata.uid
    ephemeral = any(v.ephemeral is not None and _ephemeral_name(pod, v.name) == name for v in pod.spec.volumes)
    return made_for_it and ephemeral and not _is_shut_down(pod)


def _ephemeral_name(pod: Pod, volume: str) -> str:
    return f"{pod.metadata.name}-{volume}"


def _is_shut_down(pod: Pod) -> bool:
    """The kubelet is done with it. A claim made for the pod may then go first, which the pod itself may be waiting for."""
    return bool(pod.metadata.deletionTimestamp) and pod.metadata.deletionGracePeriodSeconds == 0


def _claims_of(pod: Pod) -> Iterable[Key]:
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None:
            yield Key(pod.metadata.namespace, volume.persistentVolumeClaim.claimName)
        elif volume.ephemeral is not None:
            yield Key(pod.metadata.namespace, _ephemeral_name(pod, volume.name))


def _deleted_claims(ctx: Context, pod: Pod) -> Iterable[Key]:
    """Those that may have been waiting for the pod."""
    for key in _claims_of(pod):
        claim = ctx.get(PersistentVolumeClaim, key)
        if claim is not None and claim.metadata.deletionTimestamp:
            yield key


def _key(claim: PersistentVolumeClaim) -> Key:
    return Key(claim.metadata.namespace, claim.metadata.name)


CLAIMS = Controller(
    "persistentvolumeclaim-protection-controller",
    for_=PersistentVolumeClaim,
    watches=(Watch(Pod, _deleted_claims),),
    indexes=(Index(Pod, CLAIM_INDEX, lambda pod: [str(key) for key in _claims_of(pod)]),),
    reconcile=reconcile_claim,
)
VOLUMES = Controller("persistentvolume-protection-controller", for_=PersistentVolume, reconcile=reconcile_volume)

"""Namespaces that are being deleted: their content goes, then they do.

After upstream's pkg/controller/namespace/deletion. Everything that discovery lists as namespaced is deleted, custom
resources included: first the pods, then the rest, so that no pod outlives the policies that held it. What is left, and
why, stands in the namespace's conditions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Namespace, NamespaceCondition, NamespaceStatus, Pod
from sampan.client.codec import partial
from sampan.client.discovery import Served, discover
from sampan.controllers.runtime import Context, Controller, Key, Requeue, Watch
from sampan.lib.clock import rfc3339

FINALIZER = "kubernetes"
RECHECK_SECONDS = 2.0


@dataclass(slots=True)
class Remains:
    """What a pass over a namespace's content left behind."""

    resources: Counter[str] = field(default_factory=Counter)
    """How many of each resource, by `plural.group`."""
    finalizers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    discovery_failure: str = ""

    @property
    def nothing(self) -> bool:
        return not (self.resources or self.failures or self.discovery_failure)


async def reconcile(ctx: Context, key: Key) -> Requeue | None:
    cached = ctx.get(Namespace, key)
    if cached is None or not cached.metadata.deletionTimestamp or FINALIZER not in cached.spec.finalizers:
        return None
    remains = await delete_content(ctx, key.name)
    namespace = await ctx.client.get(Namespace, key.name)
    if namespace.metadata.uid != cached.metadata.uid:
        return None
    status = plan_status(namespace, remains, ctx.clock.now())
    if status != namespace.status:
        namespace = await ctx.update_status(replace(namespace, status=status))
    if not remains.nothing:
        return Requeue(RECHECK_SECONDS)
    finalizers = [f for f in namespace.spec.finalizers if f != FINALIZER]
    done = replace(namespace, spec=replace(namespace.spec, finalizers=finalizers))
    try:
        await ctx.client.update_subresource(done, "finalize")
    except StatusError as error:
        if error.code != 404:
            raise
    return None


async def delete_content(ctx: Context, namespace: str) -> Remains:
    remains = Remains()
    stale: list[str] = []
    try:
        served = await discover(ctx.client, stale)
    except StatusError as error:
        remains.discovery_failure = error.message
        return remains
    if stale:  # What the namespace may hold there is not forgotten: it waits, while the rest is deleted.
        remains.discovery_failure = _incomplete(sorted(stale))
    wanted = [s for s in served if s.api.namespaced and {"list", "delete"} <= s.verbs]
    for resources in (filter(_is_pods, wanted), (s for s in wanted if not _is_pods(s))):
        for resource in resources:
            await _delete_all(ctx, resource, namespace, remains)
        if remains.resources or remains.failures:
            break
    return remains


def _incomplete(versions: list[str]) -> str:
    why = ", ".join(f"{version}: stale GroupVersion discovery: {version}" for version in versions)
    found = f"unable to retrieve the complete list of server APIs: {why}"
    return f"Discovery failed for some groups, {len(versions)} failing: {found}"


async def _delete_all(ctx: Context, resource: Served, namespace: str, remains: Remains) -> None:
    cls = partial(resource.api)
    qualified = f"{resource.api.plural}.{resource.api.group}"
    try:
        left = (await ctx.client.list(cls, namespace)).items
        if not left:
            return
        if "deletecollection" in resource.verbs:
            await ctx.client.delete_collection(cls, namespace, propagation="Background")
        else:
            for obj in left:
                await ctx.client.delete(cls, obj.metadata.name, namespace, uid=obj.metadata.uid, propagation="Background")
        left = (await ctx.client.list(cls, namespace)).items
    except StatusError as error:
        if error.code not in (404, 405):  # the kind went away between discovery and now
            remains.failures.append(f"unexpected error deleting {qualified}: {error.message}")
        return
    if left:
        remains.resources[qualified] = len(left)
        remains.finalizers.update(f for obj in left for f in obj.metadata.finalizers)


def _is_pods(resource: Served) -> bool:
    return (resource.api.group, resource.api.plural) == ("", "pods")


def plan_status(namespace: Namespace, remains: Remains, now: float) -> NamespaceStatus:
    conditions = list(namespace.status.conditions)
    for fresh in plan_conditions(remains):
        old = next((c for c in conditions if c.type == fresh.type), None)
        if old is None or (old.status, old.reason, old.message) != (fresh.status, fresh.reason, fresh.message):
            moved = old is None or old.status != fresh.status
            fresh.lastTransitionTime = rfc3339(now) if moved or old is None else old.lastTransitionTime
            conditions = [fresh if c is old else c for c in conditions] if old is not None else [*conditions, fresh]
    return NamespaceStatus(phase="Terminating", conditions=conditions)


def plan_conditions(remains: Remains) -> Iterable[NamespaceCondition]:
    yield _condition(
        "NamespaceDeletionDiscoveryFailure",
        ("DiscoveryFailed", remains.discovery_failure) if remains.discovery_failure else None,
        ("ResourcesDiscovered", "All resources successfully discovered"),
    )
    yield _condition(
        "NamespaceDeletionGroupVersionParsingFailure",
        None,
        ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    )
    failures = ", ".join(sorted(remains.failures))
    message = f"Failed to delete all resource types, {len(remains.failures)} remaining: {failures}"
    yield _condition(
        "NamespaceDeletionContentFailure",
        ("ContentDeletionFailed", message) if remains.failures else None,
        ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    )
    counts = ", ".join(f"{name} has {n} resource instances" for name, n in sorted(remains.resources.items()))
    yield _condition(
        "NamespaceContentRemaining",
        ("SomeResourcesRemain", f"Some resources are remaining: {counts}") if counts else None,
        ("ContentRemoved", "All content successfully removed"),
    )
    held = ", ".join(f"{name} in {n} resource instances" for name, n in sorted(remains.finalizers.items()))
    yield _condition(
        "NamespaceFinalizersRemaining",
        ("SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {held}") if held else None,
        ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    )


def _condition(type: str, trouble: tuple[str, str] | None, fine: tuple[str, str]) -> NamespaceCondition:
    reason, message = trouble or fine
    return NamespaceCondition(type=type, status="True" if trouble else "False", reason=reason, message=message)


def _terminating_namespace(ctx: Context, pod: Pod) -> Iterable[Key]:
    """The last pod's end is what a terminating namespace waits for most often."""
    key = Key("", pod.metadata.namespace)
    namespace = ctx.get(Namespace, key)
    return (key,) if namespace is not None and namespace.metadata.deletionTimestamp else ()


CONTROLLER = Controller(
    "namespace-controller",
    for_=Namespace,
    watches=(Watch(Pod, _terminating_namespace),),
    reconcile=reconcile,
)

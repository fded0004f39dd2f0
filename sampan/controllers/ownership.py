"""Controller references: who controls an object, and how a controller comes to own what its selector matches.

After upstream's pkg/controller/controller_ref_manager.go. A controller owns an object through the one owner reference with
`controller: true`. It adopts matching objects that have none, and releases its own that match no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from sampan.api.errors import StatusError
from sampan.api.selectors import LabelSelector
from sampan.api.types.meta_v1 import OwnerReference
from sampan.client.codec import Object, T
from sampan.client.rest import STRATEGIC_PATCH

if TYPE_CHECKING:
    from sampan.controllers.runtime import Context

CONTROLLER_INDEX = "controller"
ORPHAN_INDEX = "orphan"


def controller_of(obj: Object) -> OwnerReference | None:
    for owner in obj.metadata.ownerReferences:
        if owner.controller:
            return owner
    return None


def controller_uids(obj: Object) -> tuple[str, ...]:
    """Index: by the UID of the controller."""
    owner = controller_of(obj)
    return (owner.uid,) if owner is not None else ()


def orphan_namespaces(obj: Object) -> tuple[str, ...]:
    """Index: objects without a controller, by namespace."""
    return () if controller_of(obj) is not None else (obj.metadata.namespace,)


def controller_reference(owner: Object) -> OwnerReference:
    """The reference that an object made by `owner` carries."""
    return OwnerReference(
        apiVersion=owner.api.group_version,
        kind=owner.api.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )


@dataclass(slots=True)
class Claims(Generic[T]):
    keep: list[T] = field(default_factory=list)
    adopt: list[T] = field(default_factory=list)
    release: list[T] = field(default_factory=list)


def plan_claims(owner: Object, selector: LabelSelector, owned: Iterable[T], orphans: Iterable[T]) -> Claims[T]:
    """What `owner` keeps, adopts and releases, of what it owns and what nobody does."""
    claims: Claims[T] = Claims()
    terminating = bool(owner.metadata.deletionTimestamp)
    for obj in owned:
        if selector.matches(obj.metadata.labels):
            claims.keep.append(obj)
        elif not terminating:
            claims.release.append(obj)
    if not terminating:
        claims.adopt = [o for o in orphans if not o.metadata.deletionTimestamp and selector.matches(o.metadata.labels)]
    return claims


async def claim(ctx: Context, owner: Object, selector: LabelSelector, cls: type[T]) -> list[T]:
    """Adopt and release; returns the objects that `owner` then owns, as the cache has them."""
    claims: Claims[T] = plan_claims(owner, selector, ctx.owned(cls, owner), ctx.orphans(cls, owner.metadata.namespace))
    if claims.adopt and await _may_adopt(ctx, owner):
        for obj in claims.adopt:
            if await _patch_owners(ctx, obj, _adoption(owner, obj)):
                claims.keep.append(obj)
    for obj in claims.release:
        await _patch_owners(ctx, obj, {"metadata": {"ownerReferences": [_removal(owner)], "uid": obj.metadata.uid}})
    return claims.keep


async def _may_adopt(ctx: Context, owner: Object) -> bool:
    """Ask the server itself: an owner that is being deleted must not take anything with it."""
    try:
        fresh = await ctx.client.get(type(owner), owner.metadata.name, owner.metadata.namespace)
    except StatusError as error:
        if error.code == 404:
            return False
        raise
    return fresh.metadata.uid == owner.metadata.uid and not fresh.metadata.deletionTimestamp


def _adoption(owner: Object, obj: Object) -> dict[str, object]:
    return {"metadata": {"ownerReferences": [controller_reference(owner)], "uid": obj.metadata.uid}}


def _removal(owner: Object) -> dict[str, str]:
    return {"$patch": "delete", "uid": owner.metadata.uid}


async def _patch_owners(ctx: Context, obj: Object, patch: dict[str, object]) -> bool:
    """Whether the object is still there; 422 is what a patch of its immutable UID gives when another took its name."""
    try:
        await ctx.patch(obj, patch, type=STRATEGIC_PATCH)
    except StatusError as error:
        if error.code not in (404, 409, 422):
            raise
        return False
    return True

"""What admission is shown of a write, and what it makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sampan.api.apply.ownership import Raw
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import Admission, Attributes
from sampan.apiserver.registry.ownership import BROKEN_BY_ADMISSION, put, settled, take


class Face(NamedTuple):
    """What a request shows and changes in place of the object: its scale."""

    form: Resource
    subresource: str
    show: Callable[[Tree], Tree]
    take: Callable[[Tree, Tree], None]
    """Puts what is shown into the object."""


async def admit(admission: Admission, attributes: Attributes, managed: Raw | None, held: Raw | None) -> Raw | None:
    """Let admission change the object; returns its managedFields after that. Who admits sees them, and those `held` by the
    object that stands."""
    tree, old = attributes.object, attributes.old
    assert tree is not None, "an object is written"
    put(tree, managed)
    if old is not None:
        put(old, held)
    await admission.mutate(attributes)
    if old is not None:
        take(old)
    managed, broken = settled(take(tree), managed)
    if broken:
        attributes.warnings.append(BROKEN_BY_ADMISSION + broken)
    return managed


async def admit_face(admission: Admission, attributes: Attributes, face: Face) -> None:
    """Let admission change what the request shows of the object."""
    tree, old = attributes.object, attributes.old
    assert tree is not None and old is not None, "an object replaces another"
    shown = attributes.object = face.show(tree)
    attributes.old = face.show(old)
    attributes.form, attributes.subresource = face.form, face.subresource
    await admission.mutate(attributes)
    face.take(tree, shown)

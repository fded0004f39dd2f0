"""PersistentVolumeClaimResize: a claim grows only if it is bound and its storage class lets volumes grow.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
"""

from __future__ import annotations

from sampan.api.groups.core.persistentvolume import class_of
from sampan.api.groups.validation.amounts import compare
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import UPDATE, Attributes, Judge
from sampan.apiserver.registry.watchcache import WatchCache

_FIXED = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"


class PersistentVolumeClaimResize(Judge):
    name = "PersistentVolumeClaimResize"

    def __init__(self, classes: WatchCache) -> None:
        self._classes = classes

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        claims = not resource.group and resource.plural == "persistentvolumeclaims"
        return claims and not subresource and operation == UPDATE

    def validate(self, attributes: Attributes) -> None:
        new, old = attributes.object, attributes.old
        assert new is not None and old is not None, "an update has both"
        if compare(_size(new), _size(old)) <= 0:
            return
        if old.get("status", {}).get("phase") != "Bound":
            raise attributes.refused("Only bound persistent volume claims can be expanded")
        if not self._may_grow(class_of(new), class_of(old)):
            raise attributes.refused(_FIXED)

    def _may_grow(self, name: str, before: str) -> bool:
        found = self._classes.get("", name) if name and name == before else None
        return found is not None and bool(found.tree().get("allowVolumeExpansion"))


def _size(claim: Tree) -> str | int:
    size: str | int = claim["spec"].get("resources", {}).get("requests", {}).get("storage", "0")
    return size

"""StorageObjectInUseProtection: no volume goes while it is bound, no claim while a pod uses it.

Two controllers take the finalizers away when nothing is in use any more.
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from __future__ import annotations

from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge

FINALIZERS = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
}


class StorageObjectInUseProtection(Judge):
    name = "StorageObjectInUseProtection"

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return not resource.group and resource.plural in FINALIZERS and not subresource and operation == CREATE

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.object is not None, "a create has an object"
        meta = attributes.object["metadata"]
        finalizer = FINALIZERS[attributes.resource.plural]
        if finalizer not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), finalizer]

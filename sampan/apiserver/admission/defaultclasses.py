"""DefaultStorageClass and DefaultIngressClass: a claim or an ingress that names no class is of the one marked as the default.

After plugin/pkg/admission/{storage/storageclass/setdefault,network/defaultingressclass}.
https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.api.groups.networking.ingress_validation import CLASS_ANNOTATION as INGRESS_CLASS
from sampan.api.groups.storage.storageclass import DEFAULT_CLASS, DEFAULT_CLASS_OF_OLD
from sampan.api.groups.validation.claims import CLASS_ANNOTATION as STORAGE_CLASS
from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge
from sampan.apiserver.admission.indexes import CacheIndex
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import WatchCache

DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"


class _DefaultClass(Judge):
    """`field` of the spec names the class, `annotation` did so once; `marks` are annotations of the default class."""

    def __init__(self, classes: WatchCache, kind: tuple[str, str], field: str, annotation: str, marks: Sequence[str]) -> None:
        def created(obj: CachedObject) -> str | None:
            meta = obj.tree()["metadata"]
            annotations: Mapping[str, str] = meta.get("annotations") or {}
            marked = any(annotations.get(mark) == "true" for mark in marks)
            return str(meta.get("creationTimestamp", "")) if marked else None

        self._defaults = CacheIndex(classes, created)
        self._kind = kind
        self._field = field
        self._annotation = annotation

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return (resource.group, resource.plural) == self._kind and not subresource and operation == CREATE

    def mutate(self, attributes: Attributes) -> None:
        tree = attributes.object
        defaults = self._defaults.at()
        if not defaults or tree is None:
            return
        spec = tree.setdefault("spec", {})
        if self._field not in spec and self._annotation not in (tree["metadata"].get("annotations") or {}):
            # The newest; of those made at once, the first by name.
            newest = max(defaults.values())
            spec[self._field] = min(name for name, created in defaults.items() if created == newest)


class DefaultStorageClass(_DefaultClass):
    name = "DefaultStorageClass"

    def __init__(self, classes: WatchCache) -> None:
        marks = (DEFAULT_CLASS, DEFAULT_CLASS_OF_OLD)
        super().__init__(classes, ("", "persistentvolumeclaims"), "storageClassName", STORAGE_CLASS, marks)


class DefaultIngressClass(_DefaultClass):
    name = "DefaultIngressClass"

    def __init__(self, classes: WatchCache) -> None:
        kind = ("networking.k8s.io", "ingresses")
        super().__init__(classes, kind, "ingressClassName", INGRESS_CLASS, (DEFAULT_INGRESS_CLASS,))

"""NamespaceLifecycle: nothing is made in a namespace that is not there or is going, and three namespaces never go."""

from __future__ import annotations

from sampan.api.errors import not_found
from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import CREATE, DELETE, Attributes, Judge
from sampan.apiserver.registry.watchcache import WatchCache

IMMORTAL = frozenset(("default", "kube-system", "kube-public"))
_ACCESS_REVIEWS = frozenset(("localsubjectaccessreviews", "subjectaccessreviews"))
"""Which may be asked about any namespace."""


class NamespaceLifecycle(Judge):
    name = "NamespaceLifecycle"

    def __init__(self, namespaces: WatchCache) -> None:
        self._namespaces = namespaces

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource.plural == "namespaces" and not resource.group:
            return operation == DELETE
        return resource.namespaced and operation == CREATE and resource.plural not in _ACCESS_REVIEWS

    def mutate(self, attributes: Attributes) -> None:
        """Before anything looks further at the object: an absent namespace is a 404, not a list of its other faults."""
        if attributes.operation == CREATE:
            self._check(attributes)

    def validate(self, attributes: Attributes) -> None:
        if attributes.operation == DELETE and attributes.name in IMMORTAL:
            raise attributes.refused("this namespace may not be deleted")

    def _check(self, attributes: Attributes) -> None:
        namespace = self._namespaces.get("", attributes.namespace)
        if namespace is None:
            raise not_found("namespaces", "", attributes.namespace)
        if b'"deletionTimestamp"' not in namespace.item:
            return
        deleted = namespace.tree()["metadata"].get("deletionTimestamp")
        if not deleted:
            return
        error = attributes.refused(
            f"unable to create new content in namespace {attributes.namespace} because it is being terminated"
        )
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {attributes.namespace} is being terminated",
            "field": "metadata.namespace",
        }
        error.details["causes"] = [cause]
        raise error

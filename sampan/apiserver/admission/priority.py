"""Priority: a pod's priority class becomes the number, and the preemption policy, that the scheduler goes by.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes, Judge
from sampan.apiserver.registry.watchcache import WatchCache

_PREEMPT = "PreemptLowerPriority"


class Priority(Judge):
    name = "Priority"

    def __init__(self, classes: WatchCache) -> None:
        self._classes = classes

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        if subresource or operation not in (CREATE, UPDATE):
            return False
        return (resource.group, resource.plural) in (("", "pods"), ("scheduling.k8s.io", "priorityclasses"))

    def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.plural != "pods" or attributes.object is None:
            return
        if attributes.operation == UPDATE:
            self._keep(attributes.object["spec"], attributes.old)
        else:
            self._resolve(attributes, attributes.object["spec"])

    def validate(self, attributes: Attributes) -> None:
        """Only one class may be the global default."""
        new = attributes.object
        if attributes.resource.plural != "priorityclasses" or new is None or not new.get("globalDefault"):
            return
        for other in self._classes:
            if other.name != attributes.name and other.tree().get("globalDefault"):
                raise attributes.refused(f"PriorityClass {other.name} is already marked as default. Only one default can exist")

    def _keep(self, spec: Tree, old: Tree | None) -> None:
        """An update that leaves out what was resolved means to keep it."""
        before = (old or {}).get("spec", {})
        for field in ("priority", "preemptionPolicy"):
            if field not in spec and field in before:
                spec[field] = before[field]

    def _resolve(self, attributes: Attributes, spec: Tree) -> None:
        found = self._class_of(attributes, spec)
        value = found.get("value", 0) if found else 0
        policy = (found or {}).get("preemptionPolicy") or _PREEMPT
        if "priority" in spec and spec["priority"] != value:
            raise attributes.refused(
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name"
            )
        spec["priority"] = value
        if spec.get("preemptionPolicy", policy) != policy:
            raise attributes.refused(
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name"
            )
        spec["preemptionPolicy"] = policy

    def _class_of(self, attributes: Attributes, spec: Tree) -> Tree | None:
        name = spec.get("priorityClassName", "")
        if not name:
            default = self._default()
            if default is not None:
                spec["priorityClassName"] = default["metadata"]["name"]
            return default
        cached = self._classes.get("", name)
        if cached is None:
            raise attributes.refused(f"no PriorityClass with name {name} was found")
        return cached.tree()

    def _default(self) -> Tree | None:
        """Of several, which a race can leave, the lowest."""
        marked = [tree for obj in self._classes if b'"globalDefault":true' in obj.item and (tree := obj.tree())]
        return min((tree for tree in marked if tree.get("globalDefault")), key=lambda tree: tree.get("value", 0), default=None)

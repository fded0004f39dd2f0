"""RuntimeClass: pods get the overhead and the scheduling rules of the runtime class that they name.

After plugin/pkg/admission/runtimeclass. https://kubernetes.io/docs/concepts/containers/runtime-class/
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.podresources import parsed
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge
from sampan.apiserver.registry.watchcache import WatchCache

_MISMATCH = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_MOST_COMPARED = 500
_UNCALLED_FOR = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClass(Judge):
    name = "RuntimeClass"

    def __init__(self, classes: WatchCache) -> None:
        self._classes = classes

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource.plural == "pods" and not resource.group and not subresource and operation == CREATE

    def mutate(self, attributes: Attributes) -> None:
        spec = _spec(attributes)
        if spec.get("runtimeClassName") is None:
            return
        found = self._class_of(attributes, spec)
        overhead = found.get("overhead")
        if overhead is not None:
            fixed = overhead.get("podFixed", {})
            if "overhead" in spec and parsed(spec["overhead"]) != parsed(fixed):
                raise attributes.refused(_MISMATCH)
            spec["overhead"] = dict(fixed)
        if found.get("scheduling") is not None:
            _schedule(attributes, spec, found["scheduling"])

    def validate(self, attributes: Attributes) -> None:
        spec = _spec(attributes)
        if spec.get("runtimeClassName") is None:
            if "overhead" in spec:
                raise attributes.refused(_UNCALLED_FOR)
            return
        overhead = self._class_of(attributes, spec).get("overhead")
        if overhead is None:
            if "overhead" in spec:
                raise attributes.refused(_UNCALLED_FOR)
        elif parsed(overhead.get("podFixed")) != parsed(spec.get("overhead")):
            raise attributes.refused(_MISMATCH)

    def _class_of(self, attributes: Attributes, spec: Tree) -> Tree:
        name = spec["runtimeClassName"]
        found = self._classes.get("", name)
        if found is None:
            raise attributes.refused(f'pod rejected: RuntimeClass "{name}" not found')
        return found.tree()


def _spec(attributes: Attributes) -> Tree:
    assert attributes.object is not None, "a create has an object"
    spec: Tree = attributes.object["spec"]
    return spec


def _schedule(attributes: Attributes, spec: Tree, scheduling: Tree) -> None:
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in scheduling.get("nodeSelector", {}).items():
        if (own := selector.get(key, value)) != value:
            raise attributes.refused(
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own}"
            )
        selector[key] = value
    if selector:
        spec["nodeSelector"] = selector
    if tolerations := merge_tolerations(spec.get("tolerations") or (), scheduling.get("tolerations", ())):
        spec["tolerations"] = tolerations


def merge_tolerations(first: Sequence[Tree], second: Sequence[Tree]) -> list[Tree]:
    """Both, without those that others among them cover; of equals the first stays. All of them where they are too many to be
    compared each with each."""
    every = [*first, *second]
    if len(every) > _MOST_COMPARED:
        return every
    merged: list[Tree] = []
    for index, toleration in enumerate(every):
        covered = any(_covers(other, toleration) for other in merged)
        if not covered and not any(other != toleration and _covers(other, toleration) for other in every[index + 1 :]):
            merged.append(toleration)
    return merged


def _covers(wide: Tree, narrow: Tree) -> bool:
    """Whether `wide` tolerates all that `narrow` does."""
    if wide == narrow:
        return True
    key, operator, effect = [str(wide.get(field, "")) for field in ("key", "operator", "effect")]
    if narrow.get("key", "") != key and (key or operator != "Exists"):
        return False
    if effect and narrow.get("effect", "") != effect:
        return False
    seconds, asked = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    if effect == "NoExecute" and seconds is not None and (asked is None or asked > seconds):
        return False
    if operator in ("Equal", ""):
        return (narrow.get("operator", ""), narrow.get("value", "")) == ("Equal", wide.get("value", ""))
    return operator == "Exists"

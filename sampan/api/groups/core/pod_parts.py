"""What the subresources `ephemeralcontainers` and `resize` of a pod may change, and by which rules.

After podEphemeralContainersStrategy and podResizeStrategy (pkg/registry/core/pod), ValidatePodEphemeralContainersUpdate and
ValidatePodResize (pkg/apis/core/validation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.api.errors import FieldError, forbidden_field, invalid
from sampan.api.groups.core.pod_validation import validate_annotation_changes, validate_pod
from sampan.api.groups.strategies import keep_field
from sampan.api.groups.validation.amounts import compare
from sampan.api.groups.validation.difference import difference
from sampan.api.groups.validation.podannotations import MIRROR
from sampan.api.groups.validation.resources import quality_of_service
from sampan.api.resource import Tree

_RESIZED = ("cpu", "memory")
_RESIZABLE_FIELDS = ("resources", "resizePolicy")


def count_generation(new: Tree, old: Tree) -> None:
    """A pod's generation counts the changes of its spec, whichever way they come."""
    generation = old["metadata"].get("generation", 0)
    new["metadata"]["generation"] = generation + 1 if new["spec"] != old["spec"] else generation


def qos_class(tree: Tree) -> str:
    """What a pod was created with, or what its containers ask for."""
    given: str = tree.get("status", {}).get("qosClass", "")
    return given or computed_qos(tree)


def computed_qos(tree: Tree) -> str:
    spec = tree["spec"]
    return quality_of_service((*spec.get("containers", ()), *spec.get("initContainers", ())))


def _keep_the_rest(new: Tree, old: Tree) -> None:
    """Everything but the spec: the status, and what of the metadata is the pod's own."""
    keep_field(new, old, "status")
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        keep_field(new["metadata"], old["metadata"], field)


def prepare_ephemeral_containers(new: Tree, old: Tree) -> None:
    containers = new["spec"].get("ephemeralContainers")
    new["spec"] = dict(old["spec"])
    new["spec"].pop("ephemeralContainers", None)
    if containers:
        new["spec"]["ephemeralContainers"] = containers
    _keep_the_rest(new, old)
    count_generation(new, old)


def validate_ephemeral_containers_update(new: Tree, old: Tree) -> list[FieldError]:
    """Containers may be added; those that are there stay as they are, in whatever order."""
    errors = validate_pod(new) + validate_annotation_changes(new, old)
    if MIRROR in old["metadata"].get("annotations", {}):
        return [forbidden_field("", "static pods do not support ephemeral containers")]
    path = "spec.ephemeralContainers"
    containers = {container.get("name"): container for container in new["spec"].get("ephemeralContainers", ())}
    for before in old["spec"].get("ephemeralContainers", ()):
        name = before.get("name", "")
        now = containers.get(name)
        if now is None:
            errors.append(forbidden_field(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif now != before:
            why = f'existing ephemeral containers "{name}" may not be changed\n{difference(before, now, path)}'
            errors.append(forbidden_field(path, why))
    return errors


def prepare_resize(new: Tree, old: Tree) -> None:
    spec = new["spec"]
    before = old["spec"]
    lists = ("containers", "initContainers")
    # What adds, drops or renames containers is left as it is, for the validation to refuse.
    if all(len(spec.get(field, ())) == len(before.get(field, ())) for field in lists):
        resized = {field: _resized(spec[field], before[field]) for field in lists if field in before}
        new["spec"] = before | resized
        _keep_the_rest(new, old)
    count_generation(new, old)


def _resized(new: Sequence[Tree], old: Sequence[Tree]) -> list[Tree]:
    """The old containers with the new ones' resources; the new ones where they are others."""
    if any(container.get("name") != before.get("name") for container, before in zip(new, old, strict=True)):
        return list(new)
    resized = []
    for container, before in zip(new, old, strict=True):
        merged = {field: value for field, value in before.items() if field not in _RESIZABLE_FIELDS}
        merged |= {field: container[field] for field in _RESIZABLE_FIELDS if field in container}
        resized.append(merged)
    return resized


def validate_resize(new: Tree, old: Tree) -> list[FieldError]:
    errors = validate_pod(new)
    if MIRROR in old["metadata"].get("annotations", {}):
        return [forbidden_field("", "static pods cannot be resized")]
    if old["spec"].get("os", {}).get("name") == "windows":
        return [forbidden_field("", "windows pods cannot be resized")]
    path = "spec"
    if qos_class(old) != computed_qos(new):
        shown = new.get("status", {}).get("qosClass", "")
        errors.append(invalid(path, shown, "Pod QOS Class may not change as a result of resizing"))
    if not _node_can_resize(old):
        errors.append(forbidden_field(path, "Pod running on node without support for resize"))
    spec, before = new["spec"], old["spec"]
    lists = ("initContainers", "containers")
    if any(len(spec.get(field, ())) != len(before.get(field, ())) for field in lists):
        # Upstream has no words of its own for this: it compares what is left when resources are set back.
        return [*errors, forbidden_field(path, "only cpu and memory resources are mutable")]
    for field in lists:
        errors += _validate_amounts(spec.get(field, ()), before.get(field, ()), f"{path}.{field}", field == "initContainers")
    errors += _validate_rest(spec, before, path)
    if not errors and _set_back(spec, before) != before:
        errors.append(forbidden_field(path, "only cpu and memory resources are mutable"))
    return errors


def _node_can_resize(pod: Tree) -> bool:
    """A kubelet that knows of resizing reports what its containers have; while none runs there is no telling."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        if "running" in status.get("state", {}):
            return "resources" in status
    return True


def _validate_amounts(new: Sequence[Tree], old: Sequence[Tree], path: str, initial: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, (container, before) in enumerate(zip(new, old, strict=True)):
        if not initial or _is_sidecar(before):
            errors += _validate_container(container, before, f"{path}[{index}].resources")
    return errors


def _is_sidecar(container: Tree) -> bool:
    return container.get("restartPolicy") == "Always"


def _validate_container(container: Tree, before: Tree, path: str) -> list[FieldError]:
    resources, earlier = container.get("resources", {}), before.get("resources", {})
    errors = [
        forbidden_field(f"{path}.{field}", f"resource {field} cannot be removed")
        for field in ("requests", "limits")
        if earlier.get(field, {}).keys() - resources.get(field, {}).keys()
    ]
    policies = {policy.get("resourceName"): policy.get("restartPolicy") for policy in container.get("resizePolicy", ())}
    if policies.get("memory", "NotRequired") not in ("NotRequired", ""):
        return errors
    limit, was = resources.get("limits", {}).get("memory"), earlier.get("limits", {}).get("memory")
    if limit is None:
        return errors
    where = f"{path}.limits[memory]"
    if was is None:
        # No limit is the highest: to set one is to lower it.
        errors.append(forbidden_field(where, "memory limits cannot be added unless resizePolicy is RestartContainer"))
    elif compare(limit, was) < 0:
        why = "memory limits cannot be decreased unless resizePolicy is RestartContainer"
        errors.append(forbidden_field(where, why))
    return errors


def _validate_rest(spec: Tree, before: Tree, path: str) -> list[FieldError]:
    """Nothing but cpu and memory of containers that keep running."""
    errors: list[FieldError] = []
    for container, earlier in zip(spec.get("containers", ()), before.get("containers", ()), strict=True):
        if _with_old_amounts(container, earlier) != earlier:
            errors.append(forbidden_field(path, "only cpu and memory resources are mutable"))
    for container, earlier in zip(spec.get("initContainers", ()), before.get("initContainers", ()), strict=True):
        if _is_sidecar(container):
            if _with_old_amounts(container, earlier) != earlier:
                why = "only cpu and memory resources for sidecar containers are mutable"
                errors.append(forbidden_field(path, why))
        elif container != earlier:
            errors.append(forbidden_field(path, "resources for non-sidecar init containers are immutable"))
    return errors


def _set_back(spec: Tree, before: Tree) -> Tree:
    rest = dict(spec)
    for field in ("containers", "initContainers"):
        if field in spec:
            pairs = zip(spec[field], before[field], strict=True)
            rest[field] = [_with_old_amounts(container, earlier) for container, earlier in pairs]
    return rest


def _with_old_amounts(container: Tree, before: Tree) -> Tree:
    """The container as if its cpu and memory had not been touched."""
    resources, earlier = container.get("resources", {}), before.get("resources", {})
    kept: Tree = {field: value for field, value in resources.items() if field == "claims"}
    for field in ("limits", "requests"):
        if field in earlier:
            kept[field] = _merged(resources.get(field, {}), earlier[field])
    return container | {"resources": kept}


def _merged(amounts: Mapping[str, str], before: Mapping[str, str]) -> Tree:
    rest = {name: amount for name, amount in amounts.items() if name not in _RESIZED}
    return rest | {name: before[name] for name in _RESIZED if name in before}

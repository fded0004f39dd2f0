"""AppArmor profiles of new Pods: what the annotation of old says and what the field says come to be the same.

Old kubelets read the annotation, new ones the field. After applyAppArmorVersionSkew (pkg/registry/core/pod).
"""

from __future__ import annotations

from sampan.api.groups.validation.operatingsystems import containers_with_paths
from sampan.api.groups.validation.podannotations import APPARMOR_PREFIX
from sampan.api.resource import Tree

_WRITTEN = {"RuntimeDefault": "runtime/default", "Unconfined": "unconfined"}
_READ = {text: type_ for type_, text in _WRITTEN.items()}
_LOCALHOST = "localhost/"


def agree_on_apparmor(pod: Tree) -> None:
    spec, meta = pod["spec"], pod["metadata"]
    of_pod = spec["securityContext"].get("appArmorProfile")
    annotated = any(key.startswith(APPARMOR_PREFIX) for key in meta.get("annotations", ()))
    if spec.get("os", {}).get("name") == "windows":
        return
    for container, _ in containers_with_paths(spec, ""):
        context = container.get("securityContext")
        profile = context.get("appArmorProfile") if context else None
        if profile is None and of_pod is None and not annotated:
            continue
        key = APPARMOR_PREFIX + container.get("name", "")
        annotation = meta.get("annotations", {}).get(key)
        if annotation is None:
            if text := _text(profile or of_pod or {}):
                meta.setdefault("annotations", {})[key] = text
        elif profile is None and (read := _profile(annotation)) is not None and read != of_pod:
            container.setdefault("securityContext", {})["appArmorProfile"] = read


def _text(profile: Tree) -> str:
    """The annotation of a profile; "" of what is none."""
    type_, local = profile.get("type", ""), profile.get("localhostProfile")
    if type_ == "Localhost":
        return f"{_LOCALHOST}{local}" if local else ""
    return _WRITTEN.get(type_, "")


def _profile(annotation: str) -> Tree | None:
    """The field of an annotation; None of what says nothing, or nothing that a field may say."""
    if type_ := _READ.get(annotation):
        return {"type": type_}
    local = annotation.removeprefix(_LOCALHOST)
    if annotation.startswith(_LOCALHOST) and local and local == local.strip():
        return {"type": "Localhost", "localhostProfile": local}
    return None

"""Who owns the replicas of an object, as a Scale says it and as the object itself does.

A Scale shows one field of its object, so whoever owns that one owns `.spec.replicas` of the Scale, and who scales takes it from
them. After k8s.io/apimachinery/pkg/util/managedfields/scalehandler.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sampan.api.apply import ownership as owners
from sampan.api.apply.fieldset import Fields, difference, has, of_path
from sampan.api.apply.ownership import Owned, Owner, Ownership
from sampan.api.resource import Resource

API_VERSION: Final = "autoscaling/v1"
_IN_SCALE: Final = ("f:spec", "f:replicas")
_REPLICAS: Final[Fields] = of_path(_IN_SCALE)


class ScaleOwners:
    """`faces`: the versions of the scaled kind, by apiVersion; `api_version` is the one that is asked to scale."""

    def __init__(self, faces: Mapping[str, Resource], api_version: str) -> None:
        self._faces = faces
        self._api_version = api_version

    def _path(self, api_version: str) -> tuple[str, ...]:
        face = self._faces.get(api_version)
        if face is None or face.scale is None:
            return ()
        return tuple(f"f:{name}" for name in face.scale.spec.strip(".").split("."))

    def of_scale(self, ownership: Ownership) -> Ownership:
        found: Ownership = {}
        for who, owned in ownership.items():
            path = self._path(owned.api_version)
            if path and has(owned.fields, path):
                found[_as_of(who, API_VERSION)] = Owned(API_VERSION, owned.time, _REPLICAS)
        return found

    def of_object(self, before: Ownership, scale: Ownership) -> Ownership:
        """`before` after owners of the Scale have become `scale`."""
        left = {_as_of(who, ""): (who, owned) for who, owned in scale.items()}
        result: Ownership = {}
        for who, owned in before.items():
            if owned.api_version not in self._faces:
                continue
            path = self._path(owned.api_version)
            if not path or not has(owned.fields, path) or left.pop(_as_of(who, ""), None) is not None:
                result[who] = owned
            elif fields := difference(owned.fields, of_path(path)):
                result[who] = owned.with_fields(fields)
        replicas = of_path(self._path(self._api_version))
        for who, owned in left.values():
            if has(owned.fields, _IN_SCALE):
                key = _as_of(who, self._api_version)
                time = before[key].time if key in before else None
                result[key] = Owned(self._api_version, time, replicas)
        return result


def _as_of(who: Owner, api_version: str) -> Owner:
    """The same owner in another version."""
    return who if who.operation == owners.APPLY else who._replace(api_version=api_version)

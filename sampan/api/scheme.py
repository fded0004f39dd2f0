"""The kinds a server knows: a registry of `Resource` values, found by group, version and plural or kind.

Built-in kinds are whatever files under `sampan/api/groups/` define; custom resources come and go at run time.

    scheme = builtin()
    scheme.resource("apps", "v1", "deployments").kind      # "Deployment"
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sampan.api import groups
from sampan.api.resource import Resource

GroupVersion = tuple[str, str]

_PRIORITIES: Final = {
    "": 18000,
    "apiregistration.k8s.io": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "internal.apiserver.k8s.io": 16000,
    "resource.k8s.io": 15900,
}
"""Group priorities of upstream's aggregator: the order of groups in discovery, by which clients settle a bare name."""

_CUSTOM_PRIORITY: Final = 1000


def group_priority(group: str) -> int:
    """The greater, the further in front a group stands in discovery."""
    return _PRIORITIES.get(group, _CUSTOM_PRIORITY)


def is_builtin_group(group: str) -> bool:
    return group in _PRIORITIES


_version = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?").fullmatch


def version_order(version: str) -> tuple[int, int, int, str]:
    """Sort key that puts the version a client should prefer first: v2, v1, v2beta1, v1beta2, v1alpha1, then the rest."""
    match = _version(version)
    if match is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), version)


class Scheme:
    """See the module. Iterating gives every resource in discovery order."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._by_plural: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str, str], Resource] = {}
        self._order: list[GroupVersion] = []
        self._listeners: list[Callable[[], None]] = []
        self.generation = 0
        """Counts changes; what is derived from a scheme (discovery, OpenAPI) is stale when it moved."""
        for resource in resources:
            self._insert(resource)
        self._changed()

    def add(self, resource: Resource) -> None:
        """Adds or replaces a resource."""
        self._insert(resource)
        self._changed()

    def remove(self, resource: Resource) -> None:
        """Removes a resource, if it is there."""
        self._by_plural.pop((resource.group, resource.version, resource.plural), None)
        self._by_kind.pop((resource.group, resource.version, resource.kind), None)
        self._changed()

    def _insert(self, resource: Resource) -> None:
        replaced = self._by_plural.get((resource.group, resource.version, resource.plural))
        if replaced is not None:
            self._by_kind.pop((replaced.group, replaced.version, replaced.kind), None)
        self._by_plural[resource.group, resource.version, resource.plural] = resource
        self._by_kind[resource.group, resource.version, resource.kind] = resource

    def _changed(self) -> None:
        def order(group_version: GroupVersion) -> tuple[int, str, tuple[int, int, int, str]]:
            group, version = group_version
            return -group_priority(group), group, version_order(version)

        self._order = sorted({(group, version) for group, version, _ in self._by_plural}, key=order)
        self.touch()

    def touch(self) -> None:
        """Something beside the resources changed that documents tell of."""
        self.generation += 1
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def resource(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_plural.get((group, version, plural))

    def for_kind(self, group: str, version: str, kind: str) -> Resource | None:
        return self._by_kind.get((group, version, kind))

    def groups(self) -> list[str]:
        """Group names in discovery order; the core group is ""."""
        return list(dict.fromkeys(group for group, _ in self._order))

    def group_versions(self) -> list[GroupVersion]:
        """In discovery order: by group priority, the preferred version of a group first."""
        return list(self._order)

    def versions(self, group: str) -> list[str]:
        """The versions of a group, preferred first."""
        return [version for candidate, version in self._order if candidate == group]

    def resources(self, group: str, version: str) -> list[Resource]:
        """The resources of a group-version by plural."""
        found = [r for (g, v, _), r in self._by_plural.items() if g == group and v == version]
        return sorted(found, key=lambda resource: resource.plural)

    def __iter__(self) -> Iterator[Resource]:
        for group, version in self._order:
            yield from self.resources(group, version)

    def __len__(self) -> int:
        return len(self._by_plural)


def builtin() -> Scheme:
    """A scheme of every `RESOURCE` and `RESOURCES` in the modules under `sampan.api.groups`."""
    found: list[Resource] = []
    for module_info in pkgutil.walk_packages(groups.__path__, groups.__name__ + "."):
        if module_info.ispkg:
            continue
        module = importlib.import_module(module_info.name)
        single = getattr(module, "RESOURCE", None)
        if isinstance(single, Resource):
            found.append(single)
        found.extend(getattr(module, "RESOURCES", ()))
    return Scheme(found)

"""Where objects stand in the store: upstream's etcd layout, so that its tools and habits fit."""

from __future__ import annotations

from sampan.api.resource import Resource

ROOT = "/registry/"

_IRREGULAR = {
    ("", "services"): "services/specs",
    ("", "endpoints"): "services/endpoints",
    ("", "nodes"): "minions",
    ("", "replicationcontrollers"): "controllers",
    ("networking.k8s.io", "ingresses"): "ingress",
    ("policy", "poddisruptionbudgets"): "poddisruptionbudgets",
}
_GROUP_IN_PATH = frozenset(("apiextensions.k8s.io", "apiregistration.k8s.io"))


def prefix_of(resource: Resource, *, custom: bool = False) -> str:
    """The prefix of every key of the resource, with a slash at its end; custom resources stand under their group."""
    irregular = _IRREGULAR.get((resource.group, resource.plural))
    if irregular:
        return f"{ROOT}{irregular}/"
    if custom or resource.group in _GROUP_IN_PATH:
        return f"{ROOT}{resource.group}/{resource.plural}/"
    return f"{ROOT}{resource.plural}/"

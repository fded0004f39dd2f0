"""Which pods belong together when nobody says so: those that the same Services and the same owner select."""

from __future__ import annotations

from sampan.api.selectors import LabelSelector, from_label_selector, from_labels
from sampan.api.types.apps_v1 import ReplicaSet
from sampan.api.types.core_v1 import Service
from sampan.client.informer import Informer
from sampan.scheduler.podinfo import PodInfo


class Selections:
    """Looks up Services and ReplicaSets; answers are kept until either changes."""

    def __init__(self, services: Informer[Service], replica_sets: Informer[ReplicaSet]) -> None:
        self._services = services
        self._replica_sets = replica_sets
        self._known: dict[tuple[str, str, frozenset[tuple[str, str]]], LabelSelector | None] = {}
        services.add_handler(self._on_service)
        replica_sets.add_handler(self._on_replica_set)

    def of(self, pod: PodInfo) -> LabelSelector | None:
        """What selects the pod and its siblings; None where nothing does."""
        owner = next((o for o in pod.pod.metadata.ownerReferences if o.controller), None)
        key = (pod.namespace, f"{owner.kind}/{owner.name}" if owner else "", frozenset(pod.labels.items()))
        if key not in self._known:
            self._known[key] = self._look_up(pod, owner.name if owner and owner.kind == "ReplicaSet" else "")
        return self._known[key]

    def _look_up(self, pod: PodInfo, replica_set: str) -> LabelSelector | None:
        labels: dict[str, str] = {}
        for service in self._services.list(pod.namespace):
            if service.spec.selector and from_labels(service.spec.selector).matches(pod.labels):
                labels |= service.spec.selector
        requirements = list(from_labels(labels).requirements)
        owner = self._replica_sets.get(replica_set, pod.namespace) if replica_set else None
        if owner is not None:
            requirements += from_label_selector(owner.spec.selector).requirements
        return LabelSelector(requirements) if requirements else None

    def _on_service(self, old: Service | None, new: Service | None) -> None:
        if old is None or new is None or old.spec.selector != new.spec.selector:
            self._known.clear()

    def _on_replica_set(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        # A selector cannot change; only a ReplicaSet that comes after its pods matters, and one that goes.
        if old is None or new is None:
            self._known.clear()

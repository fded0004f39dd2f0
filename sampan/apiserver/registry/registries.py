"""Every registry of the server, found by what the API calls its resource."""

from __future__ import annotations

from collections.abc import Iterator

from sampan.api.resource import Resource
from sampan.api.scheme import Scheme
from sampan.apiserver.admission.chain import Admission
from sampan.apiserver.answers import status_bytes
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.generic import Registry
from sampan.apiserver.registry.history import read_history
from sampan.apiserver.registry.keys import prefix_of
from sampan.apiserver.registry.objects import ObjectShape
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.apiserver.registry.watching import WatchHub


class Registries:
    """One `Registry` and one `WatchHub` for each stored resource of a scheme, all fed by one `Feed`."""

    def __init__(self, feed: Feed, admission: Admission, event_ttl_seconds: int) -> None:
        self.feed = feed
        self.admission = admission
        self._event_ttl_seconds = event_ttl_seconds
        self._by_plural: dict[tuple[str, str], Registry] = {}
        self._hubs: dict[tuple[str, str], WatchHub] = {}

    def __iter__(self) -> Iterator[Registry]:
        return iter(self._by_plural.values())

    def add_scheme(self, scheme: Scheme) -> None:
        for resource in scheme:
            if not resource.virtual and resource.stored_as is None and (resource.group, resource.plural) not in self._by_plural:
                self.add(resource)

    def add(self, resource: Resource, *, custom: bool = False) -> Registry:
        cache = WatchCache(ObjectShape(resource), prefix_of(resource, custom=custom))
        ttl_seconds = self._event_ttl_seconds if resource.ttl_seconds else 0
        registry = Registry(resource, cache, self.feed, self.admission, ttl_seconds=ttl_seconds)
        self._by_plural[resource.group, resource.plural] = registry
        self._hubs[resource.group, resource.plural] = WatchHub(
            cache,
            self.feed.clock,
            revision=lambda: self.feed.revision,
            history=lambda revision: read_history(self.feed, cache, revision),
            encode_status=status_bytes,
        )
        self.feed.add(cache)
        return registry

    def serve(self, resource: Resource) -> Registry:
        """The registry of a resource as it is served: another face of the stored one's where it is stored in another form."""
        group, _, plural = resource.stored_as or (resource.group, resource.version, resource.plural)
        stored = self._by_plural[group, plural]
        if stored.resource is resource:
            return stored
        ttl_seconds, locks = stored.ttl_seconds, stored.locks
        return Registry(resource, stored.cache, self.feed, self.admission, ttl_seconds=ttl_seconds, locks=locks)

    def get(self, group: str, plural: str) -> Registry:
        """Raises KeyError for what is not stored here."""
        return self._by_plural[group, plural]

    def find(self, group: str, plural: str) -> Registry | None:
        return self._by_plural.get((group, plural))

    def hub_of(self, resource: Resource) -> WatchHub:
        group, _, plural = resource.stored_as or (resource.group, resource.version, resource.plural)
        return self._hubs[group, plural]

    def hubs(self) -> list[WatchHub]:
        return list(self._hubs.values())

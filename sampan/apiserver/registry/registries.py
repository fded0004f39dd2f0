"""Every registry of the server, found by what the API calls its resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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


class _Stored(NamedTuple):
    registry: Registry
    hub: WatchHub


class Registries:
    """One `Registry` and one `WatchHub` for each stored resource of a scheme, all fed by one `Feed`."""

    def __init__(self, feed: Feed, admission: Admission, event_ttl_seconds: int) -> None:
        self.feed = feed
        self.admission = admission
        self._event_ttl_seconds = event_ttl_seconds
        self._stored: dict[tuple[str, str], _Stored] = {}
        self.more_hubs: set[WatchHub] = set()
        """Of caches beside those of the registries here."""

    def __iter__(self) -> Iterator[Registry]:
        return iter([stored.registry for stored in self._stored.values()])

    def add_scheme(self, scheme: Scheme) -> None:
        for resource in scheme:
            if not resource.virtual and resource.stored_as is None and (resource.group, resource.plural) not in self._stored:
                self.add(resource)

    def add(self, resource: Resource) -> Registry:
        """Before the feed runs."""
        stored = self._make(resource, WatchCache(ObjectShape(resource), prefix_of(resource)))
        self._stored[resource.group, resource.plural] = stored
        self.feed.add(stored.registry.cache)
        return stored.registry

    async def join(self, resource: Resource, shape: ObjectShape) -> Registry:
        """Add a custom resource while the feed runs, in place of what is there of its group and plural: that one's watches
        end, for their clients to watch the new one. Raises StoreUnavailable."""
        joining = self._make(resource, WatchCache(shape, prefix_of(resource, custom=True)))
        await self.feed.join(joining.registry.cache)
        before = self._stored.get((resource.group, resource.plural))
        self._stored[resource.group, resource.plural] = joining
        if before is not None:
            before.hub.close()
        return joining.registry

    def leave(self, group: str, plural: str) -> None:
        """Take a custom resource away; its watches end."""
        stored = self._stored.pop((group, plural), None)
        if stored is not None:
            self.feed.leave(stored.registry.cache)
            stored.hub.close()

    def _make(self, resource: Resource, cache: WatchCache) -> _Stored:
        ttl_seconds = self._event_ttl_seconds if resource.ttl_seconds else 0
        before = self._stored.get((resource.group, resource.plural))
        # Writers that are under way take turns with those of the registry to come.
        locks = before.registry.locks if before is not None else None
        registry = Registry(resource, cache, self.feed, self.admission, ttl_seconds=ttl_seconds, locks=locks)
        return _Stored(registry, make_hub(cache, self.feed))

    def serve(self, resource: Resource) -> Registry:
        """The registry of a resource as it is served: another face of the stored one's where it is stored in another form."""
        group, _, plural = resource.stored_as or (resource.group, resource.version, resource.plural)
        stored = self._stored[group, plural].registry
        if stored.resource is resource:
            return stored
        ttl_seconds, locks = stored.ttl_seconds, stored.locks
        return Registry(resource, stored.cache, self.feed, self.admission, ttl_seconds=ttl_seconds, locks=locks)

    def get(self, group: str, plural: str) -> Registry:
        """Raises KeyError for what is not stored here."""
        return self._stored[group, plural].registry

    def find(self, group: str, plural: str) -> Registry | None:
        stored = self._stored.get((group, plural))
        return stored.registry if stored is not None else None

    def hub_of(self, resource: Resource) -> WatchHub:
        group, _, plural = resource.stored_as or (resource.group, resource.version, resource.plural)
        return self._stored[group, plural].hub

    def hubs(self) -> list[WatchHub]:
        return [stored.hub for stored in self._stored.values()] + list(self.more_hubs)


def make_hub(cache: WatchCache, feed: Feed) -> WatchHub:
    """The watchers of a cache that the feed keeps up to date."""
    return WatchHub(
        cache,
        feed.clock,
        revision=lambda: feed.revision,
        history=lambda revision: read_history(feed, cache, revision),
        encode_status=status_bytes,
    )

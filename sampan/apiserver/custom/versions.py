"""A version that a webhook makes of stored objects, as a world of its own: a store that converts, and a feed over it.

Above them everything is what it is for any resource: cache, watches, lists at old revisions, pages, writes. Upstream has the
same: a storage for each version, whose codec converts. A feed begins with the first request for its version and breaks off when
the webhook fails; requests then fail with what the webhook said, and the next one begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, NamedTuple

import msgspec

from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.resource import Resource, Tree
from sampan.apiserver.custom.conversion import WebhookConverter
from sampan.apiserver.custom.plan import Plan
from sampan.apiserver.custom.shape import OutdatedObject, trim
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.generic import Registry
from sampan.apiserver.registry.objects import CachedObject, ObjectShape
from sampan.apiserver.registry.registries import make_hub
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.apiserver.registry.watching import WatchHub
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks
from sampan.store.base import Conflict, Entry, Event, Expected, Handed, Page, Store, Watch

_decode = msgspec.json.decode

_NOTHING_YET = -1
"""Older than any revision that a client can be content with, 0 included."""

log = get_logger("apiserver")


class VersionCodec:
    """Between values as they are stored, in whatever version, and as one version has them."""

    def __init__(self, plan: Plan, resource: Resource, converter: WebhookConverter) -> None:
        self._schemas = plan.schemas
        self._converter = converter
        self._shown = ObjectShape(resource)
        self._stored = ObjectShape(plan.stored)

    async def decode(self, values: Sequence[bytes]) -> list[bytes]:
        """Raises ConversionFailed."""
        trees: list[Tree] = []
        for value in values:
            tree = _decode(value)
            schema = self._schemas.get(tree.get("apiVersion", ""))
            trees.append(schema.settle(tree) if schema is not None else tree)
        return await self._convert(trees, self._shown)

    async def encode(self, value: bytes) -> bytes:
        """Raises ConversionFailed."""
        return (await self._convert([_decode(value)], self._stored))[0]

    async def _convert(self, trees: Sequence[Tree], shape: ObjectShape) -> list[bytes]:
        schema: CustomSchema = self._schemas[shape.group_version]
        converted = await self._converter.convert(trees, shape.group_version)
        return [
            shape.encode(after if after is before else trim(after, schema))
            for before, after in zip(trees, converted, strict=True)
        ]

    async def read_back(self, value: bytes) -> bytes:
        """What will be read once `value` is stored. Raises ConversionFailed."""
        return (await self.decode([await self.encode(value)]))[0]

    def is_outdated(self, value: bytes) -> bool:
        """Whether a stored value would be another if it were written now."""
        return not value.startswith(self._stored.head)


class ConvertedStore:
    """What is under one prefix of a store, in another form; a `Store` for what stands above. Calls raise ConversionFailed."""

    in_process = False

    def __init__(self, store: Store, prefix: str, codec: VersionCodec) -> None:
        self._store = store
        self._prefix = prefix
        self._codec = codec
        self.outdated: set[str] = set()
        """Keys whose stored values should be written anew."""

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def next_revision(self) -> int:
        return 0  # a write is not handed over before it is converted

    async def current_revision(self) -> int:
        return await self._store.current_revision()

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        entry = await self._store.get(key, revision)
        return (await self._entries([entry]))[0] if entry is not None else None

    async def list(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        page = await self._store.list(prefix, start=start, limit=limit, revision=revision)
        return page._replace(entries=await self._entries(page.entries))

    async def create(self, key: str, value: bytes, *, ttl_seconds: int = 0) -> int:
        return await self._store.create(key, await self._codec.encode(value), ttl_seconds=ttl_seconds)

    async def update(
        self, key: str, value: bytes, expected: Expected, *, ttl_seconds: int = 0, handed: Handed | None = None
    ) -> int:
        encoded = await self._codec.encode(value)
        try:
            return await self._store.update(key, encoded, expected, ttl_seconds=ttl_seconds)
        except Conflict as error:
            raise await self._converted(error) from None

    async def delete(self, key: str, expected: Expected) -> int:
        try:
            return await self._store.delete(key, expected)
        except Conflict as error:
            raise await self._converted(error) from None

    async def _converted(self, error: Conflict) -> Conflict:
        current = (await self._entries([error.current]))[0] if error.current is not None else None
        return Conflict(error.key, current)

    def watch(self, prefix: str, after_revision: int, *, progress: bool = False, previous: bool = True) -> Watch:
        """Of this store's prefix, whichever is given: nothing else is in it."""
        watch = self._store.watch(self._prefix, after_revision, progress=progress, previous=previous)
        return ConvertedWatch(watch, self._events)

    async def _entries(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        values = await self._values([(entry.key, entry.value) for entry in entries])
        return [entry._replace(value=value) for entry, value in zip(entries, values, strict=True)]

    async def _events(self, events: Sequence[Event]) -> Sequence[Event]:
        before = [event.previous for event in events if event.previous is not None]
        after = [(event.key, event.value) for event in events if event.value is not None]
        values = iter(await self._values([*((entry.key, entry.value) for entry in before), *after]))
        shown = {id(entry): entry._replace(value=next(values)) for entry in before}
        return [
            event._replace(
                previous=shown[id(event.previous)] if event.previous is not None else None,
                value=next(values) if event.value is not None else None,
            )
            for event in events
        ]

    async def _values(self, stored: Sequence[tuple[str, bytes]]) -> Sequence[bytes]:
        for key, value in stored:
            (self.outdated.add if self._codec.is_outdated(value) else self.outdated.discard)(key)
        return await self._codec.decode([value for _, value in stored])

    # What nobody above asks of one version.

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def compact(self, revision: int) -> None:
        await self._store.compact(revision)

    async def compact_in_turn(self, revision: int) -> None:
        await self._store.compact_in_turn(revision)

    async def seconds_left(self, page: Page) -> dict[str, float]:
        return await self._store.seconds_left(page)

    async def size_bytes(self) -> int:
        return await self._store.size_bytes()


class ConvertedWatch:
    def __init__(self, watch: Watch, convert: Callable[[Sequence[Event]], Coroutine[Any, Any, Sequence[Event]]]) -> None:
        self._watch = watch
        self._convert = convert

    @property
    def revision(self) -> int:
        return self._watch.revision

    def __aiter__(self) -> AsyncIterator[Sequence[Event]]:
        return self

    async def __anext__(self) -> Sequence[Event]:
        return await self._convert(await anext(self._watch))

    def close(self) -> None:
        self._watch.close()


class VersionShape(ObjectShape):
    """Of objects that a `ConvertedStore` has brought into form."""

    def __init__(self, resource: Resource, store: ConvertedStore) -> None:
        super().__init__(resource)
        self._store = store

    def load(self, key: str, revision: int, value: bytes) -> CachedObject:
        found = super().load(key, revision, value)
        if key in self._store.outdated:
            found = OutdatedObject.like(found, self.head)
            found.place(revision, value)
        return found


class VersionRegistry(Registry):
    """Answers writes with what is read back: what a webhook does not give again is gone as soon as it is stored.

    Where the webhook gives everything again, this costs nothing; a dry run asks it there and back, as upstream's does.
    """

    def __init__(self, resource: Resource, cache: WatchCache, feed: Feed, stored: Registry, codec: VersionCodec) -> None:
        super().__init__(resource, cache, feed, stored.admission, locks=stored.locks)
        self._codec = codec

    async def _settled(self, obj: CachedObject, revision: int, value: bytes) -> CachedObject:
        stands = await super()._settled(obj, revision, value)
        cached = self.cache.objects.get(obj.key)
        if cached is stands:
            return stands
        # It came back as another, so nothing will take what was prepared.
        self.cache.unexpect(obj.key, value)
        if cached is not None and cached.revision == revision:
            return cached
        read, found = await self._foreseen(value, obj)
        found.place(revision, read)
        return found

    async def _foreseen(self, value: bytes, obj: CachedObject) -> tuple[bytes, CachedObject]:
        read = await self._codec.read_back(value)
        return read, self.cache.shape.draft(obj.key, _decode(read))


class VersionFeed(Feed):
    """Follows while it can. `broken` is called when it breaks off, to end the watches that it feeds."""

    def __init__(self, store: Store, clock: Clock, tasks: Tasks, broken: Callable[[], None]) -> None:
        super().__init__(store, clock)
        self.revision = _NOTHING_YET
        self._tasks = tasks
        self._broken = broken
        self._task: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self._stopped = False

    async def reach(self, revision: int) -> None:
        """Raises ConversionFailed, StoreUnavailable."""
        if self._task is None:
            await self._begin(revision)
        await super().reach(revision)

    async def reach_requested(self, revision: int, *, waits: bool = True) -> None:
        if self._task is None:
            await self._begin(revision)
        await super().reach_requested(revision, waits=waits)

    async def _begin(self, revision: int) -> None:
        async with self._beginning:
            if self._task is not None or revision <= self.revision:
                return
            await self.fill()
            if not self._stopped:
                self._task = self._tasks.start(self._run(), "version feed")

    async def _run(self) -> None:
        try:
            await self._follow()
        except Exception as error:  # the loop's boundary: whoever waits is told
            log.warning("the feed of a converted version broke off", error=repr(error))
            self._task = None
            self._break(error)

    def _break(self, error: Exception) -> None:
        """Everyone who waits for a revision gets `error`; whoever comes next begins anew."""
        self.revision = _NOTHING_YET
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(error)
        self._broken()

    def stop(self) -> None:
        """Follow no more; requests that are under way still get what they wait for."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._waiting:
            self._tasks.start(self._finish(), "version feed's end")

    async def _finish(self) -> None:
        try:
            await self.fill()
        except Exception as error:  # as above
            self._break(error)


def show_faces(shape: ObjectShape, plan: Plan) -> None:
    """Let managedFields of other versions be kept for what these have in common: to ask the webhook for the rest, a write would
    have to wait amid its work."""
    shape.faces.update({resource.group_version: resource for resource in plan.versions})


class Version(NamedTuple):
    registry: Registry
    hub: WatchHub
    feed: VersionFeed

    def stop(self) -> None:
        self.hub.close()
        self.feed.stop()


def make_version(
    plan: Plan, resource: Resource, converter: WebhookConverter, stored: Registry, clock: Clock, tasks: Tasks
) -> Version:
    """A version of the objects that `stored` holds as they are."""
    prefix = stored.cache.prefix
    codec = VersionCodec(plan, resource, converter)
    store = ConvertedStore(stored.feed.store, prefix, codec)
    shape = VersionShape(resource, store)
    show_faces(shape, plan)
    cache = WatchCache(shape, prefix)
    feed = VersionFeed(store, clock, tasks, broken=lambda: hub.end_all())
    hub = make_hub(cache, feed)
    feed.add(cache)
    return Version(VersionRegistry(resource, cache, feed, stored, codec), hub, feed)

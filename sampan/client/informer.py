"""A local copy of a collection, kept up to date by list and watch.

    pods = Informer(client, Pod, indexers={"node": lambda pod: [pod.spec.nodeName]})
    pods.add_handler(lambda old, new: ...)
    tasks.start(pods.run(), "informer-pods")
    await pods.wait_synced()
    pods.by_index("node", "node-1")

List/watch is a state machine of three states, after kube-rs' `watcher`:

    LISTING ──listed──► WATCHING ──410, undecodable──► LISTING
       ▲                  │  ▲
       └──first list lost─┘  └──ended or broken: connect again from the last revision seen

Objects handed out are shared: never change them, `clone` first. Handlers are plain functions, called in the order of events
after the store is updated; they must be quick and must not raise.
"""

from __future__ import annotations

import asyncio
import builtins
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from enum import Enum
from typing import Any, Generic

import msgspec

from sampan.api.errors import StatusError
from sampan.api.types.base import API
from sampan.client.cache import Key, ObjectCache, key_of
from sampan.client.codec import T, clone
from sampan.client.rest import Client
from sampan.client.watch import BOOKMARK, DELETED, WatchEvent, watch_batches
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

__all__ = ["Informer", "InformerFactory", "Key", "clone", "key_of"]

log = get_logger("informer")

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 10.0
WATCH_SECONDS = (300, 600)
"""A watch asks the server to end it after a time drawn from this range, so that servers can shed load."""
SHORT_WATCH_SECONDS = 1.0
GRACE_SECONDS = 30

Handler = Callable[[T | None, T | None], None]


class State(Enum):
    LISTING = "listing"
    WATCHING = "watching"


class Informer(Generic[T]):
    def __init__(
        self,
        client: Client,
        cls: type[T],
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        indexers: Mapping[str, Callable[[T], Iterable[str]]] | None = None,
    ) -> None:
        self.cls = cls
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._store: ObjectCache[T] = ObjectCache()
        self._handlers: list[Handler[T]] = []
        self._synced = asyncio.Event()
        self._state = State.LISTING
        self._revision = ""
        self._want_newest = False
        self._failures = 0
        self._reached = False
        for name, function in (indexers or {}).items():
            self._store.add_index(name, function)

    @property
    def synced(self) -> bool:
        """Whether the first list is in. A kind the server does not serve counts as an empty list."""
        return self._synced.is_set()

    @property
    def current(self) -> bool:
        """Whether it is synced and has reached the server since it last failed to."""
        return self.synced and self._reached

    @property
    def resource_version(self) -> str:
        """The newest revision that the store is known to reflect; "" before the first list."""
        return self._revision

    def __len__(self) -> int:
        return len(self._store)

    def get(self, name: str, namespace: str = "") -> T | None:
        return self._store.get(Key(namespace, name))

    def list(self, namespace: str = "") -> builtins.list[T]:
        """All objects, or those of one namespace."""
        return self._store.in_namespace(namespace) if namespace else list(self._store)

    def by_index(self, index: str, value: str) -> builtins.list[T]:
        """Raises KeyError for an index that was not added."""
        return self._store.by_index(index, value)

    def add_index(self, name: str, function: Callable[[T], Iterable[str]]) -> None:
        self._store.add_index(name, function)

    def add_handler(self, handler: Handler[T]) -> None:
        """`handler(old, new)`: None for old on an add, None for new on a delete. Called at once for what is there already."""
        self._handlers.append(handler)
        for obj in self.list():
            handler(None, obj)

    async def wait_synced(self) -> None:
        await self._synced.wait()

    def clear(self) -> None:
        """Forget everything, as if it had been deleted."""
        self._replace([])

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                self._state = await self._step()
            except StatusError as error:
                self._state = self._after_refusal(error)
                await self._back_off(error)
            except (OSError, TimeoutError, EOFError) as error:
                await self._back_off(error)
            except msgspec.DecodeError as error:
                # Going on would leave a hole in the store: start over, and say so.
                log.error("undecodable answer", kind=self.cls.api.kind, error=str(error))
                self._state = State.LISTING
                await self._back_off(error)

    async def _step(self) -> State:
        match self._state:
            case State.LISTING:
                return await self._list()
            case State.WATCHING:
                return await self._watch()

    async def _list(self) -> State:
        # "0" is whatever the server's cache holds, later "not older than what we saw": neither costs a read of the store.
        since = "" if self._want_newest else self._revision or "0"
        listed = await self._client.list(
            self.cls, self._namespace, labels=self._labels, fields=self._fields, resource_version=since
        )  # fmt: skip
        self._failures = 0
        self._reached = True
        self._want_newest = False
        self._replace(listed.items)
        self._revision = listed.resource_version
        self._synced.set()
        return State.WATCHING

    async def _watch(self) -> State:
        seconds = random.randint(*WATCH_SECONDS)
        batches = watch_batches(
            self._client, self.cls, self._namespace, labels=self._labels, fields=self._fields,
            resource_version=self._revision, timeout_seconds=seconds,
        )  # fmt: skip
        begun, silent = self._client.clock.monotonic(), True
        try:
            # A server that does not end it in time is gone without a word.
            async with asyncio.timeout(seconds + GRACE_SECONDS), aclosing(batches):
                async for batch in batches:
                    self._reached = True
                    if batch:
                        silent = False
                    for event in batch:
                        self._take(event)
        finally:
            brief = silent and self._client.clock.monotonic() - begun < SHORT_WATCH_SECONDS
            if not brief:
                self._failures = 0
        if brief:
            # A server that ends each watch at once must not make us spin; after any other nothing may be missed by waiting.
            raise EOFError("the watch ended at once and without an event")
        return State.WATCHING

    def _after_refusal(self, error: StatusError) -> State:
        if error.code == 404:  # the kind is not served: a CRD that is not there yet, or no more
            self._replace([])
            self._synced.set()
            return State.LISTING
        if error.code == 410 or _is_from_the_future(error):
            self._want_newest = True
            return State.LISTING
        return self._state

    async def _back_off(self, error: Exception) -> None:
        seconds = min(FIRST_RETRY_SECONDS * 2 ** min(self._failures, 20), LONGEST_RETRY_SECONDS)
        self._failures += 1
        self._reached = isinstance(error, StatusError) and error.code == 404
        note = log.warning if self._failures > 3 else log.debug
        note("list or watch failed", kind=self.cls.api.kind, state=self._state.value, error=str(error), tries=self._failures)
        await self._client.clock.sleep(seconds * random.uniform(0.75, 1.25))

    def _take(self, event: WatchEvent[T]) -> None:
        obj = event.object
        self._revision = event.resource_version or self._revision
        if event.type == BOOKMARK or obj is None:
            return
        if event.type == DELETED:
            self._store.remove(key_of(obj))
            self._tell(obj, None)
        else:
            self._put(obj)

    def _put(self, obj: T) -> None:
        old = self._store.get(key_of(obj))
        if old is not None and old.metadata.uid != obj.metadata.uid:
            # A delete and a create that we saw as one: two lives, two events.
            self._store.remove(key_of(old))
            self._tell(old, None)
            old = None
        self._store.put(obj)
        self._tell(old, obj)

    def _replace(self, objects: Iterable[T]) -> None:
        fresh = {key_of(obj): obj for obj in objects}
        for gone in [old for old in self._store if key_of(old) not in fresh]:
            self._store.remove(key_of(gone))
            self._tell(gone, None)
        for key, obj in fresh.items():
            old = self._store.get(key)
            if old is None or old.metadata.resourceVersion != obj.metadata.resourceVersion:
                self._put(obj)

    def _tell(self, old: T | None, new: T | None) -> None:
        for handler in self._handlers:
            handler(old, new)


def _is_from_the_future(error: StatusError) -> bool:
    """The server knows no revision as new as ours: its store was set back."""
    return error.code == 504 and any(c.get("reason") == "ResourceVersionTooLarge" for c in error.details.get("causes", ()))


class InformerFactory:
    """One informer for all who ask for the same collection."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._informers: dict[tuple[Any, ...], Informer[Any]] = {}
        self._tasks: Tasks | None = None
        self._running: dict[Informer[Any], asyncio.Task[None]] = {}

    def informer(
        self,
        cls: type[T],
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        indexers: Mapping[str, Callable[[T], Iterable[str]]] | None = None,
    ) -> Informer[T]:
        """Made on first demand, started at once if the factory is running."""
        identity = (cls, namespace, labels, fields)
        informer: Informer[T] | None = self._informers.get(identity)
        if informer is None:
            informer = Informer(self.client, cls, namespace=namespace, labels=labels, fields=fields)
            self._informers[identity] = informer
            if self._tasks is not None:
                self._start(self._tasks, informer)
        for name, function in (indexers or {}).items():
            informer.add_index(name, function)
        return informer

    def of_resource(self, api: API) -> Informer[Any] | None:
        """An informer of everything there is of a resource, whatever struct it decodes to; None: nobody asked for one."""
        for (cls, *narrowed), informer in self._informers.items():
            if cls.api == api and not any(narrowed):
                return informer
        return None

    def drop(self, informer: Informer[Any]) -> None:
        """Stop an informer whose resource is no more; its objects are told as deleted."""
        self._informers = {k: v for k, v in self._informers.items() if v is not informer}
        task = self._running.pop(informer, None)
        if task is not None:
            task.cancel()
        informer.clear()

    async def run(self) -> None:
        """Every informer, until cancelled."""
        async with Tasks() as tasks:
            self._tasks = tasks
            try:
                for informer in self._informers.values():
                    self._start(tasks, informer)
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None
                self._running.clear()

    async def wait_synced(self) -> None:
        for informer in list(self._informers.values()):
            await informer.wait_synced()

    def _start(self, tasks: Tasks, informer: Informer[Any]) -> None:
        self._running[informer] = tasks.start(informer.run(), f"informer-{informer.cls.api.plural}")

"""The contract of a store: an ordered map from keys to values with one global, strictly rising revision.

The shape is etcd's (https://etcd.io/docs/v3.5/learning/data_model/), narrowed to what an API server needs. Promises:

- A write that returned survives `kill -9` (except in `memory`, which has nothing to survive in).
- Each write has a revision of its own, one greater than the write before it; nothing else moves the revision. A new store
  stands at 1, since 0 means "any" or "now" wherever a revision is given. (Keys whose time to live ends together may go in one
  revision, as they do in etcd; a watch then has them in one batch.)
- A watch from revision r delivers every later event, once each, in order of revision, of every key under its prefix.
- A list or get at an old revision answers as the map stood then, until that revision is compacted.

Keys are `str` of printable ASCII, such as "/registry/pods/default/web-0"; values are `bytes`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """A key's value at a moment."""

    key: str
    value: bytes
    revision: int
    """Revision of the write that made this value."""
    create_revision: int
    """Revision of the create that began this key's present life."""


class Event(NamedTuple):
    """One write. `value` is None for a delete; `previous` is what the key held before, None for a create."""

    key: str
    revision: int
    value: bytes | None
    create_revision: int
    previous: Entry | None


class Handed:
    """A write that a store was handed: another of the same key may be made upon it before it is known whether it is made."""

    __slots__ = ("revision",)

    def __init__(self) -> None:
        self.revision = 0
        """What it has; 0 unless it is made."""


Expected = int | Handed
"""How a key must stand for a write of it: the revision of the write that it holds, or that write."""


def revision_of(expected: Expected) -> int:
    return expected if isinstance(expected, int) else expected.revision


class Page(NamedTuple):
    entries: Sequence[Entry]
    revision: int
    """The revision the whole page stands at."""
    remaining: int
    """How many more entries of the prefix follow the page; 0 when it is the last."""


class KeyExists(Exception):
    """create: the key is there."""


class Conflict(Exception):
    """update, delete: the key's revision is not the expected one. `current` is what it holds, None if it is gone."""

    def __init__(self, key: str, current: Entry | None) -> None:
        super().__init__(key)
        self.key = key
        self.current = current


class Compacted(Exception):
    """The revision asked for is older than the last compaction; `compacted` is that compaction's revision."""

    def __init__(self, compacted: int) -> None:
        super().__init__(f"revision compacted at {compacted}")
        self.compacted = compacted


class FutureRevision(Exception):
    """The revision asked for has not happened yet; `current` is the newest."""

    def __init__(self, current: int) -> None:
        super().__init__(f"revision is newer than {current}")
        self.current = current


class StoreUnavailable(Exception):
    """The store cannot serve the call now (disk full, no quorum, closed); nothing was acknowledged. A write may have been made
    all the same, where the answer was lost on its way."""


class StoreTimeout(StoreUnavailable):
    """The store did not answer in time."""


class Watch(Protocol):
    """A running watch: iterate it for batches of events. Close it when done."""

    @property
    def revision(self) -> int:
        """Every event up to here was delivered, the batch returned last included."""
        ...

    def __aiter__(self) -> AsyncIterator[Sequence[Event]]: ...

    async def __anext__(self) -> Sequence[Event]: ...

    def close(self) -> None: ...


class Store(Protocol):
    """See the module's docstring for the promises. Every call may raise StoreUnavailable."""

    in_process: bool
    """Whether every write passes through this process, so that what it has seen is all there is."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def revision(self) -> int:
        """The newest revision this process knows to be committed. In-process stores: the newest there is."""
        ...

    @property
    def next_revision(self) -> int:
        """What the next write will have if all are made that are on their way; 0: writes cannot be `Handed`."""
        ...

    async def current_revision(self) -> int:
        """The newest committed revision, whoever wrote it (a quorum read where there are several servers)."""
        ...

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        """The key at `revision` (0: now). Raises Compacted, FutureRevision."""
        ...

    async def list(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        """Entries under `prefix` in key order, from key `start` on (inclusive), at most `limit` (0: all), at `revision`
        (0: now). Raises Compacted, FutureRevision."""
        ...

    async def create(self, key: str, value: bytes, *, ttl_seconds: int = 0) -> int:
        """Returns the write's revision. With a TTL the key is deleted, as by a write, that long after. Raises KeyExists."""
        ...

    async def update(
        self, key: str, value: bytes, expected: Expected, *, ttl_seconds: int = 0, handed: Handed | None = None
    ) -> int:
        """Replaces the value if the key stands as expected. Returns the new revision. Raises Conflict.

        handed: by which later writes can say that they expect this one; they may as soon as it has begun."""
        ...

    async def delete(self, key: str, expected: Expected) -> int:
        """Deletes the key if it stands as expected. Returns the delete's revision. Raises Conflict."""
        ...

    def watch(self, prefix: str, after_revision: int, *, progress: bool = False, previous: bool = True) -> Watch:
        """Every event under `prefix` with a revision greater than `after_revision`; its iteration raises Compacted when
        that history is gone. In-process stores hand an event to their watches before the write that made it returns.

        progress: batches may be empty, to tell that the watch's `revision` has moved though nothing under the prefix did; so
        it reaches every revision there is. previous: whether `Event.previous` is wanted; without, it may be None."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget history at and before `revision`, keeping what was current at it: reads at `revision` and watches after
        it still work, older ones raise Compacted. Raises FutureRevision."""
        ...

    async def compact_in_turn(self, revision: int) -> None:
        """As `compact`, for each of several servers to call at like intervals: one of them does it, the others find that it
        is done."""
        ...

    async def seconds_left(self, page: Page) -> dict[str, float]:
        """By key, how long from now those entries of a page live on that have a time to live."""
        ...

    async def size_bytes(self) -> int: ...

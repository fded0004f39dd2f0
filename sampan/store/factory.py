"""A store from its URL: `sqlite:///var/lib/sampan/state.db`, `memory://`."""

from __future__ import annotations

from urllib.parse import urlsplit

from sampan.lib.clock import Clock, RealClock
from sampan.store.base import Store
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SQLiteStore


def make_store(url: str, clock: Clock | None = None) -> Store:
    """A store that is not open yet. Raises ValueError for a URL that names none."""
    parts = urlsplit(url)
    clock = clock or RealClock()
    if parts.scheme == "memory":
        return MemoryStore(clock)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return SQLiteStore(parts.path, clock)
    raise ValueError(f"{url!r} is not a store: want sqlite:///PATH or memory://")

"""Delays that double with each failure and are forgotten after a quiet time, as client-go's flowcontrol.Backoff."""

from __future__ import annotations

from sampan.lib.clock import Clock


class _Entry:
    __slots__ = ("seconds", "updated")

    def __init__(self, seconds: float, updated: float) -> None:
        self.seconds = seconds
        self.updated = updated


class Backoff:
    """Per key: `initial_seconds` at the first failure, doubled at each further one up to `maximum_seconds`; a failure that
    comes more than twice the maximum after the last one starts again at the initial delay."""

    def __init__(self, clock: Clock, initial_seconds: float = 10.0, maximum_seconds: float = 300.0) -> None:
        self._clock = clock
        self._initial = initial_seconds
        self._maximum = maximum_seconds
        self._entries: dict[str, _Entry] = {}

    def seconds(self, key: str) -> float:
        """The present delay of the key, 0 before its first failure."""
        entry = self._entries.get(key)
        return entry.seconds if entry else 0.0

    def remaining(self, key: str, since: float) -> float:
        """Seconds until the delay that began at `since` (wall clock) is over."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, since):
            return 0.0
        return max(0.0, since + entry.seconds - self._clock.now())

    def remaining_since_failure(self, key: str) -> float:
        """Seconds until the delay that began when `fail` was last called is over."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, self._clock.now()):
            return 0.0
        return max(0.0, entry.updated + entry.seconds - self._clock.now())

    def fail(self, key: str, since: float | None = None) -> None:
        now = self._clock.now()
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, now if since is None else since):
            self._entries[key] = _Entry(self._initial, now)
            return
        entry.seconds = min(entry.seconds * 2, self._maximum)
        entry.updated = now

    def forget(self, prefix: str) -> None:
        for key in [k for k in self._entries if k.startswith(prefix)]:
            del self._entries[key]

    def _expired(self, entry: _Entry, moment: float) -> bool:
        return moment - entry.updated > 2 * self._maximum


def go_duration(seconds: float) -> str:
    """Whole seconds as Go prints a time.Duration: "10s", "1m20s", "5m0s"."""
    total = int(seconds)
    hours, rest = divmod(total, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"

"""Which pod is next.

Three places, after https://kubernetes.io/docs/concepts/scheduling-eviction/scheduler-perf-tuning/ and upstream's
scheduling queue: *active* pods wait for their turn by priority, then age; pods in *back-off* failed lately (1 s, doubling to
10 s); *unschedulable* ones fit nowhere and wait until the cluster changes, or for five minutes at most.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from sampan.lib.clock import Clock
from sampan.scheduler.podinfo import PodInfo

FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 10.0
LONGEST_UNSCHEDULABLE_SECONDS = 300.0


@dataclass(slots=True, eq=False)
class Entry:
    info: PodInfo
    added: float
    attempts: int = 0
    failed_at: float = 0.0
    moves_seen: int = 0
    """The count of moves when its last attempt began; a later move means that what it saw is out of date."""

    def backoff_seconds(self) -> float:
        if not self.attempts:
            return 0.0
        return min(FIRST_BACKOFF_SECONDS * 2.0 ** min(self.attempts - 1, 10), LONGEST_BACKOFF_SECONDS)


@dataclass(order=True, slots=True)
class _Turn:
    rank: tuple[float, ...]
    entry: Entry = field(compare=False)


class SchedulingQueue:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._active: list[_Turn] = []
        self._backoff: list[_Turn] = []
        self._unschedulable: dict[str, Entry] = {}
        self._count = 0
        self._moves = 0
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def pending(self) -> dict[str, int]:
        """How many pods wait in each place, for the metric scheduler_pending_pods."""
        waiting = {"active": len(self._active), "backoff": len(self._backoff)}
        return {**waiting, "unschedulable": len(self._unschedulable)}

    def add(self, info: PodInfo) -> None:
        """A pod that is new, or whose spec changed."""
        known = self._entries.get(info.uid)
        if known is not None:
            known.info = info
            if info.uid in self._unschedulable:
                del self._unschedulable[info.uid]
                self._requeue(known)
            return
        entry = self._entries[info.uid] = Entry(info, self._clock.monotonic())
        self._activate(entry)

    def remove(self, uid: str) -> None:
        """The pod is gone or has a node; its place in a heap is passed over when it comes up."""
        self._entries.pop(uid, None)
        self._unschedulable.pop(uid, None)

    async def pop(self) -> Entry:
        """The next pod to schedule; waits for one. It is out of the queue until `retry` or `park` puts it back."""
        while True:
            while self._active:
                entry = heapq.heappop(self._active).entry
                if self._entries.get(entry.info.uid) is entry:
                    entry.attempts += 1
                    entry.moves_seen = self._moves
                    return entry
            self._ready.clear()
            await self._ready.wait()

    def retry(self, entry: Entry) -> None:
        """Its attempt failed for a passing reason (the API server did not answer): again after the back-off."""
        if self._entries.get(entry.info.uid) is entry:
            entry.failed_at = self._clock.monotonic()
            self._requeue(entry)

    def park(self, entry: Entry) -> None:
        """It fits nowhere: wait for a change, unless one came while it was tried."""
        if self._entries.get(entry.info.uid) is not entry:
            return
        entry.failed_at = self._clock.monotonic()
        if entry.moves_seen != self._moves:
            self._requeue(entry)
        else:
            self._unschedulable[entry.info.uid] = entry

    def move(self, concerned: Callable[[PodInfo], bool] = lambda info: True) -> None:
        """The cluster changed in a way that may let these waiting pods fit."""
        self._moves += 1
        for entry in [e for e in self._unschedulable.values() if concerned(e.info)]:
            del self._unschedulable[entry.info.uid]
            self._requeue(entry)

    async def run(self) -> None:
        """Bring pods back whose back-off is over, or who waited too long. Until cancelled."""
        while True:
            await self._clock.sleep(0.1 if self._backoff else 1.0)
            self.flush()

    def flush(self) -> None:
        now = self._clock.monotonic()
        while self._backoff and self._backoff[0].rank[0] <= now:
            entry = heapq.heappop(self._backoff).entry
            if self._entries.get(entry.info.uid) is entry:
                self._activate(entry)
        old = [e for e in self._unschedulable.values() if now - e.failed_at > LONGEST_UNSCHEDULABLE_SECONDS]
        for entry in old:
            del self._unschedulable[entry.info.uid]
            self._requeue(entry)

    def _requeue(self, entry: Entry) -> None:
        until = entry.failed_at + entry.backoff_seconds()
        if until > self._clock.monotonic():
            self._count += 1
            heapq.heappush(self._backoff, _Turn((until, self._count), entry))
        else:
            self._activate(entry)

    def _activate(self, entry: Entry) -> None:
        self._count += 1
        heapq.heappush(self._active, _Turn((-entry.info.priority, entry.added, self._count), entry))
        self._ready.set()

"""History is kept for five minutes, as upstream keeps it; what is older is forgotten little by little.

A store of this process alone is compacted every few seconds, so that each time there is little to do; of a store with several
servers one takes the turn every five minutes.
"""

from __future__ import annotations

from collections import deque

from sampan.apiserver.registry.feed import Feed
from sampan.lib.log import get_logger
from sampan.store.base import FutureRevision, StoreUnavailable

KEPT_SECONDS = 300.0
STEP_SECONDS = 10.0

log = get_logger("apiserver")


async def keep_compacting(feed: Feed) -> None:
    """Until cancelled."""
    passed: deque[tuple[float, int]] = deque()
    """The revision that each moment stood at, oldest first."""
    while True:
        passed.append((feed.clock.monotonic(), feed.revision))
        await feed.clock.sleep(STEP_SECONDS if feed.local else KEPT_SECONDS)
        revision = 0
        while passed and feed.clock.monotonic() - passed[0][0] >= KEPT_SECONDS:
            revision = passed.popleft()[1]
        if not revision:
            continue
        try:
            await feed.store.compact_in_turn(revision)
        except (StoreUnavailable, FutureRevision) as error:
            log.warning("history could not be compacted", error=repr(error))

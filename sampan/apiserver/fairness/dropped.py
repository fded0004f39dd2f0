"""How long a client whose request was dropped is told to wait: longer, the more are dropped.

After dropped_requests_tracker.go of k8s.io/apiserver/pkg/util/flowcontrol: the wait doubles when at least three a second were
dropped during the last such wait, and shrinks by a second when fewer than one was.
"""

from __future__ import annotations

from collections import deque

_LONGEST_SECONDS = 32


class RetryAfter:
    """Of one priority level. Times are whole seconds."""

    def __init__(self) -> None:
        self.seconds = 1
        self._dropped: deque[tuple[int, int]] = deque()
        self._raised = 0

    def note(self, now: int) -> None:
        """A request was dropped."""
        if self._dropped and self._dropped[-1][0] == now:
            self._dropped[-1] = (now, self._dropped[-1][1] + 1)
            return
        while self._dropped and now - self._dropped[0][0] > min(2 * self.seconds, _LONGEST_SECONDS):
            self._dropped.popleft()
        self._adjust(now, sum(count for second, count in self._dropped if now - second <= self.seconds))
        self._dropped.append((now, 1))

    def _adjust(self, now: int, lately: int) -> None:
        if now - self._raised >= self.seconds and lately >= 3 * self.seconds:
            self.seconds = min(2 * self.seconds, _LONGEST_SECONDS)
            self._raised = now
        elif lately < self.seconds and self.seconds > 1:
            self.seconds -= 1

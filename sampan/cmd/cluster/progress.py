"""Lines of progress with the time each came after the start."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._start = time.monotonic()

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self._start

    def say(self, what: str) -> None:
        print(f"{self.elapsed_seconds:6.1f} s  {what}", file=self._out, flush=True)

"""What simulated containers say: lines of a CRI log, in memory.

A container starts with the text its pod gives it, else with what its command plainly echoes, else with a line that says that
nothing runs:

    metadata:
      annotations:
        sampan.dev/logs: "listening on :8080"       # what every container says when it starts
        sampan.dev/logs.app: "boom"                 # what this one says
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sampan.lib.clock import Clock

ANNOTATION = "sampan.dev/logs"
MAX_LINES = 10_000

_SYNTAX = frozenset("|<>&$`(){}*")
_SEPARATORS = re.compile(r"\s*(?:;|&&|\n)\s*")


class SimulatedLog:
    """Lines that can be read while more come; see `logs.KeptLog`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._more = asyncio.Event()
        self.lines: list[bytes] = []
        self.dropped = 0
        self._ended = False

    def write(self, text: str, stream: str = "stdout") -> None:
        now = self._clock.now()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
        self.lines += [f"{stamp} {stream} F {line}\n".encode() for line in text.splitlines()]
        if len(self.lines) > MAX_LINES:
            excess = len(self.lines) - MAX_LINES
            del self.lines[:excess]
            self.dropped += excess
        self._wake()

    def end(self) -> None:
        """The container has exited: nothing will follow."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    async def more(self, seen: int) -> bool:
        """Wait for line number `seen`; False where it will never come."""
        while self.dropped + len(self.lines) <= seen:
            if self._ended:
                return False
            await self._more.wait()
        return True


def first_words(annotations: Mapping[str, str], name: str, image: str, command: Sequence[str]) -> str:
    """What a container says when it starts."""
    said = annotations.get(f"{ANNOTATION}.{name}", annotations.get(ANNOTATION))
    if said is not None:
        return said
    echoed = "\n".join(" ".join(words[1:]) for words in _steps(command) if _is_echo(words))
    return echoed or f"container {name} of {image} is simulated: annotate its pod with {ANNOTATION} to say what it logs"


def without_echoes(command: Sequence[str]) -> list[str]:
    """The command with what it merely says left out, so that what it does is seen: `sh -c "echo hi; exit 1"`."""
    steps = _steps(command)
    kept = [words for words in steps if not _is_echo(words)]
    if len(kept) == len(steps):
        return list(command)
    # A shell that has said everything is done.
    line = "; ".join(shlex.join(words) for words in kept) or "exit 0"
    return ["sh", "-c", line]


def _is_echo(words: Sequence[str]) -> bool:
    return words[:1] == ["echo"] and not _SYNTAX.intersection("".join(words))


def _steps(command: Sequence[str]) -> list[list[str]]:
    """The simple commands of a command line, as words."""
    words = list(command)
    lines = [shlex.join(words)] if words else []
    if len(words) > 2 and words[0].rpartition("/")[2] in ("sh", "bash") and words[1] in ("-c", "-ec"):
        lines = _SEPARATORS.split(words[2].strip())
    found = []
    for line in lines:
        try:
            found.append(shlex.split(line))
        except ValueError:
            found.append([line])  # a shell's syntax beyond plain words: nothing we would know
    return found

"""What simulated containers do: run until they are stopped, or exit by themselves with a code after a while.

Their pod says it by annotation, or their command is plainly an end; see `simulated.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .simulatedlogs import without_echoes

ANNOTATION = "sampan.dev/simulate"

_SHELL = re.compile(
    r"^(?:(?:/bin/)?(?:sh|bash) -e?c )?(?:sleep (?P<sleep>[0-9.]+))?(?: *(?:;|&&) *)?(?:exit (?P<exit>[0-9]+))?$"
)


@dataclass(frozen=True, slots=True)
class Script:
    """What a container does: when it exits and with what; `exit_code` None runs until stopped."""

    exit_code: int | None = None
    after_seconds: float = 0.0
    probes_fail: bool = False


def script_of(annotations: Mapping[str, str], name: str, command: Sequence[str]) -> Script:
    text = annotations.get(f"{ANNOTATION}.{name}", annotations.get(ANNOTATION, ""))
    said = dict(part.strip().partition("=")[::2] for part in text.split(",") if part.strip())
    if "exit" in said or "after" in said:
        return Script(int(said.get("exit", "0")), float(said.get("after", "0")), said.get("probes") == "fail")
    line = " ".join(without_echoes(command))
    script = Script(probes_fail=said.get("probes") == "fail")
    if line.rsplit("/", 1)[-1] in ("true", "false"):
        return Script(0 if line.endswith("true") else 1, 0.0, script.probes_fail)
    found = _SHELL.match(line)
    if found is not None and (found["sleep"] or found["exit"]):
        return Script(int(found["exit"] or 0), float(found["sleep"] or 0), script.probes_fail)
    return script

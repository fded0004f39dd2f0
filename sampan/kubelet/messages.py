"""Termination messages: what a container left in its message file or, failing that, at the end of its log."""

from __future__ import annotations

from pathlib import Path

from . import labels
from .logformat import parse_line
from .runtime.base import ContainerStatus, State

MAX_MESSAGE_BYTES = 4096
MAX_LOG_BYTES = 2048
MAX_LOG_LINES = 80


def termination_message(status: ContainerStatus) -> str:
    if status.state is not State.EXITED:
        return ""
    text = _from_file(status.annotations.get(labels.MESSAGE_FILE, ""))
    fallback = status.annotations.get(labels.MESSAGE_POLICY) == "FallbackToLogsOnError"
    if not text and fallback and status.exit_code != 0 and status.log_path:
        return _from_log(Path(status.log_path))
    return text


def _from_file(path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, "rb") as handle:
            return handle.read(MAX_MESSAGE_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _from_log(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, 2)
            # Each line carries a stamp; reading some more than the message may hold is enough.
            start = max(0, size - 4 * MAX_LOG_BYTES - MAX_LOG_LINES * 64)
            handle.seek(start)
            lines = handle.read().splitlines(keepends=True)
    except OSError:
        return ""
    # Begun in the middle, the first line is most likely a torn one.
    parsed = [parse_line(line) for line in (lines[1:] if start else lines)]
    content = b"".join(line.text for line in parsed[-MAX_LOG_LINES:] if line is not None)
    return content[-MAX_LOG_BYTES:].decode(errors="replace")

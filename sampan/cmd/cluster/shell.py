"""Running the machine's own tools (`ip`, `nft`, `nsenter`, `ctr`), each failure an error a person can act on."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class ClusterError(Exception):
    """What stops `sampan up` or `down`: one sentence that says what is wrong and what to do."""


def run(argv: Sequence[str], *, input_text: str | None = None, timeout_seconds: float = 60.0) -> str:
    """The tool's output. Raises ClusterError with the tool's own words when it is missing or fails."""
    result = attempt(argv, input_text=input_text, timeout_seconds=timeout_seconds)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise ClusterError(f"`{' '.join(argv)}` failed: {'; '.join(said[-3:]) or f'exit code {result.returncode}'}")
    return result.stdout


def attempt(
    argv: Sequence[str], *, input_text: str | None = None, timeout_seconds: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """The finished process, whatever its exit code. Raises ClusterError when it cannot start or does not end."""
    try:
        return subprocess.run(
            argv,
            input=input_text,
            stdin=subprocess.DEVNULL if input_text is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError:
        raise ClusterError(f"{argv[0]} is not installed: run `make up`, which installs what is missing") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"`{' '.join(argv)}` did not end within {timeout_seconds:.0f} s") from None

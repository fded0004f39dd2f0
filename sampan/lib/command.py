"""Running one of the machine's own tools (`ip`, `nft`, `conntrack`) without holding up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class CommandError(Exception):
    """The tool is missing, failed, or did not end; the message is what it said."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """Its exit code; None where it had none."""


async def run_command(arguments: Sequence[str], text: str = "", *, deadline_seconds: float) -> str:
    """Its output, `text` being its input. It is not left running when the caller gives up. Raises CommandError."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        # Without input there is no pipe for it: uvloop fails to close one whose process has ended already.
        process = await asyncio.create_subprocess_exec(
            *arguments, stdin=pipe if text else nothing, stdout=pipe, stderr=pipe
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CommandError(f"{arguments[0]} is not installed") from error
    except OSError as error:
        raise CommandError(f"{arguments[0]} cannot be started: {error}") from error
    try:
        async with asyncio.timeout(deadline_seconds):
            output, errors = await process.communicate(text.encode() if text else None)
    except TimeoutError as error:
        raise CommandError(f"{arguments[0]} did not finish within {deadline_seconds:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = errors.decode(errors="replace").strip() or f"{arguments[0]} failed with exit code {process.returncode}"
        raise CommandError(said, process.returncode)
    return output.decode(errors="replace")

"""Tools of the machine: their output, their failures, and that none outlives whoever waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sampan.lib.command import CommandError, run_command
from tests.unit.fakeapi import run, until


def test_input_goes_in_and_output_comes_out() -> None:
    async def scenario() -> None:
        assert await run_command(["cat"], "words\n", deadline_seconds=5) == "words\n"
        assert await run_command(["cat"], deadline_seconds=5) == ""
        for _ in range(20):
            assert await run_command(["true"], deadline_seconds=5) == ""

    run(scenario())


@pytest.mark.parametrize(
    ("script", "message", "code"),
    [("echo no >&2; exit 3", "no", 3), ("exit 1", "sh failed with exit code 1", 1), ("sleep 60", "sh did not finish", None)],
)
def test_a_failure_says_what_the_tool_said(script: str, message: str, code: int | None) -> None:
    async def scenario() -> None:
        with pytest.raises(CommandError, match=message) as caught:
            await run_command(["sh", "-c", script], deadline_seconds=0.5)
        assert caught.value.code == code

    run(scenario())


def test_a_tool_that_is_not_there_is_named() -> None:
    async def scenario() -> None:
        with pytest.raises(CommandError, match="no-such-tool is not installed"):
            await run_command(["no-such-tool"], deadline_seconds=5)

    run(scenario())


def test_a_caller_that_is_cancelled_takes_the_tool_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        noted = tmp_path / "pid"
        task = asyncio.ensure_future(run_command(["sh", "-c", f"echo $$ > {noted}; exec sleep 60"], deadline_seconds=60))
        await until(lambda: noted.exists() and noted.read_text().strip())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # Cancelled while it was being started, it is killed by the loop, which reaps it a moment later.
        await until(lambda: not Path(f"/proc/{int(noted.read_text())}").exists())

    run(scenario())

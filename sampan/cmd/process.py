"""What every component's process does alike: its log, its event loop, ending on a signal, reading its files."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import uvloop

from sampan.client.config import ClientConfig
from sampan.cmd.cluster.shell import ClusterError
from sampan.lib.log import configure, get_logger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags every component has."""
    parser.add_argument(
        "--log-level", default="info", choices=("debug", "info", "warning", "error"), help="least level logged (%(default)s)"
    )
    parser.add_argument("--log-json", action="store_true", help="log lines as JSON")


def add_client_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", required=True, metavar="FILE", help="how to reach the API server, and as whom")


def serve(
    component: str,
    arguments: argparse.Namespace,
    work: Callable[[], Awaitable[None]],
) -> int:
    """Run `work` until it ends or SIGTERM or SIGINT asks it to; then it is cancelled and may clean up. The exit code."""
    configure(arguments.log_level, json=arguments.log_json)
    log = get_logger(component)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_until_signal(work))
    except ClusterError:
        raise
    except Exception:
        # The process's own boundary: what ends a component is logged once, whole, and the supervisor starts it again.
        log.exception("ended by an error")
        return 1


async def _until_signal(work: Callable[[], Awaitable[None]]) -> int:
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
    return 0


def settle() -> None:
    """Once started: what exists now stays, so the collector need never look at it again."""
    gc.collect()
    gc.freeze()


def read_file(path: str, flag: str) -> bytes:
    """A file a flag names; b"" where the flag is empty. Raises ClusterError in a sentence."""
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ClusterError(f"{flag} {path} cannot be read: {error.strerror}") from None


def client_config(arguments: argparse.Namespace, component: str) -> ClientConfig:
    """From --kubeconfig; `component` is upstream's name, by which managedFields tell who wrote what. Raises ClusterError."""

    from sampan import GIT_VERSION
    from sampan.client.kubeconfig import load

    try:
        return replace(load(arguments.kubeconfig), user_agent=f"{component}/{GIT_VERSION}")
    except (OSError, ValueError) as error:
        raise ClusterError(f"--kubeconfig {arguments.kubeconfig} cannot be used: {error}") from None

"""An event loop in a thread of its own, for code that is not asynchronous itself."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

Main = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]
"""What runs until it is cancelled; it calls its argument when it is ready for work."""


class Background:
    """Runs `main` from `start` to `stop`. Nothing of it is left after `stop`: no thread, no task, no loop."""

    def __init__(self, main: Main, name: str) -> None:
        self._main = main
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.failure: BaseException | None = None
        """What ended `main` before it was asked to end."""

    @property
    def used(self) -> bool:
        return self._thread.ident is not None

    @property
    def running(self) -> bool:
        return self._loop is not None and self.failure is None and not self._stopping

    def start(self, deadline_seconds: float) -> None:
        """Returns when `main` is ready or has failed. Raises TimeoutError."""
        self._thread.start()
        if not self._settled.wait(deadline_seconds):
            raise TimeoutError(f"{self._thread.name} did not start within {deadline_seconds:g} s")

    def stop(self, deadline_seconds: float) -> None:
        """Ends `main`, waiting for it; fine at any time, also before `start` and twice. Raises TimeoutError."""
        with self._lock:
            self._stopping = True
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread.ident is None:
            return
        self._thread.join(deadline_seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._thread.name} did not end within {deadline_seconds:g} s")

    def run(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        """The result of a coroutine on the loop. Raises TimeoutError, RuntimeError where the loop has ended."""
        with self._lock:
            if self._loop is None or not self.running:
                work.close()
                raise RuntimeError(f"{self._thread.name} is not running")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except concurrent.futures.CancelledError:
            raise RuntimeError(f"{self._thread.name} ended meanwhile") from self.failure
        except BaseException:
            # A deadline or Ctrl-C: nobody waits for it any more.
            future.cancel()
            raise

    def _run(self) -> None:
        try:
            uvloop.run(self._serve())
        except BaseException as error:
            if not self._stopping:
                self.failure = error
        finally:
            self._settled.set()

    async def _serve(self) -> None:
        with self._lock:
            if self._stopping:
                return
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        try:
            await self._main(self._settled.set)
        except BaseException as error:
            if not self._stopping:
                self.failure = error
            raise
        finally:
            with self._lock:
                self._loop = None

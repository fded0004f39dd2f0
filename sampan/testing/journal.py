"""Where the log of a cluster inside a process goes: to the standard library's `logging`, warnings and worse.

So pytest shows it with the test that failed, and stays silent about the others. A process that configured structlog itself
keeps its configuration; one that did not gets the default back with the end of its last cluster.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_FACTORY = structlog.stdlib.LoggerFactory()
_lock = threading.Lock()
_open = 0


@contextmanager
def journal() -> Iterator[None]:
    """For as long as a cluster runs."""
    global _open
    with _lock:
        _open += 1
        if not structlog.is_configured():
            _configure()
    try:
        yield
    finally:
        with _lock:
            _open -= 1
            if not _open and structlog.get_config()["logger_factory"] is _FACTORY:
                structlog.reset_defaults()


def _configure() -> None:
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["component", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=_FACTORY,
        # What is cached would outlive this configuration.
        cache_logger_on_first_use=False,
    )

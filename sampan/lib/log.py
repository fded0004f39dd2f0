"""Structured logs: a constant message and key-values, one line each on standard error.

log = get_logger("scheduler")
log.info("bound", pod="default/web-0", node="node-1")
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure(level: str = "info", *, json: bool = False) -> None:
    """Set up the process's log once, at its entry point; libraries and tests leave it alone."""
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.processors.LogfmtRenderer(
        key_order=["timestamp", "level", "component", "event"]
    )  # fmt: skip
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_logger(component: str, **bound: Any) -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=component, **bound)
    return logger

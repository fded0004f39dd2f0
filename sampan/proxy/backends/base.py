"""What a backend is: something that makes the kernel follow the planned rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sampan.proxy.model import PortRules


class BackendError(Exception):
    """The kernel or its tool refused the rules; what was in force stays in force."""


class Backend(Protocol):
    async def sync(self, rules: Mapping[str, PortRules]) -> None:
        """Make exactly these rules hold, in one atomic step. Raises BackendError and changes nothing on failure."""
        ...

    async def cleanup(self) -> None:
        """Remove everything the backend put into the kernel."""
        ...

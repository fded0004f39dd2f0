"""Which kinds have hooks of their own."""

from __future__ import annotations

from sampan.apiserver.context import Context


def install_hooks(context: Context) -> None:
    return None

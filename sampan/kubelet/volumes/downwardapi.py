"""`downwardAPI` volumes."""

from __future__ import annotations

from pathlib import Path

from sampan.api.types.core_v1 import DownwardAPIVolumeSource

from .base import DEFAULT_MODE, VolumeContext
from .files import keep
from .payload import of_downward_api


async def set_up(ctx: VolumeContext, name: str, source: DownwardAPIVolumeSource) -> Path | None:
    mode = DEFAULT_MODE if source.defaultMode is None else source.defaultMode
    return keep(ctx, name, "downward-api", of_downward_api(ctx, source.items, mode), in_memory=True)

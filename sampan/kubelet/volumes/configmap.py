"""`configMap` volumes."""

from __future__ import annotations

from pathlib import Path

from sampan.api.types.core_v1 import ConfigMapVolumeSource

from .base import DEFAULT_MODE, VolumeContext
from .files import keep
from .payload import of_config_map


async def set_up(ctx: VolumeContext, name: str, source: ConfigMapVolumeSource) -> Path | None:
    mode = DEFAULT_MODE if source.defaultMode is None else source.defaultMode
    payload = await of_config_map(ctx, source.name, source.items, mode, optional=bool(source.optional))
    return keep(ctx, name, "configmap", payload, in_memory=False)

"""`secret` volumes, in memory."""

from __future__ import annotations

from pathlib import Path

from sampan.api.types.core_v1 import SecretVolumeSource

from .base import DEFAULT_MODE, VolumeContext
from .files import keep
from .payload import of_secret


async def set_up(ctx: VolumeContext, name: str, source: SecretVolumeSource) -> Path | None:
    mode = DEFAULT_MODE if source.defaultMode is None else source.defaultMode
    payload = await of_secret(ctx, source.secretName, source.items, mode, optional=bool(source.optional))
    return keep(ctx, name, "secret", payload, in_memory=True)

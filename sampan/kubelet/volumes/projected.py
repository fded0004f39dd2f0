"""`projected` volumes: several sources in one directory, among them the service account's token. In memory."""

from __future__ import annotations

from pathlib import Path

from sampan.api.types.core_v1 import ProjectedVolumeSource, VolumeProjection

from .atomic import File
from .base import DEFAULT_MODE, VolumeContext, VolumeError
from .files import keep
from .payload import Payload, of_config_map, of_downward_api, of_secret

TOKEN_SECONDS = 3600


async def set_up(ctx: VolumeContext, name: str, source: ProjectedVolumeSource) -> Path | None:
    mode = DEFAULT_MODE if source.defaultMode is None else source.defaultMode
    payload: Payload = {}
    for projection in source.sources:
        payload.update(await _payload(ctx, projection, mode))
    return keep(ctx, name, "projected", payload, in_memory=True)


async def _payload(ctx: VolumeContext, projection: VolumeProjection, mode: int) -> Payload:
    if projection.configMap is not None:
        of = projection.configMap
        return await of_config_map(ctx, of.name, of.items, mode, optional=bool(of.optional))
    if projection.secret is not None:
        secret = projection.secret
        return await of_secret(ctx, secret.name, secret.items, mode, optional=bool(secret.optional))
    if projection.downwardAPI is not None:
        return of_downward_api(ctx, projection.downwardAPI.items, mode)
    if projection.serviceAccountToken is not None:
        token = projection.serviceAccountToken
        text = await ctx.token(token.audience, token.expirationSeconds or TOKEN_SECONDS)
        # Where it is known who reads the token, nobody else may.
        private = ctx.fs_group is not None or ctx.fs_user is not None
        return {token.path: File(text.encode(), 0o600 if private else mode, ctx.fs_user)}
    raise VolumeError("clusterTrustBundle projections are not supported on this node")

"""What a ConfigMap, a Secret or the downward API puts into files: relative path → file. Pure but for the lookups."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from sampan.api.types.core_v1 import ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret

from ..env import NotFoundError
from ..fieldref import FieldRefError, field_value, resource_value
from .atomic import File
from .base import VolumeContext, VolumeError

Payload = dict[str, File]


async def of_config_map(
    ctx: VolumeContext, name: str, items: Sequence[KeyToPath], mode: int, *, optional: bool
) -> Payload:  # fmt: skip
    try:
        found = await ctx.config_map(ctx.pod.metadata.namespace, name)
    except NotFoundError:
        if not optional:
            raise
        found = ConfigMap()
    data = {key: value.encode() for key, value in found.data.items()}
    data.update({key: base64.b64decode(value) for key, value in found.binaryData.items()})
    return _select(data, items, mode, optional=optional, kind="config")


async def of_secret(ctx: VolumeContext, name: str, items: Sequence[KeyToPath], mode: int, *, optional: bool) -> Payload:
    try:
        found = await ctx.secret(ctx.pod.metadata.namespace, name)
    except NotFoundError:
        if not optional:
            raise
        found = Secret()
    data = {key: base64.b64decode(value) for key, value in found.data.items()}
    return _select(data, items, mode, optional=optional, kind="secret")


def _select(data: Mapping[str, bytes], items: Sequence[KeyToPath], mode: int, *, optional: bool, kind: str) -> Payload:
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    made: Payload = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            raise VolumeError(f"references non-existent {kind} key: {item.key}")
        made[item.path] = File(data[item.key], mode if item.mode is None else item.mode)
    return made


def of_downward_api(ctx: VolumeContext, items: Sequence[DownwardAPIVolumeFile], mode: int) -> Payload:
    made: Payload = {}
    for item in items:
        try:
            if item.fieldRef is not None:
                text = field_value(item.fieldRef, ctx.pod, ctx.ips, ctx.host_ip)
            elif item.resourceFieldRef is not None:
                text = resource_value(item.resourceFieldRef, ctx.pod, None, ctx.allocatable)
            else:
                continue
        except FieldRefError as error:
            raise VolumeError(str(error)) from None
        made[item.path] = File(text.encode(), mode if item.mode is None else item.mode)
    return made

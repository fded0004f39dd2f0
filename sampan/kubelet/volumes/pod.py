"""All volumes of a pod: set up before its containers start, refreshed while they run, torn down after they ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from sampan.api.types.core_v1 import Pod, Volume

from ..env import ConfigError
from . import configmap, downwardapi, emptydir, hostpath, mounts, projected, secret
from .base import VolumeContext, VolumeError

_KINDS = {
    "emptyDir": emptydir.set_up,
    "hostPath": hostpath.set_up,
    "configMap": configmap.set_up,
    "secret": secret.set_up,
    "downwardAPI": downwardapi.set_up,
    "projected": projected.set_up,
}


class MountFailure(Exception):
    """Volumes that could not be set up: name → why."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in reasons.items()))
        self.reasons = reasons


def used(pod: Pod) -> Iterator[Volume]:
    """Volumes that some container mounts; others are never set up."""
    containers = (*pod.spec.initContainers, *pod.spec.containers)
    names = {mount.name for c in containers for mount in c.volumeMounts}
    names.update(mount.name for c in pod.spec.ephemeralContainers for mount in c.volumeMounts)
    return (volume for volume in pod.spec.volumes if volume.name in names)


def refreshes(pod: Pod) -> bool:
    """Whether what the volumes hold may change while the pod runs."""
    return any(v.configMap or v.secret or v.projected or v.downwardAPI for v in used(pod))


async def set_up(ctx: VolumeContext) -> dict[str, Path]:
    """Volume name → its path on the node. Raises MountFailure naming every volume that failed."""
    paths: dict[str, Path] = {}
    failed: dict[str, str] = {}
    for volume in used(ctx.pod):
        try:
            path = await _set_up(ctx, volume)
        except (VolumeError, ConfigError) as error:
            failed[volume.name] = str(error)
        except OSError as error:
            failed[volume.name] = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
        else:
            if path is not None:
                paths[volume.name] = path
    if failed:
        raise MountFailure(failed)
    return paths


async def _set_up(ctx: VolumeContext, volume: Volume) -> Path | None:
    for field, set_up_kind in _KINDS.items():
        source = getattr(volume, field)
        if source is not None:
            return await set_up_kind(ctx, volume.name, source)  # type: ignore[operator,no-any-return]
    raise VolumeError("no volume plugin matched")


def tear_down(directory: Path) -> None:
    """Remove a pod's directory with all its volumes. Blocking: an emptyDir may be large."""
    mounts.unmount_below(directory)
    if mounts.mounted_below(directory):
        # Deleting through a mount that would not go could delete what is not the pod's.
        raise OSError(f"{directory} still has mounts")
    shutil.rmtree(directory, ignore_errors=True)

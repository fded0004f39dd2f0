"""After the agent's restart: what runs and still has a pod is taken up as it is; what lost its pod is ended and removed.

Taking up needs no code of its own, for a pod's worker reads the runtime before it plans; see `worker.py`. Here is the rest:
sandboxes, directories, logs and cgroups of pods that went away while nobody looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path

from sampan.api.types.core_v1 import Pod, PodSpec
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.lib.log import get_logger

from . import labels
from .lifecycle import Node
from .runtime.base import RuntimeFailure, SandboxStatus
from .volumes import pod as pod_volumes

log = get_logger("kubelet")


async def orphans(node: Node, known: Collection[str]) -> list[Pod]:
    """A stand-in for each pod that the runtime has something of and the API has not. Raises RuntimeFailure."""
    newest: dict[str, SandboxStatus] = {}
    for sandbox in await node.runtime.list_sandboxes():
        if sandbox.uid not in known:
            newest[sandbox.uid] = sandbox
    return [await _stand_in(node, sandbox) for sandbox in newest.values()]


async def _stand_in(node: Node, sandbox: SandboxStatus) -> Pod:
    grace = 30
    for container in await node.runtime.list_containers(sandbox.uid):
        text = (await _annotations(node, container.id)).get(labels.POD_GRACE, "")
        grace = int(text) if text.isdigit() else grace
    meta = ObjectMeta(name=sandbox.name, namespace=sandbox.namespace, uid=sandbox.uid)
    return Pod(metadata=meta, spec=PodSpec(terminationGracePeriodSeconds=grace))


async def _annotations(node: Node, container_id: str) -> Mapping[str, str]:
    try:
        return (await node.runtime.container_status(container_id)).annotations
    except RuntimeFailure as failure:
        if failure.code != "NotFound":
            raise
        return {}  # it went meanwhile, which is no reason to look for none of the others


async def sweep(node: Node, known: Collection[str]) -> None:
    """Remove what pods that are no more left on disk and among the cgroups."""
    if node.cgroups is not None:
        root = node.config.cgroup_root.rstrip("/")
        for uid in node.cgroups.pods_below(node.config.cgroup_root) - set(known):
            for middle in ("", "/burstable", "/besteffort"):
                node.cgroups.remove(f"{root}/kubepods{middle}/pod{uid}")
    for path in _left(node.config.pods_dir, known) + _left(node.config.logs_dir, known):
        log.info("removing what a former pod left", path=str(path))
        try:
            await asyncio.to_thread(pod_volumes.tear_down, path)
        except OSError as error:
            log.warning("not removed", path=str(path), error=str(error))


def _left(directory: Path | None, known: Collection[str]) -> list[Path]:
    """Entries whose name, or the part of it after the last underscore, is the uid of no known pod."""
    if directory is None or not directory.is_dir():
        return []
    return [entry for entry in directory.iterdir() if entry.name.rpartition("_")[2] not in known]

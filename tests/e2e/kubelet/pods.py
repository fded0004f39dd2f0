"""Pods for the tests of the agent on a real containerd, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.api.types.core_v1 import Container, Pod, PodSpec
from sampan.kubelet.logs import LogOptions
from sampan.kubelet.streams import RuntimeStreams

from .conftest import Play, RealNode
from .testbed import BUSYBOX

Real = Callable[[Play], None]
FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


def shell(script: str, name: str = "c", **fields: Any) -> Container:
    return Container(name=name, image=BUSYBOX, command=["sh", "-c", script], **fields)


def ready(pod: Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)


def waiting(pod: Pod) -> str:
    """Why the first container waits: "Reason: message"."""
    state = pod.status.containerStatuses[0].state if pod.status.containerStatuses else None
    return f"{state.waiting.reason}: {state.waiting.message}" if state and state.waiting else ""


async def log_of(world: RealNode, name: str, container: str = "c", **options: Any) -> str:
    agent = world.agents["node-1"]
    streams = RuntimeStreams(agent, agent.runtime, world.clock)
    previous = options.pop("previous", False)
    pieces = await streams.logs("default", name, container, previous=previous, options=LogOptions(**options))
    return b"".join([piece async for piece in pieces]).decode()


async def output(world: RealNode, name: str, spec: PodSpec) -> list[str]:
    """Lines that a pod of one run prints."""
    spec.restartPolicy = "Never"
    await world.pod(name, spec)
    pod = await world.when(name, lambda p: p.status.phase in ("Succeeded", "Failed"))
    text = await log_of(world, name)
    assert pod.status.phase == "Succeeded", text
    return text.splitlines()

"""The Node object and its status, from what the machine is and how it fares. Pure.

After k8s.io/kubernetes/pkg/kubelet/nodestatus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sampan import GIT_VERSION
from sampan.api import quantity
from sampan.api.types.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.lib.clock import rfc3339

from .config import AgentConfig
from .machine import Machine, Pressure
from .runtime.base import ImageRef, RuntimeCondition, RuntimeVersion

MAX_IMAGES = 50
MAX_IMAGE_NAMES = 5
EVICTION_MEMORY_BYTES = 100 * 1024 * 1024
"""Upstream's default hard eviction threshold memory.available<100Mi."""
EVICTION_DISK_RATIO = 0.10
EVICTION_INODES_RATIO = 0.05
EVICTION_PIDS = 1000


def default_labels(node_name: str, architecture: str) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": node_name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": architecture,
    }


def capacity(config: AgentConfig, machine: Machine) -> dict[str, str]:
    found = {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{machine.disk_bytes // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "pods": str(config.max_pods),
    }
    return {**found, **config.capacity}


def allocatable(config: AgentConfig, machine: Machine) -> dict[str, str]:
    """Capacity without what is reserved and without what must stay free lest pods be evicted."""
    made = capacity(config, machine)
    for name, text in config.reserved.items():
        made[name] = str(quantity.parse(made.get(name, "0")) - quantity.parse(text))
    if "memory" not in config.capacity:
        made["memory"] = str(quantity.parse(made["memory"]) - quantity.parse("100Mi"))
    if "ephemeral-storage" not in config.capacity:
        # Upstream prints bytes here, for a tenth is no round number of KiB.
        made["ephemeral-storage"] = str(quantity.value(made["ephemeral-storage"]) * 9 // 10)
    return made


def new_node(config: AgentConfig, machine: Machine) -> Node:
    return Node(
        metadata=ObjectMeta(
            name=config.node_name,
            labels={**default_labels(config.node_name, machine.architecture), **config.labels},
            annotations={"volumes.kubernetes.io/controller-managed-attach-detach": "true", **config.annotations},
        ),
        spec=NodeSpec(taints=list(config.taints), providerID=config.provider_id),
    )


def node_status(
    config: AgentConfig,
    machine: Machine,
    old: NodeStatus,
    *,
    version: RuntimeVersion | None,
    runtime: Sequence[RuntimeCondition] | str,
    pressure: Pressure,
    images: Sequence[ImageRef],
    now: float,
) -> NodeStatus:
    """`runtime`: its conditions, or why they are not known. Fields that are others' (attached volumes) are kept."""
    made: NodeStatus = msgspec.structs.replace(
        old,
        capacity={**_foreign(old.capacity), **capacity(config, machine)},
        allocatable={**_foreign(old.allocatable), **allocatable(config, machine)},
        addresses=[
            NodeAddress(type="InternalIP", address=config.node_ip),
            NodeAddress(type="Hostname", address=config.node_name),
        ],
        daemonEndpoints=NodeDaemonEndpoints(kubeletEndpoint=DaemonEndpoint(Port=config.port)),
        nodeInfo=NodeSystemInfo(
            architecture=machine.architecture,
            bootID=machine.boot_id,
            containerRuntimeVersion=str(version) if version else (old.nodeInfo.containerRuntimeVersion if old.nodeInfo else ""),
            kernelVersion=machine.kernel,
            kubeletVersion=GIT_VERSION,
            machineID=machine.machine_id,
            operatingSystem="linux",
            osImage=machine.os_image,
            systemUUID=machine.system_uuid,
        ),
        images=_images(images),
    )
    made.conditions = _conditions(old.conditions, _present(pressure, runtime), now)
    return made


def _foreign(amounts: Mapping[str, str]) -> dict[str, str]:
    """Extended resources, which others wrote."""
    return {k: v for k, v in amounts.items() if "/" in k}


def _images(images: Sequence[ImageRef]) -> list[ContainerImage]:
    largest = sorted(images, key=lambda i: -i.size_bytes)[:MAX_IMAGES]
    return [ContainerImage(names=[*i.digests, *i.tags][:MAX_IMAGE_NAMES], sizeBytes=i.size_bytes) for i in largest]


def _present(pressure: Pressure, runtime: Sequence[RuntimeCondition] | str) -> list[NodeCondition]:
    memory = pressure.memory_available_bytes < EVICTION_MEMORY_BYTES
    disk = pressure.disk_free_ratio < EVICTION_DISK_RATIO or pressure.inodes_free_ratio < EVICTION_INODES_RATIO
    pids = pressure.pids_free < EVICTION_PIDS
    return [
        _pressure("MemoryPressure", memory, "Memory", "memory available"),
        _pressure("DiskPressure", disk, "Disk", "disk pressure"),
        _pressure("PIDPressure", pids, "PID", "PID available"),
        _ready(runtime),
    ]


def _pressure(type_: str, holds: bool, what: str, words: str) -> NodeCondition:
    reason = {"Memory": "InsufficientMemory", "Disk": "DiskPressure", "PID": "InsufficientPID"}[what]
    if holds:
        text = "kubelet has disk pressure" if what == "Disk" else f"kubelet has insufficient {words}"
        return NodeCondition(type=type_, status="True", reason=f"KubeletHas{reason}", message=text)
    reason = {"Memory": "SufficientMemory", "Disk": "NoDiskPressure", "PID": "SufficientPID"}[what]
    text = "kubelet has no disk pressure" if what == "Disk" else f"kubelet has sufficient {words}"
    return NodeCondition(type=type_, status="False", reason=f"KubeletHas{reason}", message=text)


def _ready(runtime: Sequence[RuntimeCondition] | str) -> NodeCondition:
    problems = [runtime] if isinstance(runtime, str) else _problems(runtime)
    if not problems:
        return NodeCondition(
            type="Ready", status="True", reason="KubeletReady", message="kubelet is posting ready status"
        )  # fmt: skip
    message = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
    return NodeCondition(type="Ready", status="False", reason="KubeletNotReady", message=message)


def _problems(conditions: Sequence[RuntimeCondition]) -> list[str]:
    names = {"RuntimeReady": "container runtime not ready", "NetworkReady": "container runtime network not ready"}
    return [
        f"{names[c.type]}: {c.type}=false reason:{c.reason} message:{c.message}"
        for c in conditions
        if c.type in names and not c.status
    ]


def network_problem(conditions: Sequence[RuntimeCondition]) -> str:
    return next((text for text in _problems([c for c in conditions if c.type == "NetworkReady"])), "")


def _conditions(old: Sequence[NodeCondition], present: Sequence[NodeCondition], now: float) -> list[NodeCondition]:
    before = {c.type: c for c in old}
    stamp = rfc3339(now)
    for condition in present:
        past = before.get(condition.type)
        condition.lastHeartbeatTime = stamp
        condition.lastTransitionTime = past.lastTransitionTime if past and past.status == condition.status else stamp
    types = {c.type for c in present}
    return [c for c in old if c.type not in types] + list(present)


def same_but_heartbeats(a: NodeStatus, b: NodeStatus) -> bool:
    return _without_heartbeats(a) == _without_heartbeats(b)


def _without_heartbeats(status: NodeStatus) -> NodeStatus:
    conditions = [msgspec.structs.replace(c, lastHeartbeatTime="") for c in status.conditions]
    made: NodeStatus = msgspec.structs.replace(status, conditions=conditions)
    return made

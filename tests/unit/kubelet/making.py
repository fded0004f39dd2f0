"""Pods and what a runtime holds of them, for tables."""

from __future__ import annotations

from typing import Any

from sampan.api.types.core_v1 import Container, Pod, PodSpec
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.kubelet import labels
from sampan.kubelet.podstate import ContainerState, PodState
from sampan.kubelet.runtime.base import ContainerStatus, SandboxStatus, State

NOW = 1_700_000_000.0


def container(name: str = "c", **fields: Any) -> Container:
    return Container(name=name, image=fields.pop("image", "app:1"), **fields)


def pod(*names: str, init: list[Container] | None = None, **spec: Any) -> Pod:
    containers = spec.pop("containers", None) or [container(n) for n in (names or ("c",))]
    meta = ObjectMeta(name="web", namespace="default", uid="u1", labels={"app": "web"}, annotations={"note": 'a "b"'})
    spec.setdefault("restartPolicy", "Always")
    return Pod(metadata=meta, spec=PodSpec(containers=containers, initContainers=init or [], **spec))


def sandbox(identity: str = "s1", *, attempt: int = 0, ready: bool = True, ip: str = "10.244.0.2") -> SandboxStatus:
    return SandboxStatus(
        id=identity,
        name="web",
        namespace="default",
        uid="u1",
        attempt=attempt,
        ready=ready,
        created=NOW + attempt,
        ips=(ip,) if ip else (),
    )


def held(
    name: str = "c",
    state: State = State.RUNNING,
    *,
    identity: str = "",
    exit_code: int = 0,
    sandbox_id: str = "s1",
    restarts: int = 0,
    image: str = "app:1",
    reason: str = "",
    finished: float = NOW + 2,
) -> ContainerState:
    """A container the runtime holds; its id is its name and restart count unless given."""
    spec = container(name, image=image)
    annotations = {labels.HASH: labels.container_hash(spec), labels.RESTART_COUNT: str(restarts)}
    status = ContainerStatus(
        id=identity or f"{name}-{restarts}",
        name=name,
        attempt=restarts,
        state=state,
        created=NOW + restarts,
        started=NOW + 1,
        finished=finished if state is State.EXITED else 0.0,
        exit_code=exit_code,
        image=image,
        image_ref="sha256:1",
        reason=reason,
        annotations=annotations,
    )
    return ContainerState(status, sandbox_id)


def holding(*containers: ContainerState, sandboxes: tuple[SandboxStatus, ...] | None = None) -> PodState:
    return PodState((sandbox(),) if sandboxes is None else sandboxes, containers)

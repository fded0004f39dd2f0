"""Short ways to make the objects that the rows of tables need."""

from __future__ import annotations

from typing import Any

from sampan.api.types.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdateDeployment,
)
from sampan.api.types.core_v1 import Pod, PodCondition, PodSpec, PodStatus, PodTemplateSpec
from sampan.api.types.meta_v1 import LabelSelector, ObjectMeta
from sampan.lib.clock import rfc3339

NOW = 1_700_000_000.0


def pod(
    name: str = "p",
    *,
    node: str = "",
    phase: str = "Running",
    ready: bool | None = None,
    ready_for: float = 0.0,
    age: float = 0.0,
    ip: str = "",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    deleting: bool = False,
    **spec: Any,
) -> Pod:
    conditions = []
    if ready is not None:
        stamp = rfc3339(NOW - ready_for)
        conditions = [PodCondition(type="Ready", status="True" if ready else "False", lastTransitionTime=stamp)]
    meta = ObjectMeta(
        name=name, namespace="default", uid=name, labels=labels or {}, annotations=annotations or {},
        creationTimestamp=rfc3339(NOW - age), deletionTimestamp=rfc3339(NOW) if deleting else "",
    )  # fmt: skip
    return Pod(
        metadata=meta, spec=PodSpec(nodeName=node, **spec), status=PodStatus(phase=phase, conditions=conditions, podIP=ip)
    )


def replica_set(
    name: str,
    replicas: int,
    *,
    available: int | None = None,
    current: int | None = None,
    revision: int = 0,
    annotations: dict[str, str] | None = None,
    age: float = 0.0,
    template: PodTemplateSpec | None = None,
) -> ReplicaSet:
    notes = {**({"deployment.kubernetes.io/revision": str(revision)} if revision else {}), **(annotations or {})}
    current = replicas if current is None else current
    return ReplicaSet(
        metadata=ObjectMeta(
            name=name, namespace="default", uid=name, annotations=notes, creationTimestamp=rfc3339(NOW - age)
        ),
        spec=ReplicaSetSpec(replicas=replicas, template=template or PodTemplateSpec()),
        status=ReplicaSetStatus(replicas=current, availableReplicas=current if available is None else available),
    )  # fmt: skip


def deployment(
    replicas: int, surge: int | str = "25%", unavailable: int | str = "25%", *, recreate: bool = False, **spec: Any
) -> Deployment:
    rolling = RollingUpdateDeployment(maxSurge=surge, maxUnavailable=unavailable)
    strategy = (
        DeploymentStrategy(type="Recreate") if recreate else DeploymentStrategy(type="RollingUpdate", rollingUpdate=rolling)
    )
    return Deployment(
        metadata=ObjectMeta(name="web", namespace="default", uid="web", generation=1),
        spec=DeploymentSpec(
            replicas=replicas, strategy=strategy, selector=LabelSelector(matchLabels={"app": "web"}),
            **{"template": PodTemplateSpec(metadata=ObjectMeta(labels={"app": "web"})), **spec},
        ),
    )  # fmt: skip

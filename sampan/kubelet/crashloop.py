"""CrashLoopBackOff: a container that ended waits before its next life, 10 s at first, doubling to 5 min."""

from __future__ import annotations

from collections.abc import MutableMapping

from sampan.api.types.core_v1 import Pod

from . import labels
from .backoff import Backoff, go_duration
from .containerstatus import Reason
from .lifecycle import Node, field_path
from .podstate import PodState

NOT_STARTED = frozenset(
    {
        "InvalidImageName",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "ImageInspectError",
        "CreateContainerConfigError",
        "CreateContainerError",
    }
)
"""Reasons for which a container never had a process that could crash."""


def wait_before_restart(
    node: Node,
    backoff: Backoff,
    pod: Pod,
    container: labels.AnyContainer,
    state: PodState,
    reasons: MutableMapping[str, Reason],
) -> float:
    """Seconds the container still has to wait; 0 lets it start and counts the failure. Sets its reason, tells an event."""
    last = state.latest(container.name)
    if last is None or not last.exited:
        return 0.0
    before = reasons.get(container.name)
    if before is not None and before.reason in NOT_STARTED:
        return 0.0
    key = f"{pod.metadata.uid}_{container.name}_{last.hash}"
    wait = backoff.remaining(key, last.status.finished)
    if wait <= 0:
        backoff.fail(key, last.status.finished)
        return 0.0
    name = labels.pod_name(pod)
    seconds = go_duration(backoff.seconds(key))
    reason = Reason("CrashLoopBackOff", f"back-off {seconds} restarting failed container={container.name} pod={name}")
    if before != reason:
        message = f"Back-off restarting failed container {container.name} in pod {name}"
        node.recorder.event(pod, "Warning", "BackOff", message, field_path=field_path(pod, container.name))
    reasons[container.name] = reason
    return wait

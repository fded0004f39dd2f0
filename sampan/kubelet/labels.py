"""What the agent writes on sandboxes and containers so that they can be found and understood again after its restart.

The names are upstream's, so that tools which read containers by them work here.
"""

from __future__ import annotations

import hashlib

import msgspec

from sampan.api.types.core_v1 import Container, EphemeralContainer, Pod

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
MESSAGE_FILE = "sampan.dev/termination-message-file"
"""Where on the host the container's termination message file is."""
PRE_STOP = "io.kubernetes.container.preStopHandler"
POD_GRACE = "io.kubernetes.pod.terminationGracePeriod"

AnyContainer = Container | EphemeralContainer


def sandbox_labels(pod: Pod) -> dict[str, str]:
    meta = pod.metadata
    return {**meta.labels, POD_NAME: meta.name, POD_NAMESPACE: meta.namespace, POD_UID: meta.uid}


def sandbox_annotations(pod: Pod) -> dict[str, str]:
    return dict(pod.metadata.annotations)


def container_labels(pod: Pod, container: AnyContainer) -> dict[str, str]:
    meta = pod.metadata
    return {
        POD_NAME: meta.name,
        POD_NAMESPACE: meta.namespace,
        POD_UID: meta.uid,
        CONTAINER_NAME: container.name,
    }


def container_annotations(pod: Pod, container: AnyContainer, restart_count: int, message_file: str) -> dict[str, str]:
    found = {
        HASH: container_hash(container),
        RESTART_COUNT: str(restart_count),
        MESSAGE_PATH: container.terminationMessagePath,
        MESSAGE_POLICY: container.terminationMessagePolicy,
        MESSAGE_FILE: message_file,
    }
    if container.lifecycle is not None and container.lifecycle.preStop is not None:
        found[PRE_STOP] = msgspec.json.encode(container.lifecycle.preStop).decode()
    if pod.spec.terminationGracePeriodSeconds is not None:
        found[POD_GRACE] = str(pod.spec.terminationGracePeriodSeconds)
    return found


def container_hash(container: AnyContainer) -> str:
    """Changes exactly when a running container must be replaced: of a container's fields only the image is mutable."""
    return hashlib.blake2b(f"{container.name}\0{container.image}".encode(), digest_size=4).hexdigest()


def pod_name(pod: Pod) -> str:
    """A pod as upstream's messages name it."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"

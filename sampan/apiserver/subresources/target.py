"""Which container of a pod a log or stream request means, and on which node it is. After upstream's registry/core/pod."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sampan.api.errors import bad_request
from sampan.apiserver.kubelet import KubeletClient, Tree
from sampan.apiserver.requestinfo import RequestInfo
from sampan.client.transport import Transport

GetPod = Callable[[str, str], Tree]
"""(namespace, name) → the pod's tree. Raises StatusError 404."""
GetNode = Callable[[str], Tree]


class Target(NamedTuple):
    pod: Tree
    namespace: str
    name: str
    container: str


class Nodes(NamedTuple):
    """What the pod subresources need of the rest of the server."""

    get_pod: GetPod
    get_node: GetNode
    kubelets: KubeletClient

    def target(self, info: RequestInfo, container: str) -> Target:
        """Raises StatusError: no such pod, no such container, or several to choose from."""
        pod = self.get_pod(info.namespace, info.name)
        return Target(pod, info.namespace, info.name, choose_container(pod, info.name, container))

    def kubelet_of(self, pod: Tree) -> Transport | None:
        """None while the pod is not scheduled."""
        node_name = (pod.get("spec") or {}).get("nodeName")
        return self.kubelets.of(self.get_node(node_name)) if node_name else None

    def kubelet_for_streams(self, pod: Tree, name: str) -> Transport:
        kubelet = self.kubelet_of(pod)
        if kubelet is None:
            raise bad_request(f"pod {name} does not have a host assigned")
        return kubelet


def choose_container(pod: Tree, name: str, wanted: str) -> str:
    spec = pod.get("spec") or {}
    names = [container["name"] for container in spec.get("containers") or ()]
    init = [container["name"] for container in spec.get("initContainers") or ()]
    ephemeral = [container["name"] for container in spec.get("ephemeralContainers") or ()]
    if wanted:
        if wanted not in (*names, *init, *ephemeral):
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) == 1:
        return str(names[0])
    message = f"a container name must be specified for pod {name}"
    if names:
        message += f", choose one of: [{' '.join(names)}]"
    if names and init:
        message += f" or one of the init containers: [{' '.join(init)}]"
    raise bad_request(message)

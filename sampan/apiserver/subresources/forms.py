"""The kinds of what is sent to subresources, as admission is told of them.

The options of connections are no objects that anybody stores, and the documents of Kubernetes define none of them.
"""

from __future__ import annotations

from typing import Final

from sampan.api.resource import Resource


def _form(kind: str, plural: str, definition: str = "", group: str = "", version: str = "v1") -> Resource:
    return Resource(group=group, version=version, kind=kind, plural=plural, definition=definition, verbs=("create",))


BINDING: Final = _form("Binding", "bindings", "io.k8s.api.core.v1.Binding")
EVICTION: Final = _form("Eviction", "evictions", "io.k8s.api.policy.v1.Eviction", "policy")

POD_EXEC: Final = _form("PodExecOptions", "podexecoptions")
POD_ATTACH: Final = _form("PodAttachOptions", "podattachoptions")
POD_PORT_FORWARD: Final = _form("PodPortForwardOptions", "podportforwardoptions")
POD_PROXY: Final = _form("PodProxyOptions", "podproxyoptions")
SERVICE_PROXY: Final = _form("ServiceProxyOptions", "serviceproxyoptions")
NODE_PROXY: Final = _form("NodeProxyOptions", "nodeproxyoptions")

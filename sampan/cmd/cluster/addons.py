"""What a new cluster gets from `up` before anything can use it: the nodes' extra rights and the Service of cluster DNS."""

from __future__ import annotations

from sampan.api.errors import NOT_FOUND, StatusError
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.api.types.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject
from sampan.client.codec import Object
from sampan.client.rest import Client
from sampan.cmd.cluster.plan import CLUSTER_DNS
from sampan.dns.endpoint import kube_dns_service

AGENT_ROLE = "sampan:node-agent"
READ = ["get", "list", "watch"]


def agent_role() -> ClusterRole:
    """An agent is kubelet, proxy, DNS and routes under one certificate, so nodes also read what the latter three need."""
    return ClusterRole(
        metadata=ObjectMeta(name=AGENT_ROLE),
        rules=[
            PolicyRule(apiGroups=[""], resources=["services", "endpoints", "nodes", "pods", "namespaces"], verbs=READ),
            PolicyRule(apiGroups=["discovery.k8s.io"], resources=["endpointslices"], verbs=[*READ, "create", "update"]),
            PolicyRule(apiGroups=["", "events.k8s.io"], resources=["events"], verbs=["create", "patch", "update"]),
        ],
    )


def agent_binding() -> ClusterRoleBinding:
    return ClusterRoleBinding(
        metadata=ObjectMeta(name=AGENT_ROLE),
        roleRef=RoleRef(apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name=AGENT_ROLE),
        subjects=[Subject(apiGroup="rbac.authorization.k8s.io", kind="Group", name="system:nodes")],
    )


async def ensure_rights(client: Client) -> None:
    await _ensure(client, agent_role())
    await _ensure(client, agent_binding())


async def ensure_dns(client: Client) -> None:
    await _ensure(client, kube_dns_service(CLUSTER_DNS))


async def _ensure(client: Client, obj: Object) -> None:
    """Create the object unless it is there. Looking first, as a Service's fixed address is taken by the one that is there,
    and the server would say that and not that the name exists."""
    try:
        await client.get(type(obj), obj.metadata.name, obj.metadata.namespace)
    except StatusError as error:
        if error.reason != NOT_FOUND:
            raise
        await client.create(obj)

"""A small operator: every Team gets a ConfigMap of its name that lists its members.

    kubectl apply -f examples/operator/team.yaml
    kopf run examples/operator/team_operator.py --all-namespaces

Team is a custom resource, defined in team.yaml. Changing its members changes the ConfigMap; deleting it takes that along.
"""

from __future__ import annotations

import os
from typing import Any

import kopf

from sampan.api.errors import ALREADY_EXISTS, StatusError
from sampan.api.types.core_v1 import ConfigMap
from sampan.api.types.meta_v1 import ObjectMeta, OwnerReference
from sampan.client.kubeconfig import load
from sampan.client.rest import Client
from sampan.client.transport import Transport


@kopf.on.login()
def login(**context: Any) -> kopf.ConnectionInfo | None:
    """By kopf's own reading of $KUBECONFIG or of the pod's service account. Where the official client is installed kopf would
    ask it, which looks at $KUBECONFIG only when it is imported: too early for a test that sets it."""
    return kopf.login_with_kubeconfig(**context) or kopf.login_with_service_account(**context)


@kopf.on.startup()
async def connect(memo: kopf.Memo, **_: Any) -> None:
    memo.transport = Transport(load(os.environ["KUBECONFIG"]))


@kopf.on.cleanup()
async def disconnect(memo: kopf.Memo, **_: Any) -> None:
    await memo.transport.close()


@kopf.on.create("example.com", "v1", "teams")
@kopf.on.resume("example.com", "v1", "teams")
@kopf.on.update("example.com", "v1", "teams", field="spec.members")
async def list_the_members(name: str, namespace: str, uid: str, spec: kopf.Spec, memo: kopf.Memo, **_: Any) -> None:
    client = Client(memo.transport)
    team = OwnerReference(apiVersion="example.com/v1", kind="Team", name=name, uid=uid, controller=True)
    meta = ObjectMeta(name=name, namespace=namespace, ownerReferences=[team])
    wanted = ConfigMap(metadata=meta, data={"members": ", ".join(spec["members"])})
    try:
        await client.create(wanted)
    except StatusError as error:
        if error.reason != ALREADY_EXISTS:
            raise
        await client.patch(ConfigMap, name, namespace, {"data": wanted.data})

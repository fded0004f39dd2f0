"""A small operator: every namespace that names a team gets a ConfigMap that says which.

    kopf run examples/operator/team_operator.py --all-namespaces

Labelled `example.com/team: boats`, a namespace gets a ConfigMap `team` with the key `name`; changing the label changes it.
"""

from __future__ import annotations

import os
from typing import Any

import kopf

from sampan.api.errors import ALREADY_EXISTS, StatusError
from sampan.api.types.core_v1 import ConfigMap
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.kubeconfig import load
from sampan.client.rest import Client
from sampan.client.transport import Transport

LABEL = "example.com/team"


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


@kopf.on.create("namespaces", labels={LABEL: kopf.PRESENT})
@kopf.on.resume("namespaces", labels={LABEL: kopf.PRESENT})
@kopf.on.field("namespaces", field=("metadata", "labels", LABEL), labels={LABEL: kopf.PRESENT})
async def name_the_team(name: str, labels: kopf.Labels, memo: kopf.Memo, **_: Any) -> None:
    client = Client(memo.transport)
    wanted = ConfigMap(metadata=ObjectMeta(name="team", namespace=name), data={"name": labels[LABEL]})
    try:
        await client.create(wanted)
    except StatusError as error:
        if error.reason != ALREADY_EXISTS:
            raise
        await client.patch(ConfigMap, "team", name, {"data": wanted.data})

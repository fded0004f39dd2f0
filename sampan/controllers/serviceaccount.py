"""Every namespace has a service account `default`, made anew when it is deleted.

After upstream's pkg/controller/serviceaccount/serviceaccounts_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.api.errors import ALREADY_EXISTS, StatusError
from sampan.api.types.core_v1 import Namespace, ServiceAccount
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers.runtime import Context, Controller, Key, Watch

NAME = "default"


async def reconcile(ctx: Context, key: Key) -> None:
    namespace = ctx.get(Namespace, key)
    if namespace is None or namespace.metadata.deletionTimestamp:
        return
    if ctx.get(ServiceAccount, Key(key.name, NAME)) is not None:
        return
    try:
        await ctx.create(ServiceAccount(metadata=ObjectMeta(name=NAME, namespace=key.name)))
    except StatusError as error:
        if error.reason != ALREADY_EXISTS:
            raise


def _namespace(ctx: Context, account: ServiceAccount) -> Iterable[Key]:
    return (Key("", account.metadata.namespace),)


CONTROLLER = Controller(
    "service-account-controller",
    for_=Namespace,
    watches=(Watch(ServiceAccount, _namespace),),
    fields={ServiceAccount: f"metadata.name={NAME}"},
    reconcile=reconcile,
)

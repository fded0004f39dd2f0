"""Every namespace has a ConfigMap `kube-root-ca.crt`, by which pods know the API server.

After upstream's pkg/controller/certificates/rootcacertpublisher.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from sampan.api.errors import ALREADY_EXISTS, StatusError
from sampan.api.types.core_v1 import ConfigMap, Namespace
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers.runtime import Context, Controller, Key, Watch

NAME = "kube-root-ca.crt"


def make_controller(ca_pem: bytes) -> Controller:
    """`ca_pem`: what goes into the ConfigMaps."""
    data = {"ca.crt": ca_pem.decode()}

    async def reconcile(ctx: Context, key: Key) -> None:
        namespace = ctx.get(Namespace, key)
        if namespace is None or namespace.metadata.deletionTimestamp:
            return
        current = ctx.get(ConfigMap, Key(key.name, NAME))
        if current is not None:
            if current.data != data:
                await ctx.update(replace(current, data=data))
            return
        try:
            await ctx.create(ConfigMap(metadata=ObjectMeta(name=NAME, namespace=key.name), data=data))
        except StatusError as error:
            if error.reason != ALREADY_EXISTS:
                raise

    return Controller(
        "root-ca-certificate-publisher",
        for_=Namespace,
        watches=(Watch(ConfigMap, _namespace),),
        fields={ConfigMap: f"metadata.name={NAME}"},
        reconcile=reconcile,
    )


def _namespace(ctx: Context, published: ConfigMap) -> Iterable[Key]:
    return (Key("", published.metadata.namespace),)

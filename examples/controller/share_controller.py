"""A small controller: a ConfigMap labelled `example.com/shared` in the namespace `default` is copied into every other one.

    python examples/controller/share_controller.py KUBECONFIG

It stands on what Sampan's own controllers stand on: a declaration and one function. The function looks at the world, never at
events, and brings it a step closer to what is wanted; it may be called at any time, as often as one likes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import uvloop

from sampan.api.types.core_v1 import ConfigMap, Namespace
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.informer import InformerFactory
from sampan.client.kubeconfig import load
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.controllers.runtime import Context, Controller, Key, Requeue, Runner, Watch
from sampan.lib.tasks import Tasks

LABEL = "example.com/shared"
HOME = "default"


async def share(ctx: Context, key: Key) -> Requeue | None:
    """Bring one namespace up to date: every shared ConfigMap is there, and no copy of one that is shared no more."""
    namespace = ctx.get(Namespace, key)
    if namespace is None or namespace.metadata.deletionTimestamp or key.name == HOME:
        return None
    wanted = {each.metadata.name: each for each in ctx.list(ConfigMap, HOME) if LABEL in each.metadata.labels}
    there = {each.metadata.name: each for each in ctx.list(ConfigMap, key.name) if LABEL in each.metadata.labels}
    for name, original in wanted.items():
        if name not in there:
            await ctx.create(
                ConfigMap(metadata=ObjectMeta(name=name, namespace=key.name, labels={LABEL: ""}), data=original.data)
            )
        elif there[name].data != original.data:
            gone = {field: None for field in there[name].data if field not in original.data}
            await ctx.patch(there[name], {"data": {**original.data, **gone}})
    for name in there.keys() - wanted.keys():
        await ctx.delete(there[name])
    return None


def concerned(ctx: Context, config_map: ConfigMap) -> Iterator[Key]:
    """Which namespaces to look at when a ConfigMap changes: its own, or all where it is an original."""
    if config_map.metadata.namespace != HOME:
        yield Key("", config_map.metadata.namespace)
    else:
        for namespace in ctx.list(Namespace):
            yield Key("", namespace.metadata.name)


CONTROLLER = Controller("share-controller", for_=Namespace, reconcile=share, watches=(Watch(ConfigMap, concerned),))


async def run(client: Client) -> None:
    """Until cancelled."""
    factory = InformerFactory(client)
    runner = Runner(CONTROLLER, factory)
    async with Tasks() as tasks:
        tasks.start(factory.run(), "informers")
        await runner.run()


async def main(kubeconfig: str) -> None:
    async with Transport(load(kubeconfig)) as transport:
        await run(Client(transport))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))

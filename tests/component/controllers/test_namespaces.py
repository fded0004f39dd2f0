from __future__ import annotations

import json

from sampan.api.types.core_v1 import ConfigMap, Namespace, Pod, ServiceAccount
from sampan.api.types.meta_v1 import ObjectMeta
from tests.component.conftest import Api
from tests.component.controllers.world import World, template, world
from tests.unit.fakeapi import run

APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
FAR = {
    "metadata": {"name": "v1.far.example.com"},
    "spec": {
        "group": "far.example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
        "insecureSkipTLSVerify": True, "service": {"name": "nobody", "namespace": "shop"},
    },
}  # fmt: skip
UNTOLD = (
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "far.example.com/v1: stale GroupVersion discovery: far.example.com/v1"
)


async def make(w: World, name: str = "shop") -> Namespace:
    made = await w.client.create(Namespace(metadata=ObjectMeta(name=name)))

    async def furnished() -> bool:
        await w.client.get(ServiceAccount, "default", name)
        return bool((await w.client.get(ConfigMap, "kube-root-ca.crt", name)).data["ca.crt"])

    await w.until(furnished)
    return made


def test_a_new_namespace_gets_its_account_and_root_certificate_and_gets_them_back(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await make(w)
            await w.client.delete(ServiceAccount, "default", "shop")
            await w.client.patch(ConfigMap, "kube-root-ca.crt", "shop", {"data": {"ca.crt": "forged"}})

            async def restored() -> bool:
                await w.client.get(ServiceAccount, "default", "shop")
                published = await w.client.get(ConfigMap, "kube-root-ca.crt", "shop")
                return published.data["ca.crt"].startswith("-----BEGIN CERTIFICATE")

            await w.until(restored)

    run(work())


def test_a_deleted_namespace_takes_its_content_with_it(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await make(w)
            await w.client.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="shop")))
            await w.client.create(Pod(metadata=ObjectMeta(name="p", namespace="shop"), spec=template().spec))
            await w.client.delete(Namespace, "shop")
            await w.gone(Namespace, "shop", "")
            for cls in (ConfigMap, Pod, ServiceAccount):
                assert (await w.client.list(cls, "shop")).items == []

    run(work())


def test_a_namespace_waits_for_servers_that_do_not_tell_what_they_have_in_it(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await make(w)
            await w.client.request("POST", APISERVICES, body=json.dumps(FAR).encode())
            await w.client.delete(Namespace, "shop")

            async def waits() -> bool:
                status = (await w.client.get(Namespace, "shop")).status
                return any(c.type == "NamespaceDeletionDiscoveryFailure" and c.message == UNTOLD for c in status.conditions)

            await w.until(waits)
            await w.gone(ServiceAccount, "default", "shop")
            await w.client.request("DELETE", f"{APISERVICES}/v1.far.example.com")
            await w.gone(Namespace, "shop", "")

    run(work())


def test_what_holds_a_namespace_back_stands_in_its_conditions(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await make(w)
            held = ConfigMap(metadata=ObjectMeta(name="held", namespace="shop", finalizers=["test/hold"]))
            await w.client.create(held)
            await w.client.delete(Namespace, "shop")

            async def said() -> bool:
                status = (await w.client.get(Namespace, "shop")).status
                found = {c.type: (c.status, c.message) for c in status.conditions}
                return status.phase == "Terminating" and found == {
                    "NamespaceDeletionDiscoveryFailure": ("False", "All resources successfully discovered"),
                    "NamespaceDeletionGroupVersionParsingFailure": ("False", "All legacy kube types successfully parsed"),
                    "NamespaceDeletionContentFailure": (
                        "False", "All content successfully deleted, may be waiting on finalization",
                    ),
                    "NamespaceContentRemaining": (
                        "True", "Some resources are remaining: configmaps. has 1 resource instances",
                    ),
                    "NamespaceFinalizersRemaining": (
                        "True", "Some content in the namespace has finalizers remaining: test/hold in 1 resource instances",
                    ),
                }  # fmt: skip

            await w.until(said)
            await w.client.patch(ConfigMap, "held", "shop", {"metadata": {"finalizers": None}})
            await w.gone(Namespace, "shop", "")

    run(work())

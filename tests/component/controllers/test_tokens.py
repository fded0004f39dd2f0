"""Tokens in Secrets that somebody made for them."""

from __future__ import annotations

import base64

from sampan.api.types.authentication_v1 import TokenReview, TokenReviewSpec, TokenReviewStatus
from sampan.api.types.core_v1 import Secret, ServiceAccount
from sampan.api.types.meta_v1 import ObjectMeta
from tests.component.conftest import Api
from tests.component.controllers.world import World, world
from tests.unit.fakeapi import run

NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"


async def make_account(w: World) -> ServiceAccount:
    return await w.client.create(ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default")))


async def make_secret(w: World, **annotations: str) -> Secret:
    meta = ObjectMeta(name="robot-token", namespace="default", annotations=annotations)
    return await w.client.create(Secret(metadata=meta, type="kubernetes.io/service-account-token"))


async def filled(w: World) -> Secret:
    async def look() -> Secret | None:
        secret = await w.client.get(Secret, "robot-token", "default")
        return secret if secret.data.get("token") else None

    found: Secret = await w.until(look)
    return found


async def review(w: World, secret: Secret) -> TokenReviewStatus:
    token = base64.b64decode(secret.data["token"]).decode()
    return (await w.client.create(TokenReview(spec=TokenReviewSpec(token=token)))).status


def test_a_secret_for_an_account_gets_a_token_that_is_believed(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            account = await make_account(w)
            await make_secret(w, **{NAME: "robot"})
            secret = await filled(w)
            assert secret.metadata.annotations == {NAME: "robot", UID: account.metadata.uid}
            assert sorted(secret.data) == ["ca.crt", "namespace", "token"]
            assert base64.b64decode(secret.data["namespace"]) == b"default"
            user = (await review(w, secret)).user
            assert user is not None and user.username == "system:serviceaccount:default:robot"

    run(work())


def test_what_was_taken_out_of_it_comes_back(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await make_account(w)
            await make_secret(w, **{NAME: "robot"})
            first = await filled(w)
            await w.client.patch(Secret, "robot-token", "default", {"data": {"ca.crt": "Zm9yZ2Vk", "namespace": None}})

            async def restored() -> bool:
                return (await w.client.get(Secret, "robot-token", "default")).data == first.data

            await w.until(restored)
            await w.client.patch(Secret, "robot-token", "default", {"data": {"token": None}})
            assert (await review(w, await filled(w))).authenticated

    run(work())


def test_it_goes_with_its_account(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await make_account(w)
            await make_secret(w, **{NAME: "robot"})
            secret = await filled(w)
            await w.client.delete(ServiceAccount, "robot", "default")
            await w.gone(Secret, "robot-token")
            assert not (await review(w, secret)).authenticated

    run(work())


def test_a_secret_for_nobody_or_for_the_account_before_goes(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await make_secret(w, **{NAME: "robot"})
            await w.gone(Secret, "robot-token")
            await make_account(w)
            await make_secret(w, **{NAME: "robot", UID: "another"})
            await w.gone(Secret, "robot-token")

    run(work())

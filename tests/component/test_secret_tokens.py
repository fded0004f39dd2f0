"""Tokens that lie in Secrets, as controller managers put them there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sampan.pki.certificates import new_key_pem
from sampan.pki.tokens import TokenSigner
from tests.component.conftest import Api, Served, core
from tests.component.test_authentication import AUTHENTICATION, ISSUER, bearing, make_account, whoami

Tree = dict[str, Any]


def _in_secret(account: Tree, secret: str = "robot-token") -> Tree:
    """The claims of a token as controller managers put them into Secrets."""
    name, namespace, uid = (account["metadata"][field] for field in ("name", "namespace", "uid"))
    private = {"namespace": namespace, "secret.name": secret, "service-account.name": name, "service-account.uid": uid}
    claims = {f"kubernetes.io/serviceaccount/{key}": value for key, value in private.items()}
    return {"iss": "kubernetes/serviceaccount", "sub": f"system:serviceaccount:{namespace}:{name}", **claims}


async def _keep(server: Served, token: str, name: str = "robot-token", **meta: Any) -> None:
    meta = {"name": name, "annotations": {"kubernetes.io/service-account.name": "robot"}, **meta}
    secret = {"metadata": meta, "type": "kubernetes.io/service-account-token", "stringData": {"token": token}}
    assert (await server.create("secrets", secret)).status == 201


def test_a_token_in_a_secret_speaks_for_its_account_while_it_lies_there(api: Api) -> None:
    key = new_key_pem()

    async def scenario(server: Served) -> None:
        account = await make_account(server)
        token = TokenSigner(key, ISSUER).sign(_in_secret(account))
        robot = bearing(server, token)
        assert (await server.get("/version", by=robot)).status == 401
        await _keep(server, token)
        user = await whoami(server, robot)
        assert user["username"] == "system:serviceaccount:default:robot" and "extra" not in user
        body = {"spec": {"token": token}}
        status = (await server.request("POST", f"{AUTHENTICATION}/tokenreviews", body)).tree["status"]
        assert (status["authenticated"], status["audiences"]) == (True, [ISSUER])
        await server.delete(core("secrets", "default", "robot-token"))
        assert (await server.get("/version", by=robot)).status == 401
        await robot.close()

    api(scenario, service_account_key_pem=key)


def _as_it_is(claims: Tree) -> None:
    return None


@pytest.mark.parametrize(
    ("change", "meta"),
    [
        (lambda claims: claims.update(sub="system:serviceaccount:default:other"), {}),
        (lambda claims: claims.update(iss="somebody"), {}),
        (lambda claims: claims.update({"kubernetes.io/serviceaccount/service-account.uid": "another"}), {}),
        (lambda claims: claims.update({"kubernetes.io/serviceaccount/secret.name": "another"}), {}),
        (lambda claims: claims.pop("kubernetes.io/serviceaccount/secret.name"), {}),
        (lambda claims: claims.pop("iss"), {}),
        (_as_it_is, {"labels": {"kubernetes.io/legacy-token-invalid-since": "2025-01-01"}}),
        (_as_it_is, {"name": "another"}),
    ],
    ids=["subject", "issuer", "account's UID", "secret", "no secret", "no issuer", "marked invalid", "elsewhere"],
)
def test_a_token_in_a_secret_must_be_what_it_says(api: Api, change: Callable[[Tree], object], meta: Tree) -> None:
    key = new_key_pem()

    async def scenario(server: Served) -> None:
        claims = _in_secret(await make_account(server))
        change(claims)
        token = TokenSigner(key, ISSUER).sign(claims)
        await _keep(server, token, **meta)
        robot = bearing(server, token)
        assert (await server.get("/version", by=robot)).status == 401
        await robot.close()

    api(scenario, service_account_key_pem=key)

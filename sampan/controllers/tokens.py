"""A Secret of type kubernetes.io/service-account-token gets the token it is for, and goes with its account.

Such Secrets are made by hand, for accounts whose tokens must not run out; nothing makes them by itself any more. After
upstream's pkg/controller/serviceaccount/tokens_controller.go.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from sampan.api.errors import CONFLICT, NOT_FOUND, StatusError
from sampan.api.types.core_v1 import Secret, ServiceAccount
from sampan.controllers.runtime import Context, Controller, Index, Key, Watch, key_of
from sampan.pki.tokens import TokenSigner

TYPE = "kubernetes.io/service-account-token"
NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"
ACCOUNT_INDEX = "account"


def make_controller(signer: TokenSigner, ca_pem: bytes) -> Controller:
    """`ca_pem`: what the Secrets say of the API server's authority; empty: nothing."""

    async def reconcile(ctx: Context, key: Key) -> None:
        secret = ctx.get(Secret, key)
        if secret is None or secret.metadata.deletionTimestamp:
            return
        account = await _account_of(ctx, secret)
        if account is None:
            await ctx.delete(secret)
            return
        missing = {"ca.crt": ca_pem} if ca_pem and secret.data.get("ca.crt") != _encoded(ca_pem) else {}
        if not secret.data.get("namespace"):
            missing["namespace"] = key.namespace.encode()
        if not secret.data.get("token"):
            missing["token"] = signer.issue_for_secret(
                key.namespace, account.metadata.name, account.metadata.uid, key.name
            ).encode()
        if not missing:
            return
        annotations = {NAME: account.metadata.name, UID: account.metadata.uid}
        changes = {
            "metadata": {"annotations": annotations, "resourceVersion": secret.metadata.resourceVersion},
            "data": {name: _encoded(value) for name, value in missing.items()},
        }
        try:
            await ctx.patch(secret, changes)
        except StatusError as error:
            # Somebody else was first; his change comes as an event.
            if error.reason not in (CONFLICT, NOT_FOUND):
                raise

    return Controller(
        "tokens-controller",
        for_=Secret,
        watches=(Watch(ServiceAccount, _secrets_of),),
        indexes=(Index(Secret, ACCOUNT_INDEX, _account_keys),),
        fields={Secret: f"type={TYPE}"},
        reconcile=reconcile,
    )


async def _account_of(ctx: Context, secret: Secret) -> ServiceAccount | None:
    """The account that the Secret is for; what the cache does not have yet is asked for."""
    annotations, namespace = secret.metadata.annotations, secret.metadata.namespace
    name, uid = annotations.get(NAME, ""), annotations.get(UID, "")
    account = ctx.get(ServiceAccount, Key(namespace, name))
    if account is None or uid not in ("", account.metadata.uid):
        try:
            account = await ctx.client.get(ServiceAccount, name, namespace)
        except StatusError as error:
            if error.reason != NOT_FOUND:
                raise
            return None
    return account if uid in ("", account.metadata.uid) else None


def _account_keys(secret: Secret) -> Iterable[str]:
    return (f"{secret.metadata.namespace}/{secret.metadata.annotations.get(NAME, '')}",)


def _secrets_of(ctx: Context, account: ServiceAccount) -> Iterable[Key]:
    found = ctx.by_index(Secret, ACCOUNT_INDEX, f"{account.metadata.namespace}/{account.metadata.name}")
    return [key_of(secret) for secret in found]


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()

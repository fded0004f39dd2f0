"""Tokens that lie in Secrets of type kubernetes.io/service-account-token: good while their Secret holds them.

After pkg/serviceaccount/legacy.go. Unlike tokens that were requested, they end at once with the deletion of their account.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Any

from sampan.pki.tokens import Identity, TokenError

if TYPE_CHECKING:
    from sampan.apiserver.authn import BoundTo, Found, Lookup

INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"


def check(lookup: Lookup, token: str, identity: Identity) -> tuple[Found, tuple[BoundTo, ...]]:
    """The account and the Secret of a token whose signature is good. Raises TokenError where they do not bear it out."""
    namespace, name = identity.namespace, identity.secret.name if identity.secret else ""
    secret = lookup("secrets", namespace, name)
    if secret is None or secret.tree()["metadata"].get("deletionTimestamp"):
        raise TokenError("Token has been invalidated")
    if not hmac.compare_digest(_held(secret.tree()), token.encode()):
        raise TokenError("Token does not match server's copy")
    account = lookup("serviceaccounts", namespace, identity.name)
    metadata = account.tree()["metadata"] if account is not None else {}
    if account is None or metadata.get("deletionTimestamp"):
        raise TokenError(f"ServiceAccount {namespace}/{identity.name} has been deleted")
    if metadata.get("uid") != identity.uid:
        raise TokenError(f"ServiceAccount UID ({metadata.get('uid')}) does not match claim ({identity.uid})")
    if secret.tree()["metadata"].get("labels", {}).get(INVALID_SINCE):
        raise TokenError(f"the token in secret {namespace}/{name} has been marked invalid")
    return account, (("secrets", namespace, name, secret),)


def _held(secret: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(secret.get("data", {}).get("token") or "")
    except binascii.Error:
        return b""

"""Finds out who makes a request: client certificate first, then bearer token; without either it is system:anonymous.

What a certificate says is remembered on the connection, so that it costs one parse for the connection's life.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable

from sampan.api.errors import unauthorized
from sampan.apiserver.authn import ANONYMOUS, Authenticator, certificate_user
from sampan.apiserver.user import User
from sampan.lib.http import Answer, Filter, Handler, Peer, Request
from sampan.lib.log import get_logger
from sampan.pki.tokens import TokenError

_PROTOCOLS = "sec-websocket-protocol"
_BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io."

log = get_logger("apiserver")


def authentication(authenticator: Authenticator) -> Filter:
    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            user = request.peer.identity
            if user is None and request.peer.certificate is not None:
                user = _remember(request.peer, request.peer.certificate)
            request.user = user or _by_token(authenticator, request)
            return inner(request)

        return handle

    return install


def _remember(peer: Peer, certificate: bytes) -> User | None:
    peer.identity = user = certificate_user(certificate)
    return user


def _by_token(authenticator: Authenticator, request: Request) -> User:
    token = _bearer_token(request)
    if not token:
        return ANONYMOUS
    try:
        return authenticator.by_token(token).user
    except TokenError as error:
        log.info("refused a token", reason=str(error), path=request.path, peer=request.peer.address)
        raise unauthorized() from None


def _bearer_token(request: Request) -> str:
    """From the Authorization header or, as browsers must, from a WebSocket subprotocol, which is then hidden."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.strip().partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    protocols = [name.strip() for name in request.headers.get(_PROTOCOLS, "").split(",")]
    bearer = next((name for name in protocols if name.startswith(_BEARER_PROTOCOL)), None)
    if bearer is None:
        return ""
    rest = ", ".join(name for name in protocols if name != bearer)
    request.headers = {**request.headers, _PROTOCOLS: rest}
    encoded = bearer.removeprefix(_BEARER_PROTOCOL)
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise unauthorized() from None

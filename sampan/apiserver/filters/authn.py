"""Finds out who makes a request: client certificate first, then bearer token; without either it is system:anonymous. A front
proxy's certificate lets its headers say who.

What a certificate says is remembered on the connection, so that it costs one parse for the connection's life. That it has not
run out is seen to with every request: a connection may outlive it by weeks.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable
from dataclasses import replace

from sampan.api.errors import unauthorized
from sampan.apiserver.aggregation.frontproxy import identity_of
from sampan.apiserver.authn import ANONYMOUS, Authenticator, Certified, authenticated_groups, certified
from sampan.apiserver.user import User
from sampan.lib.http import Answer, Filter, Handler, Request
from sampan.lib.log import get_logger
from sampan.pki.tokens import TokenError

_PROTOCOLS = "sec-websocket-protocol"
_BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io."

log = get_logger("apiserver")


def authentication(authenticator: Authenticator) -> Filter:
    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            certificate = request.peer.certificate
            user = None if certificate is None else _by_certificate(authenticator, request, certificate)
            request.user = user or _by_token(authenticator, request)
            return inner(request)

        return handle

    return install


def _by_certificate(authenticator: Authenticator, request: Request, certificate: bytes) -> User | None:
    """None where it names nobody. One that has run out leaves only a token to go by; so does, where there are front proxies,
    one that names nobody, for it is not of the users' authority or a proxy's that does not say for whom it asks."""
    known: Certified | None = request.peer.identity
    if known is None:
        known = request.peer.identity = certified(certificate, authenticator.proxies)
    has_expired = known.expires <= authenticator.clock.now()
    user = None if has_expired else _by_proxy(request) if known.is_proxy else known.user
    if user is not None or not (has_expired or authenticator.proxies):
        return user
    user = _by_token(authenticator, request)
    if user is ANONYMOUS:
        log.info("refused a certificate", expired=has_expired, path=request.path, peer=request.peer.address)
        raise unauthorized()
    return user


def _by_proxy(request: Request) -> User | None:
    user = identity_of(request)
    return None if user is None else replace(user, groups=authenticated_groups(user.groups))


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
    protocols = [name.strip() for name in request.headers.get(_PROTOCOLS, "").split(",")]  # of all such headers there are
    bearer = next((name for name in protocols if name.startswith(_BEARER_PROTOCOL)), None)
    if bearer is None:
        return ""
    rest = ", ".join(name for name in protocols if name != bearer)
    request.headers = {**request.headers, _PROTOCOLS: rest}
    request.repeated_headers = {name: values for name, values in request.repeated_headers.items() if name != _PROTOCOLS}
    encoded = bearer.removeprefix(_BEARER_PROTOCOL)
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise unauthorized() from None

"""Who may use the node's server: a client certificate of the cluster's CA or a bearer token, and then the API server's
authorization of `nodes/<name>/proxy` and its finer subresources. After the kubelet's webhook authentication and authorization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from sampan.api.types.authentication_v1 import TokenReview, TokenReviewSpec
from sampan.api.types.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec
from sampan.client.rest import Client
from sampan.lib.clock import Clock
from sampan.lib.http import Peer, Request
from sampan.pki.certificates import expires_der, subject_of

K = TypeVar("K")
V = TypeVar("V")

PRIVILEGED_GROUP = "system:masters"
ALLOWED_SECONDS = 300.0
DENIED_SECONDS = 30.0
TOKEN_SECONDS = 120.0
MAX_REMEMBERED = 4096

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SUBRESOURCES = {"/stats": "stats", "/metrics": "metrics", "/logs": "log", "/checkpoint": "checkpoint"}
_FINER = {"/pods": "pods", "/runningpods": "pods", "/healthz": "healthz", "/configz": "configz"}
"""Paths with a subresource of their own, which `proxy` covers, too (KEP-2862)."""


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Certified:
    caller: Caller
    expires: float
    """Seconds since the epoch."""


@dataclass(slots=True)
class _Remembered:
    until: float
    allowed: bool


class Access:
    """`client` asks the API server; with None only the privileged group is let in."""

    def __init__(self, client: Client | None, node_name: str, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._node_name = node_name
        self._answers: dict[tuple[str, str, str], _Remembered] = {}
        self._tokens: dict[str, tuple[float, Caller | None]] = {}

    async def authenticate(self, request: Request) -> Caller | None:
        """Raises what the client raises."""
        if request.peer.certificate is not None:
            certified = _certified(request.peer, request.peer.certificate)
            # With every request: a connection may outlive its certificate.
            return certified.caller if certified.expires > self._clock.now() else None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip() or self._client is None:
            return None
        return await self._review(self._client, token.strip())

    async def _review(self, client: Client, token: str) -> Caller | None:
        now = client.clock.monotonic()
        known = self._tokens.get(token)
        if known is not None and known[0] > now:
            return known[1]
        review = await client.create(TokenReview(spec=TokenReviewSpec(token=token)))
        user = review.status.user
        caller = Caller(user.username, user.uid, tuple(user.groups)) if review.status.authenticated and user else None
        _make_room(self._tokens)
        self._tokens[token] = (now + TOKEN_SECONDS, caller)
        return caller

    async def allows(self, caller: Caller, request: Request) -> bool:
        """Raises what the client raises."""
        if PRIVILEGED_GROUP in caller.groups:
            return True
        verb = _VERBS.get(request.method, "")
        for subresource in subresources_of(request.path):
            if await self._ask(caller, verb, subresource):
                return True
        return False

    async def _ask(self, caller: Caller, verb: str, subresource: str) -> bool:
        if self._client is None:
            return False
        now = self._client.clock.monotonic()
        key = (f"{caller.name}\0{caller.uid}\0{'|'.join(caller.groups)}", verb, subresource)
        known = self._answers.get(key)
        if known is not None and known.until > now:
            return known.allowed
        wanted = ResourceAttributes(verb=verb, version="v1", resource="nodes", name=self._node_name, subresource=subresource)
        spec = SubjectAccessReviewSpec(user=caller.name, uid=caller.uid, groups=list(caller.groups), resourceAttributes=wanted)
        allowed = (await self._client.create(SubjectAccessReview(spec=spec))).status.allowed
        _make_room(self._answers)
        self._answers[key] = _Remembered(now + (ALLOWED_SECONDS if allowed else DENIED_SECONDS), allowed)
        return allowed


def subresources_of(path: str) -> tuple[str, ...]:
    """Any one of which lets a caller in."""
    for prefix, subresource in _SUBRESOURCES.items():
        if path == prefix or path.startswith(prefix + "/"):
            return (subresource,)
    finer = _FINER.get(path.rstrip("/"))
    return (finer, "proxy") if finer else ("proxy",)


def _certified(peer: Peer, certificate: bytes) -> _Certified:
    if peer.identity is None:
        subject = subject_of(certificate)
        peer.identity = _Certified(Caller(subject.common_name, "", subject.organizations), expires_der(certificate))
    certified: _Certified = peer.identity
    return certified


def _make_room(remembered: dict[K, V]) -> None:
    if len(remembered) >= MAX_REMEMBERED:
        remembered.clear()

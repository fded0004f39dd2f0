"""Who makes a request: users from client certificates, service-account tokens and a static token file.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/. Nothing here waits: a token's account and pod are
looked up in the watch caches.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sampan.apiserver import secrettokens
from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.registry.registries import Registries
from sampan.apiserver.user import User
from sampan.lib.clock import Clock, parse_rfc3339
from sampan.pki.certificates import expires_der, issued_by, subject_of
from sampan.pki.tokens import Bound, Identity, TokenError, TokenSigner

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = User("system:anonymous", groups=(UNAUTHENTICATED,))

CREDENTIAL = "authentication.kubernetes.io/credential-id"
GONE_LEEWAY_SECONDS = 60
"""How long a token outlives the deletion of what it is bound to, as upstream allows for slow caches."""
REMEMBERED = 10_000


class Found(Protocol):
    """A cached object; another object stands in its place when it has changed."""

    def tree(self) -> dict[str, Any]: ...


Lookup = Callable[[str, str, str], Found | None]
"""(plural, namespace, name) → the core object as the watch cache has it now."""


class Verified(NamedTuple):
    """Whom a token belongs to, and for which of the audiences asked about it is meant."""

    user: User
    audiences: tuple[str, ...]


BoundTo = tuple[str, str, str, Found]
"""(plural, namespace, name, object) of what a token stands and falls with, besides its account."""


class _Known(NamedTuple):
    user: User
    account: Found
    bound: tuple[BoundTo, ...]


class Authenticator:
    """`static` maps tokens of a token file to users; `signer` None: there are no service-account tokens."""

    def __init__(
        self, lookup: Lookup, clock: Clock, signer: TokenSigner | None = None, static: Mapping[str, User] | None = None
    ) -> None:
        self._lookup = lookup
        self.clock = clock
        self.signer = signer
        self._static = static or {}
        self._known: dict[str, _Known] = {}
        self.proxies: FrontProxies | None = None
        self.audiences: tuple[str, ...] = (signer.issuer,) if signer else ()
        """What the API server itself answers to."""

    def by_token(self, token: str, audiences: Sequence[str] = ()) -> Verified:
        """`audiences`: those that will do; none: the API server's own. Raises TokenError."""
        user = self._static.get(token)
        if user is not None:
            # A fixed token says nothing of audiences: it is meant for the API server.
            return Verified(user, self._meant(audiences, self.audiences))
        if self.signer is None:
            raise TokenError("there are no service-account tokens")
        identity = self.signer.verify(token)
        meant = self._meant(audiences, identity.audiences)
        return Verified(self._account(token, identity), meant)

    def _meant(self, wanted: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
        """Those of the wanted audiences (none: the API server's own) that a token is good for. Raises TokenError."""
        wanted = wanted or self.audiences
        meant = tuple(audience for audience in wanted if audience in offered)
        if wanted and not meant:
            raise TokenError(f"token audiences {list(offered)} is invalid for the target audiences")
        return meant

    def _account(self, token: str, identity: Identity) -> User:
        """The user of a verified token, provided that what it is bound to is still there."""
        known = self._known.get(token)
        lookup = self._lookup
        if (
            known is not None
            and lookup("serviceaccounts", identity.namespace, identity.name) is known.account
            and all(lookup(plural, namespace, name) is found for plural, namespace, name, found in known.bound)
        ):
            return known.user
        return self._check(token, identity)

    def _check(self, token: str, identity: Identity) -> User:
        if identity.in_secret:
            return self._remember(token, _Known(account_user(identity), *secrettokens.check(self._lookup, token, identity)))
        account, lasting = self._living("serviceaccounts", identity.namespace, Bound(identity.name, identity.uid))
        bound: list[BoundTo] = []
        for plural, namespace, what in _bound_to(identity):
            found, stays = self._living(plural, namespace, what)
            bound.append((plural, namespace, what.name, found))
            lasting = lasting and stays
        user = account_user(identity)
        return self._remember(token, _Known(user, account, tuple(bound))) if lasting else user

    def _remember(self, token: str, known: _Known) -> User:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[token] = known
        return known.user

    def _living(self, plural: str, namespace: str, bound: Bound) -> tuple[Found, bool]:
        """The object, and whether it is to stay; raises TokenError where it is gone, or another one of the name is there."""
        what = f"{plural[:-1]} {namespace}/{bound.name}" if namespace else f"{plural[:-1]} {bound.name}"
        found = self._lookup(plural, namespace, bound.name)
        if found is None:
            raise TokenError(f"{what} has been deleted")
        metadata = found.tree()["metadata"]
        if metadata.get("uid") != bound.uid:
            raise TokenError(f"{what} UID ({metadata.get('uid')}) does not match claim ({bound.uid})")
        deleted = metadata.get("deletionTimestamp")
        if deleted and parse_rfc3339(deleted) + GONE_LEEWAY_SECONDS < self.clock.now():
            raise TokenError(f"{what} has been deleted")
        return found, not deleted


def make_authenticator(config: APIServerConfig, registries: Registries, clock: Clock) -> Authenticator:
    """The authenticator of a server, going by the watch caches of its registries."""

    def lookup(plural: str, namespace: str, name: str) -> Found | None:
        registry = registries.find("", plural)
        return registry.cache.get(namespace, name) if registry else None

    key = config.service_account_key_pem
    signer = TokenSigner(key, config.issuer, clock, config.service_account_verify_keys_pem) if key else None
    authenticator = Authenticator(lookup, clock, signer, parse_token_file(config.token_file))
    if config.requestheader_client_ca_pem:
        names = config.requestheader_allowed_names
        authenticator.proxies = FrontProxies(config.requestheader_client_ca_pem, names, config.client_ca_pem)
    return authenticator


class FrontProxies(NamedTuple):
    """Whose word about other users is believed: those with a certificate of an authority of their own, of certain names."""

    ca_pem: bytes
    names: Sequence[str]
    """Common names; none: any."""
    client_ca_pem: bytes
    """The authority of everybody else, with such as it lets issue for it; a certificate may be of both."""


class Certified(NamedTuple):
    """Whom a client certificate names (None: nobody), and until when, in seconds since the epoch."""

    user: User | None
    expires: float
    is_proxy: bool = False


def certified(der: bytes, proxies: FrontProxies | None = None) -> Certified:
    """Of a certificate that the TLS handshake verified."""
    subject, expires = subject_of(der), expires_der(der)
    if proxies is not None:
        if issued_by(der, proxies.ca_pem) and (not proxies.names or subject.common_name in proxies.names):
            return Certified(None, expires, is_proxy=True)
        # The handshake takes certificates of both authorities, and does not tell below which an intermediate one stands.
        if not issued_by(der, proxies.client_ca_pem):
            return Certified(None, expires)
    if not subject.common_name:
        return Certified(None, expires)
    extra = {CREDENTIAL: (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)}
    return Certified(User(subject.common_name, "", authenticated_groups(subject.organizations), extra), expires)


def _bound_to(identity: Identity) -> Iterator[tuple[str, str, Bound]]:
    """(plural, namespace, object) of what a token is bound to. A pod's token tells its node, but does not hang on it."""
    if identity.pod is not None:
        yield "pods", identity.namespace, identity.pod
    elif identity.node is not None:
        yield "nodes", "", identity.node
    if identity.secret is not None:
        yield "secrets", identity.namespace, identity.secret


def account_user(identity: Identity) -> User:
    extra: dict[str, tuple[str, ...]] = {}
    if identity.token_id:
        extra[CREDENTIAL] = (f"JTI={identity.token_id}",)
    for kind, bound in (("pod", identity.pod), ("node", identity.node)):
        if bound is not None:
            extra[f"authentication.kubernetes.io/{kind}-name"] = (bound.name,)
            if bound.uid:
                extra[f"authentication.kubernetes.io/{kind}-uid"] = (bound.uid,)
    groups = authenticated_groups(("system:serviceaccounts", f"system:serviceaccounts:{identity.namespace}"))
    return User(identity.username, identity.uid, groups, extra)


def authenticated_groups(groups: Sequence[str]) -> tuple[str, ...]:
    if AUTHENTICATED in groups or UNAUTHENTICATED in groups:
        return tuple(groups)
    return (*groups, AUTHENTICATED)


def parse_token_file(text: str) -> dict[str, User]:
    """Users by token from lines of `token,user,uid,"group1,group2"`. Raises ValueError."""
    users: dict[str, User] = {}
    for number, row in enumerate(csv.reader(io.StringIO(text), skipinitialspace=True), 1):
        if not row:
            continue
        if len(row) < 3:
            raise ValueError(f"token file line {number} must have at least 3 columns (token, user name, user uid)")
        token, name, uid = (cell.strip() for cell in row[:3])
        if not token or token in users:
            raise ValueError(f"token file line {number} has an empty or repeated token")
        groups = tuple(group.strip() for group in row[3].split(",")) if len(row) > 3 and row[3] else ()
        users[token] = User(name, uid, authenticated_groups(groups))
    return users

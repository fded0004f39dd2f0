"""Service-account tokens: JWTs signed with the cluster's key (ES256), with upstream's claims.

After k8s.io/kubernetes/pkg/serviceaccount (claims.go): the subject is `system:serviceaccount:NAMESPACE:NAME`, and the private
claim `kubernetes.io` says which service account, and which pod, secret or node, the token stands and falls with. Tokens that
lie in Secrets (legacy.go) are of another issuer and do not end by themselves.
"""

from __future__ import annotations

import base64
import hashlib
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sampan.lib.clock import Clock, RealClock

ALGORITHM = "ES256"
PRIVATE_CLAIM = "kubernetes.io"
SECRET_ISSUER = "kubernetes/serviceaccount"
_SECRET_CLAIMS = "kubernetes.io/serviceaccount/"
LEEWAY_SECONDS = 0
CACHED_TOKENS = 4096

WARN_AFTER_SECONDS = 3607
"""Lifetime that kubelets ask for when the pod named none; such a token is extended and only warned about after this long."""
EXTENDED_SECONDS = 365 * 24 * 3600


class Bound(NamedTuple):
    """An object a token is bound to."""

    name: str
    uid: str


class TokenError(Exception):
    """The token is not one of ours, or no longer good."""


class Identity(NamedTuple):
    """What a verified token says."""

    namespace: str
    name: str
    uid: str
    audiences: tuple[str, ...]
    expires: float
    token_id: str
    pod: Bound | None = None
    secret: Bound | None = None
    node: Bound | None = None
    in_secret: bool = False
    """Whether it is one that `secret` holds; the claims tell no UID of that."""

    @property
    def username(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"


class TokenSigner:
    """Issues and verifies tokens with one private key, of which the public half verifies.

    `keys` are further public or private keys (PEM) whose tokens are accepted, for rotation.
    """

    def __init__(self, key_pem: bytes, issuer: str, clock: Clock | None = None, keys: Sequence[bytes] = ()) -> None:
        self.issuer = issuer
        self._clock: Clock = clock or RealClock()
        self._key = _private_key(key_pem)
        self.key_id = _key_id(self._key.public_key())
        self._public = {_key_id(key): key for key in (self._key.public_key(), *map(_public_key, keys))}
        self._verified: dict[str, Identity] = {}

    def sign(self, claims: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), self._key, algorithm=ALGORITHM, headers={"kid": self.key_id})

    def issue(
        self,
        namespace: str,
        sa_name: str,
        sa_uid: str,
        audiences: Sequence[str] = (),
        expiration_seconds: int = 3600,
        *,
        pod: Bound | None = None,
        secret: Bound | None = None,
        node: Bound | None = None,
        extend: bool = False,
    ) -> str:
        """A token for the service account; no audiences means the API server's own.

        extend: as upstream's --service-account-extend-token-expiration, the token lives a year and carries `warnafter`.
        """
        now = int(self._clock.now())
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": sa_name, "uid": sa_uid}}
        for kind, bound in (("pod", pod), ("secret", secret), ("node", node)):
            if bound is not None:
                private[kind] = {"name": bound.name, "uid": bound.uid} if bound.uid else {"name": bound.name}
        if extend:
            private["warnafter"] = now + expiration_seconds
        claims = {
            "aud": list(audiences) or [self.issuer],
            "exp": now + (EXTENDED_SECONDS if extend else expiration_seconds),
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            PRIVATE_CLAIM: private,
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{sa_name}",
        }
        return self.sign(claims)

    def issue_for_secret(self, namespace: str, sa_name: str, sa_uid: str, secret: str) -> str:
        """A token to lie in a Secret, good while it does."""
        named = {"namespace": namespace, "secret.name": secret, "service-account.name": sa_name, "service-account.uid": sa_uid}
        private = {_SECRET_CLAIMS + claim: value for claim, value in named.items()}
        return self.sign({"iss": SECRET_ISSUER, "sub": f"system:serviceaccount:{namespace}:{sa_name}", **private})

    def verify(self, token: str) -> Identity:
        """Signature, issuer and times; whom the token is for (audience) is the caller's to judge. Raises TokenError.

        A token that was verified is remembered, so that the signature is computed once; its expiry is looked at each time.
        """
        identity = self._verified.get(token)
        if identity is None:
            identity = self._decode(token)
            if len(self._verified) >= CACHED_TOKENS:
                self._verified.clear()
            self._verified[token] = identity
        if identity.expires <= self._clock.now():
            self._verified.pop(token, None)
            raise TokenError("service account token has expired")
        return identity

    def public_jwks(self) -> dict[str, Any]:
        """The key set of /openid/v1/jwks."""
        return {"keys": [_jwk(key_id, key) for key_id, key in self._public.items()]}

    def _decode(self, token: str) -> Identity:
        try:
            key = self._public.get(jwt.get_unverified_header(token).get("kid", self.key_id))
            if key is None:
                raise TokenError("the token is signed with an unknown key")
            # Times are judged by our own clock below, which a test may turn; PyJWT only knows the system's.
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "require": ["iss"],
                },
            )
        except jwt.PyJWTError as error:
            raise TokenError(str(error)) from error
        if claims["iss"] == SECRET_ISSUER:
            return _identity_in_secret(claims, self.issuer)
        if claims["iss"] != self.issuer or "exp" not in claims:
            raise TokenError("the token is of another issuer, or has no end")
        if claims.get("nbf", 0) > self._clock.now() + LEEWAY_SECONDS:
            raise TokenError("service account token is not valid yet")
        return _identity(claims)


def _identity(claims: Mapping[str, Any]) -> Identity:
    private = claims.get(PRIVATE_CLAIM) or {}
    account = private.get("serviceaccount") or {}
    namespace, name, uid = private.get("namespace", ""), account.get("name", ""), account.get("uid", "")
    if not (namespace and name and uid) or claims.get("sub") != f"system:serviceaccount:{namespace}:{name}":
        raise TokenError("the token's subject is not a service account")
    audience = claims.get("aud") or ()
    return Identity(
        namespace,
        name,
        uid,
        (audience,) if isinstance(audience, str) else tuple(audience),
        float(claims["exp"]),
        claims.get("jti", ""),
        pod=_bound(private.get("pod")),
        secret=_bound(private.get("secret")),
        node=_bound(private.get("node")),
    )


def _identity_in_secret(claims: Mapping[str, Any], audience: str) -> Identity:
    wanted = ("namespace", "service-account.name", "service-account.uid", "secret.name")
    namespace, name, uid, secret = (str(claims.get(_SECRET_CLAIMS + claim) or "") for claim in wanted)
    if not (namespace and name and uid and secret) or claims.get("sub") != f"system:serviceaccount:{namespace}:{name}":
        raise TokenError("the token's subject is not a service account")
    return Identity(namespace, name, uid, (audience,), math.inf, "", secret=Bound(secret, ""), in_secret=True)


def _bound(claim: Mapping[str, str] | None) -> Bound | None:
    return Bound(claim.get("name", ""), claim.get("uid", "")) if claim else None


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("a service-account key must be an EC P-256 private key")
    return key


def _public_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    if b"PRIVATE KEY" in pem:
        return _private_key(pem).public_key()
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("a service-account key must be an EC P-256 public key")
    return key


def _key_id(key: ec.EllipticCurvePublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _base64url(hashlib.sha256(der).digest())


def _jwk(key_id: str, key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    x, y = (_base64url(coordinate.to_bytes(32, "big")) for coordinate in (numbers.x, numbers.y))
    return {"use": "sig", "kty": "EC", "kid": key_id, "crv": "P-256", "alg": ALGORITHM, "x": x, "y": y}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

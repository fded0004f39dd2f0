"""Service-account tokens: claims as upstream's, and what makes one bad."""

from __future__ import annotations

import asyncio

import jwt
import pytest

from sampan.lib.clock import ManualClock
from sampan.pki.certificates import new_key_pem
from sampan.pki.tokens import Bound, Identity, TokenError, TokenSigner

ISSUER = "https://kubernetes.default.svc.cluster.local"
NOW = 1_700_000_000


def signer(clock: ManualClock | None = None, key: bytes = b"", issuer: str = ISSUER) -> TokenSigner:
    return TokenSigner(key or new_key_pem(), issuer, clock or ManualClock(NOW))


def test_a_token_carries_the_claims_of_upstream() -> None:
    token = signer().issue("shop", "web", "u1", ["api"], 600, pod=Bound("web-0", "p1"), node=Bound("node-1", "n1"))
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.pop("jti")
    assert claims == {
        "iss": ISSUER,
        "sub": "system:serviceaccount:shop:web",
        "aud": ["api"],
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 600,
        "kubernetes.io": {
            "namespace": "shop",
            "serviceaccount": {"name": "web", "uid": "u1"},
            "pod": {"name": "web-0", "uid": "p1"},
            "node": {"name": "node-1", "uid": "n1"},
        },
    }


def test_a_verified_token_says_who_it_is_for() -> None:
    tokens = signer()
    identity = tokens.verify(tokens.issue("shop", "web", "u1", expiration_seconds=600, pod=Bound("web-0", "p1")))
    assert identity == Identity("shop", "web", "u1", (ISSUER,), NOW + 600, identity.token_id, Bound("web-0", "p1"))
    assert identity.username == "system:serviceaccount:shop:web"


def test_a_token_ends_when_its_time_is_over_even_if_it_was_seen_before() -> None:
    clock = ManualClock(NOW)
    tokens = signer(clock)
    token = tokens.issue("shop", "web", "u1", expiration_seconds=600)
    tokens.verify(token)
    asyncio.run(clock.advance(600))
    with pytest.raises(TokenError, match="expired"):
        tokens.verify(token)


def test_an_extended_token_lives_a_year_and_warns_after_the_time_asked_for() -> None:
    claims = jwt.decode(
        signer().issue("a", "b", "u", expiration_seconds=3607, extend=True), options={"verify_signature": False}
    )
    assert claims["exp"] == NOW + 365 * 86400
    assert claims["kubernetes.io"]["warnafter"] == NOW + 3607


def test_tokens_of_an_older_key_are_accepted_while_it_is_listed() -> None:
    old, new = new_key_pem(), new_key_pem()
    token = signer(key=old).issue("shop", "web", "u1")
    assert TokenSigner(new, ISSUER, ManualClock(NOW), keys=[old]).verify(token).name == "web"
    with pytest.raises(TokenError):
        signer(key=new).verify(token)


def forged(key: bytes) -> dict[str, str]:
    good = signer(key=key).issue("shop", "web", "u1")
    head, body, signature = good.split(".")
    tokens = signer(key=key)
    return {
        "not a token at all": "secret",
        "an altered body": f"{head}.{body[:-4]}AAAA.{signature}",
        "no signature": f"{head}.{body}.",
        "algorithm none": jwt.encode({"sub": "system:serviceaccount:shop:web", "exp": NOW + 9}, None, algorithm="none"),
        "another issuer": signer(key=key, issuer="https://elsewhere").issue("shop", "web", "u1"),
        "another key": signer().issue("shop", "web", "u1"),
        "no expiry": tokens.sign({"iss": ISSUER, "sub": "system:serviceaccount:shop:web"}),
        "a subject that is not the account": tokens.sign(
            {
                "iss": ISSUER,
                "sub": "admin",
                "exp": NOW + 9,
                "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "web", "uid": "u1"}},
            }
        ),
        "not yet valid": TokenSigner(key, ISSUER, ManualClock(NOW + 100)).issue("shop", "web", "u1"),
    }


KEY = new_key_pem()


@pytest.mark.parametrize("flaw", forged(KEY))
def test_a_bad_token_is_refused(flaw: str) -> None:
    with pytest.raises(TokenError):
        signer(key=KEY).verify(forged(KEY)[flaw])

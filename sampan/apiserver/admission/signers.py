"""Who may approve for a signer, and sign for it: the verbs `approve` and `sign` on the resource `signers`.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization
"""

from __future__ import annotations

from typing import Final

from sampan.apiserver.authz.authorizer import Asked, Authorizer
from sampan.apiserver.user import User

GROUP: Final = "certificates.k8s.io"
PLURAL: Final = "certificatesigningrequests"


def may_use_signer(authorizer: Authorizer, user: User, verb: str, signer: str) -> bool:
    """By the signer's own name, or that of all signers of its domain: "kubernetes.io/*"."""
    wildcard = signer.partition("/")[0] + "/*"
    asked = (Asked(verb, group=GROUP, resource="signers", name=name) for name in (signer, wildcard))
    return any(authorizer.authorize(user, question).allowed for question in asked)

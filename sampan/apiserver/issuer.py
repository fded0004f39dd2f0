"""What others need to verify service-account tokens themselves: the issuer's OpenID document and its public keys.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sampan.apiserver.context import Context
from sampan.lib.http import Answer, Handler, Request, Response
from sampan.pki.tokens import ALGORITHM

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
_CACHEABLE = (("Cache-Control", "public, max-age=3600"),)


def issuer_pages(context: Context, public_address: Callable[[], str]) -> dict[str, Handler]:
    """`public_address`: this server's host and port. No pages where the server signs no tokens."""
    signer = context.authenticator.signer
    if signer is None:
        return {}
    keys = msgspec.json.encode(signer.public_jwks())

    def configuration(request: Request) -> Answer:
        document = {
            "issuer": signer.issuer,
            # The API server's own address, as the issuer's name resolves inside of the cluster alone; never what the client
            # calls it: the document is public and kept, and would send others to any host that somebody names.
            "jwks_uri": f"https://{public_address()}{KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }
        return Response(200, msgspec.json.encode(document), headers=_CACHEABLE)

    def jwks(request: Request) -> Answer:
        return Response(200, keys, "application/jwk-set+json", _CACHEABLE)

    return {CONFIGURATION: configuration, KEYS: jwks}

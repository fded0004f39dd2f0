"""CertificateSigning: only who may `sign` for a signer gives certificates out. After plugin/pkg/admission/certificates."""

from __future__ import annotations

from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import UPDATE, Attributes, Judge
from sampan.apiserver.admission.signers import GROUP, PLURAL, may_use_signer
from sampan.apiserver.authz.authorizer import Authorizer

_SIGNERS_OWN = ("certificate", "conditions")


class CertificateSigning(Judge):
    name = "CertificateSigning"

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        here = resource.group == GROUP and resource.plural == PLURAL
        return here and subresource == "status" and operation == UPDATE

    def validate(self, attributes: Attributes) -> None:
        old, new = attributes.old or {}, attributes.object or {}
        now, before = new.get("status", {}), old.get("status", {})
        if all((now.get(field) or None) == (before.get(field) or None) for field in _SIGNERS_OWN):
            return
        signer = old.get("spec", {}).get("signerName", "")
        if not may_use_signer(self._authorizer, attributes.user, "sign", signer):
            raise attributes.refused(f'user not permitted to sign requests with signerName "{signer}"')

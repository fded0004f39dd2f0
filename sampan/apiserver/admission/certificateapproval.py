"""CertificateApproval: only who may `approve` for a signer decides on requests to it.

After plugin/pkg/admission/certificates.
"""

from __future__ import annotations

from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import UPDATE, Attributes, Judge
from sampan.apiserver.admission.signers import GROUP, PLURAL, may_use_signer
from sampan.apiserver.authz.authorizer import Authorizer


class CertificateApproval(Judge):
    name = "CertificateApproval"

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        here = resource.group == GROUP and resource.plural == PLURAL
        return here and subresource == "approval" and operation == UPDATE

    def validate(self, attributes: Attributes) -> None:
        """By the stored object's signer: that in the request may be anything."""
        signer = (attributes.old or {}).get("spec", {}).get("signerName", "")
        if not may_use_signer(self._authorizer, attributes.user, "approve", signer):
            raise attributes.refused(f'user not permitted to approve requests with signerName "{signer}"')

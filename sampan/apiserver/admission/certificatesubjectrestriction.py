"""CertificateSubjectRestriction: nobody becomes `system:masters` by a client certificate that he asks the API for."""

from __future__ import annotations

from sampan.api.groups.certificates.parsing import BadCertificate, decoded, organizations, parse_request
from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge
from sampan.apiserver.admission.signers import GROUP, PLURAL
from sampan.apiserver.authz.authorizer import MASTERS

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateSubjectRestriction(Judge):
    name = "CertificateSubjectRestriction"

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource.group == GROUP and resource.plural == PLURAL and not subresource and operation == CREATE

    def validate(self, attributes: Attributes) -> None:
        spec = (attributes.object or {}).get("spec", {})
        if spec.get("signerName") != CLIENT_SIGNER:
            return
        try:
            groups = organizations(parse_request(decoded(spec.get("request", ""))))
        except BadCertificate as error:
            raise attributes.refused(f"failed to parse CSR: {error}") from error
        if MASTERS in groups:
            raise attributes.refused(f"use of {CLIENT_SIGNER} signer with system:masters group is not allowed")

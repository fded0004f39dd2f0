"""Who asks for a certificate stands in the request, whatever he wrote there himself.

Not one of upstream's plugins, where the strategy of the kind does it; a kind here knows nothing of users. It comes after all
that change objects.
"""

from __future__ import annotations

from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge
from sampan.apiserver.admission.signers import GROUP, PLURAL

_FIELDS = ("username", "uid", "groups", "extra")


class CertificateRequester(Judge):
    name = "CertificateRequester"

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource.group == GROUP and resource.plural == PLURAL and not subresource and operation == CREATE

    def mutate(self, attributes: Attributes) -> None:
        request = attributes.object
        assert request is not None, "a create has an object"
        user, spec = attributes.user, request.setdefault("spec", {})
        asked: Tree = {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        }
        for field in _FIELDS:
            if asked[field]:
                spec[field] = asked[field]
            else:
                spec.pop(field, None)

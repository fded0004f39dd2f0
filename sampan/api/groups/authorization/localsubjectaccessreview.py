"""LocalSubjectAccessReview: whether some user may do something in the namespace. It is answered, never stored."""

from __future__ import annotations

from sampan.api.resource import Resource

RESOURCE = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
    definition="io.k8s.api.authorization.v1.LocalSubjectAccessReview",
    namespaced=True,
    verbs=("create",),
)

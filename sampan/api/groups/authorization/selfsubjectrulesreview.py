"""SelfSubjectRulesReview: all that who asks may do in a namespace. It is answered, never stored."""

from __future__ import annotations

from sampan.api.resource import Resource

RESOURCE = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="SelfSubjectRulesReview",
    plural="selfsubjectrulesreviews",
    definition="io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    namespaced=False,
    verbs=("create",),
)

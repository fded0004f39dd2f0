"""TokenReview: whether a token is good, and whose it is. It is answered, never stored."""

from __future__ import annotations

from sampan.api.resource import Resource

RESOURCE = Resource(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenReview",
    plural="tokenreviews",
    definition="io.k8s.api.authentication.v1.TokenReview",
    namespaced=False,
    verbs=("create",),
)

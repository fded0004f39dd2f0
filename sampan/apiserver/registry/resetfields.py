"""Which fields a write through a subresource cannot change, and so cannot own: GetResetFields of upstream's strategies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Final

from sampan.api.apply.fieldset import EMPTY, Fields, of_path, union
from sampan.api.resource import Resource

_STATUS: Final = ("status",)
_SPEC: Final = ("spec",)
_METADATA: Final = ("metadata",)

# Where a kind does otherwise than most: (group, plural, subresource) → paths.
_EXCEPTIONS: Final[dict[tuple[str, str, str], tuple[tuple[str, ...], ...]]] = {
    ("", "namespaces", "finalize"): (_STATUS,),
    ("", "pods", "ephemeralcontainers"): (),
    ("", "pods", "resize"): (),
    ("", "pods", "status"): (_SPEC, (*_METADATA, "deletionTimestamp"), (*_METADATA, "ownerReferences")),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "status"): (_SPEC, _METADATA),
    ("apiextensions.k8s.io", "customresourcedefinitions", "status"): (_SPEC, _METADATA),
    ("apiregistration.k8s.io", "apiservices", "status"): (_SPEC, _METADATA),
    ("apps", "deployments", "status"): (_SPEC, (*_METADATA, "labels")),
    ("certificates.k8s.io", "certificatesigningrequests", ""): (_SPEC, _STATUS),
    ("certificates.k8s.io", "certificatesigningrequests", "approval"): (_SPEC, (*_STATUS, "certificate")),
    ("certificates.k8s.io", "certificatesigningrequests", "status"): (_SPEC, (*_STATUS, "conditions")),
    ("flowcontrol.apiserver.k8s.io", "flowschemas", "status"): (_SPEC, _METADATA),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "status"): (_SPEC, _METADATA),
    ("storage.k8s.io", "volumeattachments", "status"): (_SPEC, _METADATA),
}
# Where a subresource is for a few fields alone; "*" is any item.
_PARTS: Final[dict[tuple[str, str, str], tuple[tuple[str, ...], ...]]] = {
    ("", "pods", "ephemeralcontainers"): (("f:spec", "f:ephemeralContainers"),),
    ("", "pods", "resize"): (
        ("f:spec", "f:containers", "*", "f:resources"),
        ("f:spec", "f:containers", "*", "f:resizePolicy"),
    ),
}


def excluded_fields(resource: Resource, subresource: str) -> Fields:
    """With all that is within them."""
    found = _EXCEPTIONS.get((resource.group, resource.plural, subresource))
    if found is None:
        found = (_SPEC,) if subresource == "status" else (_STATUS,) if resource.status else ()
    return _set_of(found)


def open_fields(resource: Resource, subresource: str) -> tuple[tuple[str, ...], ...]:
    """The patterns of all that can be changed; none: all but the excluded."""
    return _PARTS.get((resource.group, resource.plural, subresource), ())


def _set_of(paths: Iterable[tuple[str, ...]]) -> Fields:
    return reduce(union, (of_path(tuple(f"f:{name}" for name in path)) for path in paths), EMPTY)

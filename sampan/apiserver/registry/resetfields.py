"""Which fields a write through a subresource cannot change, and so cannot own: GetResetFields of upstream's strategies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Final

from sampan.api.apply.fieldset import EMPTY, Fields, of_path, union
from sampan.api.resource import Resource

_STATUS: Final = ("status",)
_SPEC: Final = ("spec",)

# Where a kind does otherwise than most: (group, plural, subresource) → paths.
_EXCEPTIONS: Final[dict[tuple[str, str, str], tuple[tuple[str, ...], ...]]] = {
    ("", "namespaces", "finalize"): (_STATUS,),
    ("", "pods", "status"): (_SPEC, ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences")),
    ("apps", "deployments", "status"): (_SPEC, ("metadata", "labels")),
}


def excluded_fields(resource: Resource, subresource: str) -> Fields:
    """With all that is within them."""
    found = _EXCEPTIONS.get((resource.group, resource.plural, subresource))
    if found is None:
        found = (_SPEC,) if subresource == "status" else (_STATUS,) if resource.status else ()
    return _set_of(found)


def _set_of(paths: Iterable[tuple[str, ...]]) -> Fields:
    return reduce(union, (of_path(tuple(f"f:{name}" for name in path)) for path in paths), EMPTY)

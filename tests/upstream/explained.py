"""What differs because upstream changed between 1.20 and 1.33, or on purpose, each with its reason in a few words."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from tests.upstream.comparing import Difference


class Explained(NamedTuple):
    """Differences at paths like `at`, of requests like `request`; both are found by searching."""

    reason: str
    at: str
    request: str = ""
    ours: str = ""
    """If given, what Sampan's value, as JSON, must look like."""


YOUNGER = (
    *("completionMode", "suspend", "manualSelector", "podReplacementPolicy", "podFailurePolicy", "successPolicy"),
    *("backoffLimitPerIndex", "maxFailedIndexes", "managedBy", "internalTrafficPolicy", "persistentVolumeClaimRetentionPolicy"),
    *("ordinals", "minReadySeconds", "availableReplicas", "maxSurge", "requiresRepublish", "seLinuxMount", "tokenRequests"),
    *("nodeAllocatableUpdatePeriodSeconds", "lastPhaseTransitionTime", "volumeAttributesClassName", "expirationSeconds"),
    *("dataSourceRef", "schedulingGates", "os", "resizePolicy", "ipMode", "scope", "namespaceSelector", "endPort"),
    *("matchConditions", "hostUsers", "resourceClaims", "allocatedResources", "timeZone", "unhealthyPodEvictionPolicy"),
    *("matchLabelKeys", "mismatchLabelKeys", "nodeInclusionPolicy", "nodeAffinityPolicy", "nodeTaintsPolicy", "minDomains"),
)
"""Fields that came after 1.20."""
_YOUNGER = rf"\.(f:)?({'|'.join(YOUNGER)})\b"

ROWS: tuple[Explained, ...] = (
    Explained("a younger field", _YOUNGER),
    Explained("1.22: what a writer may not set is not his", r"managedFields\[\d+\]\.fieldsV1\.f:status"),
    Explained("1.22: which write was to a subresource is recorded", r"managedFields\[\d+\]\.subresource$"),
    Explained(
        "1.21: references, selectors and more are atomic",
        r"managedFields.*\.f:(involvedObject|regarding|related|roleRef|selector|nodeSelector|fieldRef|scaleTargetRef"
        r"|scopeSelector|podSelector|dataSource|required|port|controllerExpandSecretRef|secrets)\b",
    ),
    Explained("1.21: namespaces have a label with their name", r"metadata\.(labels|managedFields)", r" /api/v1/namespaces[^/]*$|namespaces/[^/]+$"),
    Explained("1.33: Endpoints are deprecated", r"headers\.warning", r"/endpoints\b", "v1 Endpoints is deprecated"),
    Explained("1.33: generation counts the spec's changes", r"metadata\.generation$", r"/(pods|persistentvolumes|cron)\b"),
)

REWORDED: tuple[tuple[str, str], ...] = ()
"""Words of 1.20 and what 1.33 says instead."""


def is_explained(request: str, found: Difference) -> str:
    """The reason, or nothing."""
    for row in ROWS:
        here = re.search(row.at, found.at) and re.search(row.request, request)
        if here and (not row.ours or re.search(row.ours, json.dumps(found.ours))):
            return row.reason
    return ""


def reworded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reworded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [reworded(inner) for inner in value]
    if isinstance(value, str):
        for old, new in REWORDED:
            value = re.sub(old, new, value)
    return value

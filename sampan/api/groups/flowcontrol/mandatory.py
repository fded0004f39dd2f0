"""The FlowSchemas and PriorityLevelConfigurations that every cluster has exactly so; by name, the spec of each.

https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#mandatory-configuration-objects
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sampan.api.resource import Tree

EXEMPT: Final = "exempt"
CATCH_ALL: Final = "catch-all"

LEVELS: Final[dict[str, Tree]] = {
    EXEMPT: {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
    CATCH_ALL: {
        "type": "Limited",
        "limited": {"nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": {"type": "Reject"}},
    },
}


def _everything_of(groups: Sequence[str]) -> list[Tree]:
    resources = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    return [
        {
            "subjects": [{"kind": "Group", "group": {"name": name}} for name in groups],
            "resourceRules": [resources],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }
    ]


SCHEMAS: Final[dict[str, Tree]] = {
    EXEMPT: {
        "priorityLevelConfiguration": {"name": EXEMPT},
        "matchingPrecedence": 1,
        "rules": _everything_of(["system:masters"]),
    },
    CATCH_ALL: {
        "priorityLevelConfiguration": {"name": CATCH_ALL},
        "matchingPrecedence": 10000,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": _everything_of(["system:unauthenticated", "system:authenticated"]),
    },
}

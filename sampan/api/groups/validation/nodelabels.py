"""Warnings of labels of nodes that have later names. After pkg/api/node/util.go."""

from __future__ import annotations

from sampan.api import names
from sampan.api.resource import Tree

LATER_NAMES = {
    "beta.kubernetes.io/arch": ("kubernetes.io/arch", "v1.14"),
    "beta.kubernetes.io/os": ("kubernetes.io/os", "v1.14"),
    "failure-domain.beta.kubernetes.io/region": ("topology.kubernetes.io/region", "v1.17"),
    "failure-domain.beta.kubernetes.io/zone": ("topology.kubernetes.io/zone", "v1.17"),
    "beta.kubernetes.io/instance-type": ("node.kubernetes.io/instance-type", "v1.17"),
}
"""Label → its later name, and since when."""
_OTHERS = {
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def why_deprecated(key: str) -> str:
    """ "" of a label that is not."""
    if key not in LATER_NAMES:
        return _OTHERS.get(key, "")
    later, since = LATER_NAMES[key]
    return f'deprecated since {since}; use "{later}" instead'


def warn_of_expressions(term: Tree, path: str, values: bool = False) -> list[str]:
    """Of the matchExpressions of a node selector's term or of a label selector of nodes; `values`: of what none can have."""
    warnings: list[str] = []
    for index, expression in enumerate(term.get("matchExpressions", ())):
        where, key = f"{path}.matchExpressions[{index}]", expression.get("key", "")
        if why := why_deprecated(key):
            warnings.append(f"{where}.key: {key} is {why}")
        for number, value in enumerate(expression.get("values", ()) if values else ()):
            warnings += [f"{where}.values[{number}]: {value} is invalid, {why}" for why in names.label_value(value)]
    return warnings


def warn_of_selector(selector: Tree, path: str) -> list[str]:
    """Of a label selector of nodes."""
    labels = selector.get("matchLabels", ())
    warnings = warn_of_expressions(selector, path)
    return warnings + [f"{path}.matchLabels.{key}: {why}" for key in labels if (why := why_deprecated(key))]

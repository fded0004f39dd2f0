"""Which requests rules of webhooks and policies are about."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.resource import Resource
from sampan.apiserver.webhooks.matching import choose
from sampan.apiserver.webhooks.rules import Place, Rule, targets

PODS = Resource(group="", version="v1", kind="Pod", plural="pods", definition="")
HPA_V1 = Resource(group="autoscaling", version="v1", kind="HorizontalPodAutoscaler", plural="hpas", definition="")
HPA_V2 = Resource(group="autoscaling", version="v2", kind="HorizontalPodAutoscaler", plural="hpas", definition="")


def rule(**fields: Any) -> Rule:
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "scope": "*"}
    return Rule(everything | fields)


def place(resource: str = "pods", operation: str = "CREATE", **fields: Any) -> Place:
    plural, _, subresource = resource.partition("/")
    return Place("", "v1", plural, subresource, operation, namespaced=True)._replace(**fields)


@pytest.mark.parametrize(
    ("fields", "where", "expected"),
    [
        ({}, place(), True),
        ({"operations": ["CREATE", "DELETE"]}, place(operation="DELETE"), True),
        ({"operations": ["CREATE", "DELETE"]}, place(operation="CONNECT"), False),
        ({"operations": ["*"]}, place(operation="CONNECT"), True),
        ({"apiGroups": [""]}, place(), True),
        ({"apiGroups": ["apps", "batch"]}, place(), False),
        ({"apiGroups": ["apps", "batch"]}, place(group="batch"), True),
        ({"apiVersions": ["v1beta1"]}, place(), False),
        ({"apiVersions": ["v1beta1", "v1"]}, place(), True),
        ({"resources": ["*"]}, place("pods"), True),
        ({"resources": ["*"]}, place("pods/exec"), False),
        ({"resources": ["pods"]}, place("pods/exec"), False),
        ({"resources": ["pods/*"]}, place("pods/exec"), True),
        ({"resources": ["pods/*"]}, place("pods"), True),
        ({"resources": ["pods/*"]}, place("nodes/proxy"), False),
        ({"resources": ["*/proxy", "*/exec"]}, place("pods/exec"), True),
        ({"resources": ["*/proxy", "*/exec"]}, place("nodes/proxy"), True),
        ({"resources": ["*/proxy", "*/exec"]}, place("pods"), False),
        ({"resources": ["*/*"]}, place("pods/status"), True),
        ({"scope": "Namespaced"}, place(), True),
        ({"scope": "Namespaced"}, place("namespaces", namespaced=False), False),
        ({"scope": "Cluster"}, place("namespaces", namespaced=False), True),
        ({"scope": "Cluster"}, place(), False),
    ],
)  # fmt: skip
def test_a_rule_matches_by_everything_it_says(fields: dict[str, Any], where: Place, expected: bool) -> None:
    assert rule(**fields).matches(where) is expected


def test_a_request_matches_as_itself_before_it_does_as_an_equivalent() -> None:
    by_v1 = rule(apiGroups=["autoscaling"], apiVersions=["v1"])
    asked = place("hpas", group="autoscaling", version="v2")
    assert [t.resource for t in targets([by_v1], asked, HPA_V2, [HPA_V1])] == [HPA_V1]
    assert targets([by_v1], asked, HPA_V2, []) == []
    assert [t.resource for t in targets([by_v1, rule()], asked, HPA_V2, [HPA_V1])] == [HPA_V2, HPA_V1, HPA_V1]


def test_names_narrow_a_rule_down() -> None:
    found = targets([rule(resourceNames=["a", "b"]), rule(resourceNames=["c"])], place(), PODS, [])
    assert [choose(found, name) is not None for name in ("a", "c", "d", "")] == [True, True, False, False]
    assert choose(targets([rule()], place(), PODS, []), "anything") is not None

"""LimitRange and ResourceQuota."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.limitrange import RESOURCE as LIMIT_RANGE
from sampan.api.groups.core.resourcequota import RESOURCE as QUOTA
from sampan.api.resource import Tree
from tests.unit.groups.kinds import CREATED, create_errors, created, defaulted, merged, row, status_errors, update_errors

META: Tree = {"metadata": {"name": "a", "namespace": "default"}}


def limits(*items: Tree) -> Tree:
    return META | {"spec": {"limits": list(items)}}


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        (
            {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Gi"}},
            {"default": {"cpu": "2"}, "defaultRequest": {"cpu": "2", "memory": "1Gi"}},
        ),
        (
            {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}},
            {"default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}},
        ),
        ({"type": "Container"}, {}),
        ({"type": "Pod", "max": {"cpu": "2"}}, {}),
    ],
)
def test_limits_of_containers_fill_each_other_in(given: Tree, filled: Tree) -> None:
    assert defaulted(LIMIT_RANGE, limits(given))["spec"]["limits"] == [given | filled]


def container(**amounts: str) -> Tree:
    return {"type": "Container"} | {field: {"cpu": amount} for field, amount in amounts.items()}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([container(max="2", min="1", default="2", defaultRequest="1", maxLimitRequestRatio="2")], []),
        ([{"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}, {"type": "example.com/thing"}], []),
        (
            [{"type": "Box"}, {"type": "Box"}],
            [
                'Invalid spec.limits[0].type: Invalid value: "Box": must be a standard limit type or fully qualified',
                'Invalid spec.limits[1].type: Invalid value: "Box": must be a standard limit type or fully qualified',
                'Duplicate spec.limits[1].type: Duplicate value: "Box"',
            ],
        ),
        (
            [{"type": "Pod", "max": {"storage": "1"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1"}}],
            [
                'Invalid spec.limits[0].max[storage]: Invalid value: "storage": must be a standard resource for containers',
                "Forbidden spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
                "Forbidden spec.limits[0].defaultRequest: Forbidden: may not be specified when `type` is 'Pod'",
            ],
        ),
        (
            [{"type": "PersistentVolumeClaim", "max": {"cpu": "1"}}],
            [
                "Required spec.limits[0].limits: Required value: either minimum or maximum storage value is required, "
                "but neither was provided"
            ],
        ),
        (
            [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}],
            ['Invalid spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
        ),
        (
            [container(min="2", defaultRequest="1", default="3")],
            [
                'Invalid spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default '
                "request value 1"
            ],
        ),
        (
            [container(max="2", defaultRequest="4", default="3")],
            [
                'Invalid spec.limits[0].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than '
                "max value 2",
                'Invalid spec.limits[0].defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than '
                "default limit value 3",
                'Invalid spec.limits[0].default[cpu]: Invalid value: "2": default value 3 is greater than max value 2',
            ],
        ),
        (
            [container(min="1", max="2", maxLimitRequestRatio="3")],
            [
                'Invalid spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than '
                "max/min = 2.000000"
            ],
        ),
        (
            [{"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}],
            ['Invalid spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1'],
        ),
        (
            [{"type": "Container", "default": {"hugepages-2Mi": "4Mi"}, "defaultRequest": {"hugepages-2Mi": "2Mi"}}],
            [
                'Invalid spec.limits[0].defaultRequest[hugepages-2Mi]: Invalid value: "2Mi": default value 4Mi must equal '
                "to defaultRequest value 2Mi in hugepages-2Mi"
            ],
        ),
    ],
)
def test_limit_range_rules(items: list[Tree], expected: list[str]) -> None:
    assert create_errors(LIMIT_RANGE, limits(*items)) == expected


def test_the_table_of_limit_ranges() -> None:
    assert row(LIMIT_RANGE, META) == {"Name": "a", "Created At": CREATED}
    assert [column.type_ for column in LIMIT_RANGE.columns] == ["string", "date"]


SCOPE = "core.ResourceQuotaScope"
ONLY_EXISTS = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
SELECTOR = "spec.scopeSelector.matchExpressions"


def selecting(scope: str, operator: str, *values: str) -> Tree:
    expression: Tree = {"scopeName": scope, "operator": operator} | ({"values": list(values)} if values else {})
    return {"scopeSelector": {"matchExpressions": [expression]}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"hard": {"cpu": "2", "pods": "4", "count/jobs.batch": "5", "requests.example.com/gpu": "1"}}, []),
        ({"hard": {"requests.hugepages-2Mi": "4Mi", "fast.storageclass.storage.k8s.io/requests.storage": "1Gi"}}, []),
        (
            {"hard": {"people": "3"}},
            [
                'Invalid spec.hard[people]: Invalid value: "people": must be a standard resource type or fully qualified',
                'Invalid spec.hard[people]: Invalid value: "people": must be a standard resource for quota',
            ],
        ),
        (
            {"hard": {"storage": "1Gi"}},
            ['Invalid spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota'],
        ),
        (
            {"hard": {"pods": "-1", "services": "1500m"}},
            [
                'Invalid spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0',
                'Invalid spec.hard[services]: Invalid value: "1500m": must be an integer',
            ],
        ),
        ({"scopes": ["Odd"]}, [f'Invalid spec.scopes: Invalid value: []{SCOPE}{{"Odd"}}: unsupported scope']),
        (
            {"hard": {"services": "1", "pods": "1"}, "scopes": ["BestEffort"]},
            [f'Invalid spec.scopes: Invalid value: []{SCOPE}{{"BestEffort"}}: unsupported scope applied to resource'],
        ),
        (
            {"scopes": ["BestEffort", "NotBestEffort"]},
            [f'Invalid spec.scopes: Invalid value: []{SCOPE}{{"BestEffort", "NotBestEffort"}}: conflicting scopes'],
        ),
        (selecting("PriorityClass", "In", "high"), []),
        (selecting("CrossNamespacePodAffinity", "Exists"), []),
        (
            selecting("Terminating", "In", "a"),
            [f'Invalid {SELECTOR}.operator: Invalid value: "In": {ONLY_EXISTS}'],
        ),
        (
            selecting("PriorityClass", "In"),
            [
                f"Required {SELECTOR}.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' "
                "for scope selector"
            ],
        ),
        (
            selecting("PriorityClass", "Exists", "a"),
            [
                f"Invalid {SELECTOR}.values: Invalid value: []string{{\"a\"}}: must be no value when `operator` is 'Exist' or "
                "'DoesNotExist' for scope selector"
            ],
        ),
        (
            selecting("Odd", "Like"),
            [
                f'Invalid {SELECTOR}.scopeName: Invalid value: "Odd": unsupported scope',
                f'Invalid {SELECTOR}.operator: Invalid value: "Like": not a valid selector operator',
            ],
        ),
    ],
)
def test_quota_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(QUOTA, META | {"spec": spec}) == expected


def test_a_quota_keeps_its_scopes_and_gets_its_status_from_others() -> None:
    old = META | {"spec": {"hard": {"pods": "4"}, "scopes": ["BestEffort"]}, "status": {"used": {"pods": "1"}}}
    assert "status" not in created(QUOTA, old)
    assert update_errors(QUOTA, old, {"spec": {"hard": {"pods": "5"}}}) == []
    assert update_errors(QUOTA, old, {"spec": {"scopes": ["NotBestEffort"]}}) == [
        f'Invalid spec.scopes: Invalid value: []{SCOPE}{{"NotBestEffort"}}: field is immutable'
    ]
    assert status_errors(QUOTA, old, {}, {"hard": {"pods": "4"}, "used": {"pods": "-1"}}) == [
        'Invalid status.used[pods]: Invalid value: "-1": must be greater than or equal to 0'
    ]


def test_the_table_of_quotas() -> None:
    status = {"hard": {"limits.cpu": "4", "pods": "9", "cpu": "2"}, "used": {"cpu": "500m", "limits.cpu": "1"}}
    tree = merged(META, {"status": status})
    assert row(QUOTA, tree) == {"Name": "a", "Request": "cpu: 500m/2, pods: 0/9", "Limit": "limits.cpu: 1/4", "Age": "5m"}
    assert list(row(QUOTA, META)) == ["Name", "Request", "Limit", "Age"]

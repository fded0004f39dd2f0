"""Role, ClusterRole, RoleBinding and ClusterRoleBinding."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.rbac.clusterrole import RESOURCE as CLUSTER_ROLE
from sampan.api.groups.rbac.clusterrolebinding import RESOURCE as CLUSTER_ROLE_BINDING
from sampan.api.groups.rbac.role import RESOURCE as ROLE
from sampan.api.groups.rbac.rolebinding import RESOURCE as ROLE_BINDING
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, defaulted, row, update_errors

GROUP = "rbac.authorization.k8s.io"
META: Tree = {"metadata": {"name": "system:a", "namespace": "default"}}
RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RULE, []),
        (
            {"apiGroups": [""], "resources": ["pods"]},
            ["Required rules[0].verbs: Required value: verbs must contain at least one value"],
        ),
        (
            {"verbs": ["get"]},
            [
                "Required rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "Required rules[0].resources: Required value: resource rules must supply at least one resource",
            ],
        ),
        (
            {"verbs": ["get"], "nonResourceURLs": ["/x"]},
            [
                'Invalid rules[0].nonResourceURLs: Invalid value: []string{"/x"}: '
                "namespaced rules cannot apply to non-resource URLs"
            ],
        ),
    ],
)
def test_role_rules(rule: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(ROLE, META | {"rules": [rule]}) == expected


def test_cluster_roles_may_name_urls_but_not_beside_resources() -> None:
    meta = {"metadata": {"name": "a"}}
    assert create_errors(CLUSTER_ROLE, meta | {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}) == []
    assert create_errors(CLUSTER_ROLE, meta | {"rules": [RULE | {"nonResourceURLs": ["/x"]}]}) == [
        'Invalid rules[0].nonResourceURLs: Invalid value: []string{"/x"}: '
        "rules cannot apply to both regular resources and non-resource URLs"
    ]
    assert create_errors(CLUSTER_ROLE, meta | {"aggregationRule": {}}) == [
        "Required aggregationRule.clusterRoleSelectors: Required value: "
        "at least one clusterRoleSelector required if aggregationRule is non-nil"
    ]


def test_a_binding_fills_in_api_groups() -> None:
    subjects = [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]
    tree = defaulted(ROLE_BINDING, META | {"roleRef": {"kind": "Role", "name": "r"}, "subjects": subjects})
    assert tree["roleRef"] == {"apiGroup": GROUP, "kind": "Role", "name": "r"}
    assert tree["subjects"] == [{"kind": "User", "name": "u", "apiGroup": GROUP}, subjects[1]]


def binding(**change: Any) -> Tree:
    return META | {"roleRef": {"kind": "Role", "name": "r"}, "subjects": []} | change


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (binding(), []),
        (binding(roleRef={"kind": "Role", "name": ""}), ["Required roleRef.name: Required value"]),
        (
            binding(roleRef={"kind": "Pod", "name": "r"}),
            ['NotSupported roleRef.kind: Unsupported value: "Pod": supported values: "Role", "ClusterRole"'],
        ),
        (
            binding(subjects=[{"kind": "Robot", "name": "x"}]),
            ['NotSupported subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'],
        ),
        (
            binding(subjects=[{"kind": "User", "name": "x", "apiGroup": "y"}]),
            [f'NotSupported subjects[0].apiGroup: Unsupported value: "y": supported values: "{GROUP}"'],
        ),
    ],
)
def test_role_binding_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(ROLE_BINDING, tree) == expected


def test_a_cluster_role_binding_needs_the_namespace_of_a_service_account() -> None:
    tree = {"metadata": {"name": "a"}, "roleRef": {"kind": "ClusterRole", "name": "r"}}
    assert create_errors(CLUSTER_ROLE_BINDING, tree | {"subjects": [{"kind": "ServiceAccount", "name": "s"}]}) == [
        "Required subjects[0].namespace: Required value"
    ]


def test_a_binding_never_changes_its_role() -> None:
    assert update_errors(ROLE_BINDING, binding(), {"roleRef": {"name": "other"}}) == [
        f'Invalid roleRef: Invalid value: rbac.RoleRef{{APIGroup:"{GROUP}", Kind:"Role", Name:"other"}}: cannot change roleRef'
    ]


def test_the_tables() -> None:
    subjects = [
        {"kind": "User", "name": "u"},
        {"kind": "User", "name": "v"},
        {"kind": "Group", "name": "g"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ]
    assert row(ROLE_BINDING, binding(subjects=subjects)) == {
        "Name": "system:a",
        "Role": "Role/r",
        "Age": "5m",
        "Users": "u, v",
        "Groups": "g",
        "ServiceAccounts": "n/s",
    }
    assert row(ROLE, META) == {"Name": "system:a", "Created At": "2023-11-14T22:08:20Z"}

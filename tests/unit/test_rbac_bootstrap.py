"""The roles a cluster starts with: who can do what out of the box, and how a changed one is reconciled."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.resource import Tree
from sampan.apiserver.authz.authorizer import Asked
from sampan.apiserver.authz.bootstrap import (
    AUTOUPDATE,
    cluster_role_bindings,
    cluster_roles,
    reconciled,
    role_bindings,
    roles,
)
from sampan.apiserver.authz.policy import PLURALS
from sampan.apiserver.authz.rbac import RBAC
from sampan.apiserver.user import User
from tests.unit.test_rbac import Cache, Object


@pytest.fixture(scope="module")
def rbac() -> RBAC:
    caches = {plural: Cache() for plural in PLURALS}
    made = {
        "roles": roles(),
        "rolebindings": role_bindings(),
        "clusterroles": cluster_roles(),
        "clusterrolebindings": [*cluster_role_bindings(), *_people()],
    }
    for plural, trees in made.items():
        found = [(tree["metadata"].get("namespace", ""), tree["metadata"]["name"], tree) for tree in trees]
        caches[plural].fill(*(Object(*each) for each in found))
    return RBAC(caches)


def _people() -> list[Tree]:
    return [
        {
            "metadata": {"name": f"the-{role}"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": role}],
        }
        for role in ("admin", "edit", "view")
    ]


MANAGER = User("system:kube-controller-manager")
SCHEDULER = User("system:kube-scheduler")
NODE = User("system:node:n", groups=("system:nodes", "system:authenticated"))
ANYBODY = User("somebody", groups=("system:authenticated",))
NOBODY = User("system:anonymous", groups=("system:unauthenticated",))
ADMIN, EDIT, VIEW = User("admin"), User("edit"), User("view")


def path(url: str) -> dict[str, Any]:
    return {"path": url, "is_resource": False}


@pytest.mark.parametrize(
    ("user", "verb", "asked", "allowed"),
    [
        (ANYBODY, "get", path("/apis/apps"), True),
        (ANYBODY, "create", {"group": "authorization.k8s.io", "resource": "selfsubjectaccessreviews"}, True),
        (ANYBODY, "list", {"resource": "pods", "namespace": "default"}, False),
        (NOBODY, "get", path("/version"), True),
        (NOBODY, "get", path("/apis"), False),
        (NOBODY, "get", path("/metrics"), False),
        (VIEW, "list", {"resource": "pods", "namespace": "a"}, True),
        (VIEW, "get", {"resource": "pods", "subresource": "log", "namespace": "a"}, True),
        (VIEW, "get", {"resource": "secrets", "namespace": "a"}, False),
        (VIEW, "delete", {"resource": "pods", "namespace": "a"}, False),
        (EDIT, "get", {"resource": "secrets", "namespace": "a"}, True),
        (EDIT, "list", {"resource": "pods", "namespace": "a"}, True),
        (EDIT, "create", {"resource": "pods", "subresource": "exec", "namespace": "a"}, True),
        (EDIT, "create", {"group": "rbac.authorization.k8s.io", "resource": "roles", "namespace": "a"}, False),
        (ADMIN, "create", {"group": "rbac.authorization.k8s.io", "resource": "roles", "namespace": "a"}, True),
        (ADMIN, "delete", {"resource": "pods", "namespace": "a"}, True),
        (ADMIN, "update", {"resource": "nodes"}, False),
        (MANAGER, "create", {"resource": "pods", "namespace": "a"}, True),
        (MANAGER, "update", {"group": "apps", "resource": "deployments", "subresource": "status", "namespace": "a"}, True),
        (MANAGER, "watch", {"group": "example.com", "resource": "anything"}, True),
        (SCHEDULER, "create", {"resource": "pods", "subresource": "binding", "namespace": "a"}, True),
        (SCHEDULER, "create", {"resource": "pods", "namespace": "a"}, False),
        (NODE, "watch", {"group": "discovery.k8s.io", "resource": "endpointslices"}, True),
        (NODE, "create", {"group": "discovery.k8s.io", "resource": "endpointslices", "namespace": "kube-system"}, True),
        (NODE, "create", {"group": "discovery.k8s.io", "resource": "endpointslices", "namespace": "default"}, False),
        (NODE, "list", {"resource": "secrets", "namespace": "default"}, False),
    ],
)
def test_out_of_the_box(rbac: RBAC, user: User, verb: str, asked: dict[str, Any], allowed: bool) -> None:
    assert rbac.authorize(user, Asked(verb, **asked)).allowed is allowed


def test_every_binding_refers_to_a_role_there_is() -> None:
    names = {("ClusterRole", "", tree["metadata"]["name"]) for tree in cluster_roles()}
    names |= {("Role", tree["metadata"]["namespace"], tree["metadata"]["name"]) for tree in roles()}
    for tree in (*cluster_role_bindings(), *role_bindings()):
        role = tree["roleRef"]
        assert (role["kind"], tree["metadata"].get("namespace", ""), role["name"]) in names


def role(*rules: Tree, **annotations: str) -> Tree:
    return {"metadata": {"name": "r", "annotations": annotations}, "rules": list(rules)}


GET = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
LIST = {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}
BOTH = {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}


def test_rules_that_were_taken_away_come_back_and_added_ones_stay() -> None:
    extra = {"verbs": ["eat"], "apiGroups": [""], "resources": ["pods"]}
    assert reconciled(role(extra, GET), role(GET, LIST))["rules"] == [extra, GET, LIST]


def test_rules_that_are_covered_by_wider_ones_are_not_added() -> None:
    assert reconciled(role(BOTH), role(GET, LIST))["rules"] == [BOTH]


def test_a_role_that_lacks_nothing_is_not_touched() -> None:
    for tree in (*cluster_roles(), *roles(), *cluster_role_bindings(), *role_bindings()):
        assert reconciled(tree, tree) == tree


def test_a_role_that_asks_to_be_left_alone_is() -> None:
    present = role(**{AUTOUPDATE: "false"})
    assert reconciled(present, role(GET)) is present


def test_subjects_that_were_taken_away_come_back_and_added_ones_stay() -> None:
    reference = {"kind": "ClusterRole", "name": "r"}
    ours, theirs = {"kind": "User", "name": "ours"}, {"kind": "User", "name": "theirs"}
    present = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [theirs]}
    wanted = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [ours]}
    assert reconciled(present, wanted)["subjects"] == [theirs, ours]

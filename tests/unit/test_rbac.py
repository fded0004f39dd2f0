"""RBAC: what a rule allows, whom a binding concerns, and how the policy follows its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from sampan.apiserver.authz.authorizer import Asked, Authorizer
from sampan.apiserver.authz.policy import PLURALS
from sampan.apiserver.authz.rbac import RBAC, Decision
from sampan.apiserver.authz.rules import Rule, compact, missing
from sampan.apiserver.user import User

Tree = dict[str, Any]


class Object(NamedTuple):
    namespace: str
    name: str
    body: Tree

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    def tree(self) -> Tree:
        return self.body


class Event(NamedTuple):
    object: Object
    deleted: bool


class Cache:
    """A watch cache as the policy sees it."""

    def __init__(self) -> None:
        self.objects: Mapping[str, Any] = {}
        self._listeners: list[Callable[[Sequence[Any]], None]] = []

    def listen(self, listener: Callable[[Sequence[Any]], None]) -> None:
        self._listeners.append(listener)

    def put(self, name: str, body: Tree, namespace: str = "", *, deleted: bool = False) -> None:
        for listener in self._listeners:
            listener([Event(Object(namespace, name, body), deleted)])

    def fill(self, *objects: Object) -> None:
        self.objects = {obj.key: obj for obj in objects}


class Cluster:
    def __init__(self) -> None:
        self.caches = {plural: Cache() for plural in PLURALS}
        self.rbac = RBAC(self.caches)
        self.rbac.authorize(User("anybody"), Asked("get", path="/", is_resource=False))

    def role(self, *rules: Tree, name: str = "r", namespace: str = "") -> None:
        self.caches["roles" if namespace else "clusterroles"].put(name, {"rules": list(rules)}, namespace)

    def bind(
        self, *subjects: Tree, role: str = "ClusterRole/r", name: str = "b", namespace: str = "", deleted: bool = False
    ) -> None:
        kind, _, role_name = role.partition("/")
        body = {"subjects": list(subjects), "roleRef": {"kind": kind, "name": role_name}}
        self.caches["rolebindings" if namespace else "clusterrolebindings"].put(name, body, namespace, deleted=deleted)

    def allows(self, user: User, question: Asked) -> bool:
        return self.rbac.authorize(user, question).allowed


def user(name: str) -> Tree:
    return {"kind": "User", "name": name}


def rule(verbs: str, groups: str = "", resources: str = "", names: str = "", urls: str = "") -> Tree:
    tree: Tree = {"verbs": verbs.split()}
    if urls:
        return tree | {"nonResourceURLs": urls.split()}
    tree |= {"apiGroups": [g.replace("core", "") for g in groups.split()], "resources": resources.split()}
    return tree | ({"resourceNames": names.split()} if names else {})


BOB = User("bob", groups=("dev", "system:authenticated"))


def pods(verb: str, **more: str) -> Asked:
    return Asked(verb, resource=more.pop("resource", "pods"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "asked", "allowed"),
    [
        pytest.param(rule("get", "core", "pods"), pods("get", name="web"), True, id="a verb and resource"),
        pytest.param(rule("get", "core", "pods"), pods("list"), False, id="another verb"),
        pytest.param(rule("get", "core", "pods"), pods("get", group="apps"), False, id="another group"),
        pytest.param(rule("get", "core", "pods"), pods("get", resource="secrets"), False, id="another resource"),
        pytest.param(rule("*", "*", "*"), pods("eat", group="x", subresource="y"), True, id="everything"),
        pytest.param(rule("*", "*", "*"), Asked("get", path="/healthz", is_resource=False), False, id="everything is no path"),
        pytest.param(rule("get", "core", "pods"), pods("get", subresource="log"), False, id="a subresource is another thing"),
        pytest.param(rule("get", "core", "pods/log"), pods("get", subresource="log"), True, id="a subresource"),
        pytest.param(rule("get", "core", "pods/log"), pods("get"), False, id="a subresource is not its resource"),
        pytest.param(rule("get", "apps", "*/scale"), pods("get", group="apps", subresource="scale"), True, id="any's scale"),
        pytest.param(rule("get", "apps", "*/scale"), pods("get", group="apps"), False, id="any's scale is not any"),
        pytest.param(rule("get", "core", "*"), pods("get", subresource="log"), True, id="any resource has any subresource"),
        pytest.param(rule("get", "core", "pods", "web db"), pods("get", name="db"), True, id="a name"),
        pytest.param(rule("get", "core", "pods", "web"), pods("get", name="db"), False, id="another name"),
        pytest.param(rule("list", "core", "pods", "web"), pods("list"), False, id="names do not allow lists"),
        pytest.param(rule("list", "core", "pods", "web"), pods("list", name="web"), True, id="but a list of one name"),
        pytest.param(rule("get", urls="/x"), Asked("get", path="/x", is_resource=False), True, id="a path"),
        pytest.param(rule("get", urls="/x"), Asked("get", path="/x/y", is_resource=False), False, id="a longer path"),
        pytest.param(rule("get", urls="/x/*"), Asked("get", path="/x/y/z", is_resource=False), True, id="paths below"),
        pytest.param(rule("get", urls="/x*"), Asked("get", path="/xy", is_resource=False), True, id="paths that begin"),
        pytest.param(rule("get", urls="*"), Asked("get", path="/any", is_resource=False), True, id="all paths"),
        pytest.param(rule("get", urls="/x"), Asked("post", path="/x", is_resource=False), False, id="a path's other method"),
        pytest.param(rule("get", urls="*"), pods("get"), False, id="paths are no resources"),
    ],
)
def test_a_rule_allows(given: Tree, asked: Asked, allowed: bool) -> None:
    cluster = Cluster()
    cluster.role(given)
    cluster.bind(user("bob"))
    assert cluster.allows(BOB, asked) is allowed


ACCOUNT = User("system:serviceaccount:shop:web", groups=("system:serviceaccounts", "system:serviceaccounts:shop"))


@pytest.mark.parametrize(
    ("subject", "who", "allowed"),
    [
        (user("bob"), BOB, True),
        (user("alice"), BOB, False),
        ({"kind": "Group", "name": "dev"}, BOB, True),
        ({"kind": "Group", "name": "bob"}, BOB, False),
        (user("dev"), BOB, False),
        ({"kind": "ServiceAccount", "name": "web", "namespace": "shop"}, ACCOUNT, True),
        ({"kind": "ServiceAccount", "name": "web", "namespace": "bank"}, ACCOUNT, False),
        ({"kind": "ServiceAccount", "name": "web"}, ACCOUNT, True),
        (user("system:serviceaccount:shop:web"), ACCOUNT, True),
        ({"kind": "Group", "name": "system:serviceaccounts:shop"}, ACCOUNT, True),
    ],
)
def test_a_binding_concerns_its_subjects(subject: Tree, who: User, allowed: bool) -> None:
    cluster = Cluster()
    cluster.role(rule("get", "core", "pods"))
    cluster.bind(subject, namespace="shop")
    assert cluster.allows(who, pods("get", namespace="shop")) is allowed


def test_a_role_binding_reaches_no_further_than_its_namespace() -> None:
    cluster = Cluster()
    cluster.role(rule("get", "core", "pods nodes"))
    cluster.bind(user("bob"), namespace="shop")
    assert cluster.allows(BOB, pods("get", namespace="shop"))
    assert not cluster.allows(BOB, pods("get", namespace="bank"))
    assert not cluster.allows(BOB, pods("get"))


def test_a_role_is_found_in_the_namespace_of_its_binding() -> None:
    cluster = Cluster()
    cluster.role(rule("get", "core", "pods"), namespace="shop")
    for namespace in ("shop", "bank"):
        cluster.bind(user("bob"), role="Role/r", namespace=namespace)
    assert cluster.allows(BOB, pods("get", namespace="shop"))
    refused = cluster.rbac.authorize(BOB, pods("get", namespace="bank"))
    assert refused == Decision(False, 'RBAC: role.rbac.authorization.k8s.io "r" not found')


def test_decisions_follow_the_policy() -> None:
    cluster = Cluster()
    asked = pods("get", namespace="shop")
    assert not cluster.allows(BOB, asked)
    cluster.bind(user("bob"))
    assert not cluster.allows(BOB, asked)
    cluster.role(rule("get", "core", "pods"))
    assert cluster.allows(BOB, asked)
    cluster.bind(user("alice"))
    assert not cluster.allows(BOB, asked)
    cluster.bind(user("bob"), name="other")
    assert cluster.allows(BOB, asked)
    cluster.bind(user("bob"), name="other", deleted=True)
    assert not cluster.allows(BOB, asked)


def test_bindings_that_are_gone_leave_nothing_behind() -> None:
    cluster = Cluster()
    for number in range(3):
        for deleted in (False, False, True):
            cluster.bind(user(f"u{number}"), user("bob"), namespace=f"ns{number}", deleted=deleted)
    policy = cluster.rbac.policy
    assert (policy._bound, policy._bindings) == ({}, {})  # what grows without end cannot be seen from outside


def test_a_binding_of_nobody_comes_changes_and_goes() -> None:
    cluster = Cluster()
    cluster.role(rule("get", "core", "pods"))
    cluster.bind(namespace="shop")
    cluster.bind(user("bob"), namespace="shop")
    assert cluster.allows(BOB, pods("get", namespace="shop"))
    cluster.bind(namespace="shop")
    cluster.bind(namespace="shop", deleted=True)
    assert not cluster.allows(BOB, pods("get", namespace="shop"))


def test_a_cache_that_is_filled_anew_replaces_the_policy() -> None:
    cluster = Cluster()
    cluster.role(rule("get", "core", "pods"))
    cluster.bind(user("bob"))
    assert cluster.allows(BOB, pods("get"))
    cluster.caches["clusterroles"].fill(Object("", "r", {"rules": [rule("list", "core", "pods")]}))
    cluster.caches["clusterrolebindings"].fill(
        Object("", "b", {"subjects": [user("bob")], "roleRef": {"kind": "ClusterRole", "name": "r"}})
    )
    assert not cluster.allows(BOB, pods("get"))
    assert cluster.allows(BOB, pods("list"))


def test_an_allowed_request_is_told_by_which_binding() -> None:
    cluster = Cluster()
    cluster.role(rule("get", "core", "pods"))
    cluster.bind({"kind": "Group", "name": "dev"}, namespace="shop")
    reason = cluster.rbac.authorize(BOB, pods("get", namespace="shop")).reason
    assert reason == 'RBAC: allowed by RoleBinding "b/shop" of ClusterRole "r" to Group "dev"'


def test_system_masters_may_do_anything() -> None:
    authorizer = Authorizer(Cluster().rbac)
    assert authorizer.authorize(User("root", groups=("system:masters",)), pods("eat", namespace="x")).allowed


R = Rule


@pytest.mark.parametrize(
    ("owned", "wanted", "lacking"),
    [
        ([R(("get", "list"), ("",), ("pods",))], [R(("get",), ("",), ("pods",))], []),
        ([R(("get",), ("",), ("pods",))], [R(("get", "list"), ("",), ("pods",))], [R(("list",), ("",), ("pods",))]),
        ([R(("*",), ("*",), ("*",))], [R(("get",), ("apps",), ("deployments/scale",))], []),
        ([R(("get",), ("apps",), ("*/scale",))], [R(("get",), ("apps",), ("deployments/scale",))], []),
        ([R(("get",), ("",), ("pods",), ("a",))], [R(("get",), ("",), ("pods",))], [R(("get",), ("",), ("pods",))]),
        ([R(("get",), ("",), ("pods",))], [R(("get",), ("",), ("pods",), ("a",))], []),
        ([R(("get",), urls=("/x/*",))], [R(("get",), urls=("/x/y", "/z"))], [R(("get",), urls=("/z",))]),
        ([R(("get",), ("",), ("*",))], [R(("*",), ("",), ("pods",))], [R(("*",), ("",), ("pods",))]),
        # Two rules together allow it, but no rule of them alone what a piece asks.
        ([R(("get",), ("",), ("pods",)), R(("get",), ("",), ("nodes",))], [R(("get",), ("",), ("pods", "nodes"))], []),
    ],
)
def test_what_a_grant_would_give_beyond_what_is_held(owned: list[Rule], wanted: list[Rule], lacking: list[Rule]) -> None:
    assert missing(owned, wanted) == lacking


def test_missing_rights_are_told_in_upstreams_form() -> None:
    (shown,) = compact(missing([], [R(("get", "list"), ("apps",), ("deployments",))]))
    assert str(shown) == '{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}'

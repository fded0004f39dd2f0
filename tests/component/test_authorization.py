"""Who may do what, over TLS: refusals in upstream's words, grants that take effect at once, escalation, impersonation."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.apiserver.authz.bootstrap import AUTOUPDATE
from sampan.apiserver.server import APIServer
from sampan.store.memory import MemoryStore
from tests.component.conftest import Answer, Api, Served, core

Tree = dict[str, Any]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
READER = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


class Kept(MemoryStore):
    """Another server's view of a store that is open and stays so."""

    def __init__(self, store: MemoryStore) -> None:
        self.__dict__ = store.__dict__

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None


async def grant(server: Served, user: str, *rules: Tree, namespace: str = "", name: str = "") -> None:
    """A role of the rules, bound to the user."""
    name = name or user
    where, kind = (f"{RBAC}/namespaces/{namespace}/", "Role") if namespace else (f"{RBAC}/cluster", "ClusterRole")
    role = {"metadata": {"name": name}, "rules": list(rules)}
    assert (await server.request("POST", where + "roles", role)).status == 201
    assert (await server.request("POST", where + "rolebindings", binding(kind, name, user))).status == 201


def binding(kind: str, role: str, user: str, name: str = "") -> Tree:
    return {
        "metadata": {"name": name or role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": user}],
    }


def refused(answer: Answer) -> str:
    assert (answer.status, answer.tree["reason"]) == (403, "Forbidden")
    return answer.message


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            "/api/v1/namespaces/default/pods",
            'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/nodes/n1",
            'nodes "n1" is forbidden: User "bob" cannot get resource "nodes" in API group "" at the cluster scope',
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/web/log",
            'pods "web" is forbidden: User "bob" cannot get resource "pods/log" in API group "" in the namespace "default"',
        ),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/a/deployments",
            'deployments.apps is forbidden: User "bob" cannot deletecollection resource "deployments" in API group "apps" in'
            ' the namespace "a"',
        ),
        ("GET", "/metrics", 'forbidden: User "bob" cannot get path "/metrics"'),
    ],
)
def test_a_refusal_says_what_was_asked(api: Api, method: str, path: str, message: str) -> None:
    async def scenario(server: Served) -> None:
        assert refused(await server.request(method, path, by=server.connect("bob"))) == message

    api(scenario)


def test_a_grant_takes_effect_at_once_and_ends_with_its_binding(api: Api) -> None:
    async def scenario(server: Served) -> None:
        bob = server.connect("bob")
        refused(await server.get(core("pods", "default"), by=bob))
        await grant(server, "bob", READER, namespace="default")
        assert (await server.get(core("pods", "default"), by=bob)).status == 200
        refused(await server.get(core("pods", "kube-system"), by=bob))
        assert (await server.delete(f"{RBAC}/namespaces/default/rolebindings/bob")).status == 200
        refused(await server.get(core("pods", "default"), by=bob))

    api(scenario)


def test_a_group_of_the_certificate_carries_its_grants(api: Api) -> None:
    async def scenario(server: Served) -> None:
        bound = binding("ClusterRole", "view", "x") | {"subjects": [{"kind": "Group", "name": "dev"}]}
        assert (await server.request("POST", f"{RBAC}/clusterrolebindings", bound)).status == 201
        assert (await server.get(core("pods"), by=server.connect("bob", "dev"))).status == 200
        refused(await server.get(core("pods"), by=server.connect("bob", "ops")))

    api(scenario)


def test_nobody_grants_what_he_does_not_have(api: Api) -> None:
    async def scenario(server: Served) -> None:
        write = {"verbs": ["create", "update"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"]}
        await grant(server, "bob", READER, write, namespace="default")
        bob = server.connect("bob")
        roles = f"{RBAC}/namespaces/default/roles"
        held = {"metadata": {"name": "held"}, "rules": [READER]}
        assert (await server.request("POST", roles, held, by=bob)).status == 201
        more = {**READER, "verbs": ["get", "delete", "watch"]}
        wanted = {"metadata": {"name": "more"}, "rules": [more]}
        assert refused(await server.request("POST", roles, wanted, by=bob)) == (
            'roles.rbac.authorization.k8s.io "more" is forbidden: user "bob" (groups=["system:authenticated"]) is attempting'
            ' to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}'
        )
        refused(await server.request("PUT", f"{roles}/held", {**held, "rules": [more]}, by=bob))
        bindings = f"{RBAC}/namespaces/default/rolebindings"
        assert (await server.request("POST", bindings, binding("Role", "held", "eve"), by=bob)).status == 201
        message = refused(await server.request("POST", bindings, binding("ClusterRole", "admin", "eve"), by=bob))
        assert message.startswith('rolebindings.rbac.authorization.k8s.io "admin" is forbidden: user "bob"')
        absent = await server.request("POST", bindings, binding("Role", "absent", "eve"), by=bob)
        assert (absent.status, absent.message) == (404, 'roles.rbac.authorization.k8s.io "absent" not found')

    api(scenario)


def test_the_verbs_escalate_and_bind_lift_the_check(api: Api) -> None:
    async def scenario(server: Served) -> None:
        group = {"apiGroups": ["rbac.authorization.k8s.io"]}
        await grant(
            server,
            "bob",
            {**group, "verbs": ["create", "escalate"], "resources": ["roles"]},
            {**group, "verbs": ["create"], "resources": ["rolebindings"]},
            {**group, "verbs": ["bind"], "resources": ["clusterroles"], "resourceNames": ["view"]},
            namespace="default",
        )
        bob = server.connect("bob")
        where = f"{RBAC}/namespaces/default"
        any_role = {"metadata": {"name": "any"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}
        assert (await server.request("POST", f"{where}/roles", any_role, by=bob)).status == 201
        view, edit = (binding("ClusterRole", name, "eve") for name in ("view", "edit"))
        assert (await server.request("POST", f"{where}/rolebindings", view, by=bob)).status == 201
        refused(await server.request("POST", f"{where}/rolebindings", edit, by=bob))

    api(scenario)


def test_a_role_that_gathers_rules_takes_an_administrator(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await grant(server, "bob", {"verbs": ["create"], "apiGroups": ["*"], "resources": ["clusterroles"]})
        gathering = {
            "metadata": {"name": "g"},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
        }
        message = refused(await server.request("POST", f"{RBAC}/clusterroles", gathering, by=server.connect("bob")))
        assert message == (
            'clusterroles.rbac.authorization.k8s.io "g" is forbidden: must have cluster-admin privileges to use an'
            " aggregationRule"
        )
        assert (await server.request("POST", f"{RBAC}/clusterroles", gathering)).status == 201

    api(scenario)


def test_a_node_reads_the_secrets_of_its_pods_alone(api: Api) -> None:
    async def scenario(server: Served) -> None:
        node = server.connect("system:node:n1", "system:nodes")
        assert (await server.create("serviceaccounts", {"metadata": {"name": "default"}})).status == 201
        for name in ("mine", "other"):
            assert (await server.create("secrets", {"metadata": {"name": name}})).status == 201
        spec = {
            "nodeName": "n1",
            "containers": [{"name": "c", "image": "i"}],
            "volumes": [{"name": "v", "secret": {"secretName": "mine"}}],
        }
        secret = core("secrets", "default", "mine")
        refused(await server.get(secret, by=node))
        assert (await server.create("pods", {"metadata": {"name": "web"}, "spec": spec})).status == 201
        assert (await server.get(secret, by=node)).status == 200
        assert refused(await server.get(core("secrets", "default", "other"), by=node)) == (
            'secrets "other" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace'
            " \"default\": no relationship found between node 'n1' and this object"
        )
        refused(await server.get(core("secrets", "default"), by=node))

    api(scenario)


def test_an_impersonator_needs_the_right_and_then_is_the_other(api: Api) -> None:
    async def scenario(server: Served) -> None:
        who = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        bob = server.connect("bob")
        as_jane = (("Impersonate-User", "jane"), ("Impersonate-Group", "dev"), ("Impersonate-Extra-Scope", "a"))
        assert refused(await server.request("POST", who, {}, by=bob, headers=as_jane)) == (
            'users "jane" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope'
        )
        review = await server.request("POST", who, {}, headers=as_jane)
        assert review.tree["status"]["userInfo"] == {
            "username": "jane",
            "groups": ["dev", "system:authenticated"],
            "extra": {"scope": ["a"]},
        }
        as_nobody = (("Impersonate-User", "jane"), ("Impersonate-Group", "system:unauthenticated"))
        assert refused(await server.request("POST", who, {}, headers=as_nobody)).startswith("selfsubjectreviews"), (
            "not authenticated"
        )
        as_account = (("Impersonate-User", "system:serviceaccount:default:default"),)
        assert refused(await server.get(core("pods", "default"), headers=as_account)).startswith("pods is forbidden")

    api(scenario)


def test_an_update_that_creates_wants_the_right_to_create(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await grant(server, "bob", {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["update"]})
        bob, path = server.connect("bob"), "/apis/coordination.k8s.io/v1/namespaces/default/leases/lock"
        lease: Tree = {"metadata": {"name": "lock"}, "spec": {"holderIdentity": "bob"}}
        assert refused(await server.request("PUT", path, lease, by=bob)) == (
            'leases.coordination.k8s.io "lock" is forbidden: User "bob" cannot create resource "leases" in API group '
            '"coordination.k8s.io" in the namespace "default"'
        )
        made = await server.request("PUT", path, lease)
        assert made.status == 201
        assert (await server.request("PUT", path, made.tree, by=bob)).status == 200

    api(scenario)


def test_the_first_roles_are_put_back_when_the_server_starts_again(api: Api) -> None:
    async def scenario(server: Served) -> None:
        role, mine = f"{RBAC}/clusterroles/system:basic-user", f"{RBAC}/clusterroles/system:discovery"
        await server.patch(role, {"rules": [READER]})
        await server.patch(mine, {"rules": [], "metadata": {"annotations": {AUTOUPDATE: "false"}}})
        again = APIServer(Kept(server.store), config=server.server.config, clock=server.clock)
        await again.start()
        try:
            rules = again.registry("rbac.authorization.k8s.io", "clusterroles").get("", "system:basic-user").tree()["rules"]
            assert {tuple(rule["resources"]) for rule in rules} == {
                ("pods",),
                ("selfsubjectaccessreviews", "selfsubjectrulesreviews"),
                ("selfsubjectreviews",),
            }
            assert not (await server.get(mine)).tree.get("rules")
        finally:
            await again.stop(grace_seconds=0)

    api(scenario)


def test_a_right_to_one_name_is_not_stretched_by_naming_it_in_a_second_selector(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for name in ("mine", "other"):
            assert (await server.create("secrets", {"metadata": {"name": name}})).status == 201
        await grant(server, "ann", {"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"]})
        ann, path, one = server.connect("ann"), core("secrets", "default"), ("fieldSelector", "metadata.name=mine")
        allowed = await server.get(path, by=ann, query=[one])
        assert [item["metadata"]["name"] for item in allowed.tree["items"]] == ["mine"]
        refused(await server.get(path, by=ann, query=[("fieldSelector", ""), one]))

    api(scenario)

"""Who somebody is, over TLS: certificates, service-account tokens, anonymous requests, and the reviews that tell."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from sampan.client.config import ClientConfig
from sampan.client.transport import Transport
from sampan.lib.clock import ManualClock, RealClock
from sampan.pki.certificates import new_key_pem
from sampan.pki.tokens import TokenSigner
from tests.component.conftest import Answer, Api, Served, core

Tree = dict[str, Any]

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"


async def whoami(server: Served, by: Transport) -> Tree:
    answer = await server.request("POST", f"{AUTHENTICATION}/selfsubjectreviews", {}, by=by)
    assert answer.status == 201, answer.tree
    user: Tree = answer.tree["status"]["userInfo"]
    return user


async def issue(server: Served, spec: Tree | None = None, name: str = "robot") -> Answer:
    path = core("serviceaccounts", "default", name, "token")
    return await server.request("POST", path, {"spec": spec or {}})


def bearing(server: Served, token: str) -> Transport:
    return Transport(ClientConfig(server.server.url, server.admin.ca_pem, token=token))


async def make_account(server: Served, name: str = "robot") -> Tree:
    answer = await server.create("serviceaccounts", {"metadata": {"name": name}})
    assert answer.status == 201
    account: Tree = answer.tree
    return account


def test_a_certificate_names_the_user_and_its_groups(api: Api) -> None:
    async def scenario(server: Served) -> None:
        user = await whoami(server, server.connect("bob", "dev", "ops"))
        assert (user["username"], user["groups"]) == ("bob", ["dev", "ops", "system:authenticated"])
        assert user["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")

    api(scenario)


class LaterClock(RealClock):
    """The machine's clock, set forward."""

    ahead_seconds = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_seconds


def test_a_certificate_that_runs_out_ends_its_open_connection_too(api: Api) -> None:
    clock = LaterClock()

    async def scenario(server: Served) -> None:
        bob = server.connect("bob")
        await whoami(server, bob)
        clock.ahead_seconds = 366 * 86400.0
        refusal = await server.get("/version", by=bob)
        assert (refusal.status, refusal.message) == (401, "Unauthorized")

    api(scenario, clock=clock)


def test_without_credentials_one_is_anonymous(api: Api) -> None:
    async def scenario(server: Served) -> None:
        nobody = bearing(server, "")
        assert (await server.get("/version", by=nobody)).status == 200
        refusal = await server.get(core("pods"), by=nobody)
        assert (refusal.status, refusal.message) == (
            403,
            'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
        )
        await nobody.close()

    api(scenario)


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_a_bad_token_is_unauthorized_even_where_nobody_is_refused(api: Api, token: str) -> None:
    async def scenario(server: Served) -> None:
        bearer = bearing(server, token)
        refusal = await server.get("/version", by=bearer)
        assert (refusal.status, refusal.tree["reason"], refusal.message) == (401, "Unauthorized", "Unauthorized")
        await bearer.close()

    api(scenario)


def test_a_token_speaks_for_its_service_account(api: Api) -> None:
    async def scenario(server: Served) -> None:
        account = await make_account(server)
        answer = await issue(server)
        assert (answer.status, answer.tree["kind"]) == (201, "TokenRequest")
        assert answer.tree["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600}
        robot = bearing(server, answer.tree["status"]["token"])
        user = await whoami(server, robot)
        assert user["username"] == "system:serviceaccount:default:robot"
        assert user["uid"] == account["metadata"]["uid"]
        groups = ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
        assert user["groups"] == groups
        await robot.close()

    api(scenario)


def test_a_token_ends_with_its_time(api: Api) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        await make_account(server)
        answer = await issue(server, {"expirationSeconds": 600})
        assert answer.tree["status"]["expirationTimestamp"] == "2023-11-14T22:23:20Z"
        robot = bearing(server, answer.tree["status"]["token"])
        await whoami(server, robot)
        await clock.advance(601)
        assert (await server.get("/version", by=robot)).status == 401
        await robot.close()

    api(scenario, clock=clock)


def test_a_token_ends_with_its_service_account_even_if_another_takes_the_name(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        robot = bearing(server, (await issue(server)).tree["status"]["token"])
        await whoami(server, robot)
        assert (await server.delete(core("serviceaccounts", "default", "robot"))).status == 200
        assert (await server.get("/version", by=robot)).status == 401
        await make_account(server)
        assert (await server.get("/version", by=robot)).status == 401
        await robot.close()

    api(scenario)


def test_a_token_bound_to_a_pod_ends_with_the_pod(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        node = (await server.request("POST", core("nodes"), {"metadata": {"name": "n1"}})).tree
        spec = {"serviceAccountName": "robot", "nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
        pod = (await server.create("pods", {"metadata": {"name": "web"}, "spec": spec})).tree
        bound = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": pod["metadata"]["uid"]}
        robot = bearing(server, (await issue(server, {"boundObjectRef": bound})).tree["status"]["token"])
        extra = (await whoami(server, robot))["extra"]
        assert extra["authentication.kubernetes.io/pod-name"] == ["web"]
        assert extra["authentication.kubernetes.io/pod-uid"] == [pod["metadata"]["uid"]]
        assert extra["authentication.kubernetes.io/node-name"] == ["n1"]
        assert extra["authentication.kubernetes.io/node-uid"] == [node["metadata"]["uid"]]
        await server.delete(core("pods", "default", "web"), query={"gracePeriodSeconds": "0"})
        assert (await server.get("/version", by=robot)).status == 401
        await robot.close()

    api(scenario)


@pytest.mark.parametrize(("kind", "plural", "namespace"), [("Node", "nodes", ""), ("Secret", "secrets", "default")])
def test_a_token_bound_to_an_object_ends_with_it(api: Api, kind: str, plural: str, namespace: str) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        assert (await server.request("POST", core(plural, namespace), {"metadata": {"name": "x"}})).status == 201
        bound = {"apiVersion": "v1", "kind": kind, "name": "x"}
        robot = bearing(server, (await issue(server, {"boundObjectRef": bound})).tree["status"]["token"])
        await whoami(server, robot)
        assert (await server.delete(core(plural, namespace, "x"))).status == 200
        assert (await server.get("/version", by=robot)).status == 401
        await robot.close()

    api(scenario)


def test_a_token_for_somebody_else_is_not_for_the_api_server(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        token = (await issue(server, {"audiences": ["vault"]})).tree["status"]["token"]
        robot = bearing(server, token)
        assert (await server.get("/version", by=robot)).status == 401
        await robot.close()

        async def review(*audiences: str) -> Tree:
            body = {"spec": {"token": token, "audiences": list(audiences)}}
            answer = await server.request("POST", f"{AUTHENTICATION}/tokenreviews", body)
            assert answer.status == 201
            status: Tree = answer.tree["status"]
            return status

        found = await review("vault", "other")
        assert (found["authenticated"], found["audiences"]) == (True, ["vault"])
        assert found["user"]["username"] == "system:serviceaccount:default:robot"
        for audiences in ((), ("other",)):
            unfit = await review(*audiences)
            assert not unfit.get("authenticated")
            assert "invalid bearer token" in unfit["error"]

    api(scenario)


@pytest.mark.parametrize(
    ("spec", "status", "message"),
    [
        (
            {"expirationSeconds": 60},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a'
            " duration less than 10 minutes",
        ),
        ({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "no"}}, 404, 'pods "no" not found'),
        (
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web"}},
            400,
            'cannot bind token for serviceaccount "robot" to pod running with serviceaccount "default"',
        ),
        (
            {"boundObjectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}},
            400,
            "cannot bind token to object of type apps/v1, Kind=Deployment",
        ),
    ],
)
def test_a_token_request_is_checked(api: Api, spec: Tree, status: int, message: str) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        await make_account(server, "default")
        pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        assert (await server.create("pods", pod)).status == 201
        answer = await issue(server, spec)
        assert (answer.status, answer.message) == (status, message)

    api(scenario)


def test_a_node_gets_tokens_bound_to_its_own_pods_and_no_others(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        uids = {}
        for name, node in (("mine", "n1"), ("theirs", "n2")):
            spec = {"serviceAccountName": "robot", "nodeName": node, "containers": [{"name": "c", "image": "i"}]}
            uids[name] = (await server.create("pods", {"metadata": {"name": name}, "spec": spec})).tree["metadata"]["uid"]
        node = server.connect("system:node:n1", "system:nodes")

        async def ask(pod: str = "", uid: str = "") -> Answer:
            bound = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}} if pod else {}
            path = core("serviceaccounts", "default", "robot", "token")
            return await server.request("POST", path, {"spec": bound}, by=node)

        for pod, uid, why in (
            ("", "", "not bound to a pod"),
            ("mine", "", "without a uid"),
            ("theirs", uids["theirs"], "on a different node"),
        ):
            refusal = await ask(pod, uid)
            assert refusal.status == 403, pod
            assert refusal.message.endswith(why)
        assert (await ask("mine", uids["mine"])).status == 201

    api(scenario)


def test_there_is_no_token_for_an_account_that_is_not_there(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answer = await issue(server, name="nobody")
        assert (answer.status, answer.message) == (404, 'serviceaccounts "nobody" not found')

    api(scenario)


def test_anybody_in_a_pod_can_fetch_the_keys_that_verify_tokens(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        token = (await issue(server, {"audiences": ["vault"]})).tree["status"]["token"]
        robot = bearing(server, (await issue(server)).tree["status"]["token"])
        document = (await server.get("/.well-known/openid-configuration", by=robot, host="elsewhere.example")).tree
        assert document["issuer"] == ISSUER
        assert document["jwks_uri"] == f"{server.server.url}/openid/v1/jwks"
        keys = jwt.PyJWKSet.from_dict((await server.get("/openid/v1/jwks", by=robot)).tree)
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, algorithms=["ES256"], audience="vault", issuer=ISSUER)
        assert claims["sub"] == "system:serviceaccount:default:robot"
        await robot.close()

    api(scenario)


def test_tokens_of_the_key_before_are_believed_where_it_is_named(api: Api) -> None:
    old = new_key_pem()

    async def scenario(server: Served) -> None:
        account = await make_account(server)
        for key, status in ((old, 200), (new_key_pem(), 401)):
            token = TokenSigner(key, ISSUER).issue("default", "robot", account["metadata"]["uid"])
            robot = bearing(server, token)
            assert (await server.get("/version", by=robot)).status == status
            await robot.close()
        assert len((await server.get("/openid/v1/jwks")).tree["keys"]) == 2

    api(scenario, service_account_verify_keys_pem=[old])


def test_a_fixed_token_names_its_user(api: Api) -> None:
    async def scenario(server: Served) -> None:
        fixed = bearing(server, "s3cret")
        user = await whoami(server, fixed)
        assert user == {"username": "ann", "uid": "7", "groups": ["dev", "ops", "system:authenticated"]}
        await fixed.close()

    api(scenario, token_file='s3cret,ann,7,"dev,ops"\n')


def test_a_fixed_token_is_meant_for_the_api_server_alone(api: Api) -> None:
    async def scenario(server: Served) -> None:
        async def review(*audiences: str) -> Tree:
            body = {"spec": {"token": "s3cret", "audiences": list(audiences)}}
            status: Tree = (await server.request("POST", f"{AUTHENTICATION}/tokenreviews", body)).tree["status"]
            return status

        assert not (await review("vault")).get("authenticated")
        for asked in ((), (ISSUER,), ("vault", ISSUER)):
            found = await review(*asked)
            assert (found["authenticated"], found["audiences"]) == (True, [ISSUER])

    api(scenario, token_file='s3cret,ann,7,"dev,ops"\n')


def test_access_reviews_tell_what_would_be_decided(api: Api) -> None:
    async def scenario(server: Served) -> None:
        bob = server.connect("bob")

        async def ask(plural: str, spec: Tree, by: Transport | None = None) -> Tree:
            answer = await server.request("POST", f"{AUTHORIZATION}/{plural}", {"spec": spec}, by=by)
            assert answer.status == 201, answer.tree
            status: Tree = answer.tree["status"]
            return status

        pods = {"verb": "list", "resource": "pods", "namespace": "default"}
        assert await ask("selfsubjectaccessreviews", {"resourceAttributes": pods}, bob) == {"allowed": False}
        assert (await ask("selfsubjectaccessreviews", {"resourceAttributes": pods}))["allowed"] is True
        paths = {"nonResourceAttributes": {"verb": "get", "path": "/version"}}
        assert (await ask("selfsubjectaccessreviews", paths, bob))["allowed"] is True
        for user, groups, allowed in (("bob", [], False), ("x", ["system:masters"], True)):
            spec = {"resourceAttributes": pods, "user": user, "groups": groups}
            assert (await ask("subjectaccessreviews", spec))["allowed"] is allowed
        rules = await ask("selfsubjectrulesreviews", {"namespace": "default"}, bob)
        assert {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]} in rules[
            "resourceRules"
        ]
        assert rules["incomplete"] is False

    api(scenario)


def test_an_access_review_must_ask_one_thing_of_somebody(api: Api) -> None:
    async def scenario(server: Served) -> None:
        empty = await server.request("POST", f"{AUTHORIZATION}/subjectaccessreviews", {"spec": {}})
        assert empty.status == 422
        assert {cause["field"] for cause in empty.tree["details"]["causes"]} == {"spec.resourceAttributes", "spec.user"}
        local = f"{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews"
        elsewhere = {"spec": {"user": "bob", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "x"}}}
        answer = await server.request("POST", local, elsewhere)
        assert answer.status == 422
        assert answer.message.endswith('spec.resourceAttributes.namespace: Invalid value: "x": must match metadata.namespace')
        assert (await server.get(f"{AUTHORIZATION}/subjectaccessreviews")).status == 405

    api(scenario)

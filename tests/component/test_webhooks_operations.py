"""What webhooks are told of operations beside create and update: deletes, connections, and writes through subresources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.component.admission import EVERYTHING, configure, create, entry, respond
from tests.component.conftest import Api, Served, core
from tests.component.definitions import crd, cron, crons, define, version
from tests.component.streaming import Cluster, on_node, run_spdy
from tests.component.webhooks import Hook, webhook

Tree = dict[str, Any]
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
POD_SPEC = {"containers": [{"name": "c", "image": "i"}]}


def requests(hook: Hook) -> list[Tree]:
    """What it was asked, but for the server's own writes."""
    asked = [review["request"] for review in hook.asked]
    return [request for request in asked if request["userInfo"]["username"] != "system:apiserver"]


def last(hook: Hook) -> Tree:
    return requests(hook)[-1]


def told(hook: Hook) -> list[tuple[str, str, str]]:
    """(operation, resource/subresource, kind) of what it was asked since the last time."""
    found = []
    for request in requests(hook):
        place = "/".join(filter(None, (request["resource"]["resource"], request.get("subResource", ""))))
        found.append((request["operation"], place, request["kind"]["kind"]))
    hook.asked.clear()
    return found


def test_a_delete_shows_what_is_deleted(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            await create(served, "a", data={"x": "y"})
            await configure(served, "mutating", "m", entry(hook))
            await configure(served, "validating", "v", entry(hook))
            options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
            assert (await served.delete(core("configmaps", "default", "a"), options)).status == 200
            assert told(hook) == [("DELETE", "configmaps", "ConfigMap")] * 2
            await create(served, "b", data={"x": "y"})
            hook.asked.clear()
            assert (await served.delete(core("configmaps", "default", "b"), options)).status == 200
            request = last(hook)
            assert (request["object"], request["oldObject"]["data"]) == (None, {"x": "y"})
            assert request["options"] == {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", **options}

    api(scenario)


def test_each_object_of_a_collection_is_asked_about(api: Api) -> None:
    async def scenario(served: Served) -> None:
        for name in ("a", "b", "keep"):
            await create(served, name)

        def reply(review: Tree) -> Tree:
            return respond(review, allowed=review["request"]["oldObject"]["metadata"]["name"] != "keep")

        async with webhook(reply) as hook:
            await configure(served, "validating", "v", entry(hook))
            assert (await served.delete(core("configmaps", "default"))).status == 400
            names = sorted(review["request"]["oldObject"]["metadata"]["name"] for review in hook.asked)
            assert names == ["a", "b", "keep"] and all("name" not in review["request"] for review in hook.asked)
            assert (await served.get(core("configmaps", "default", "keep"))).status == 200

    api(scenario)


def test_a_scale_is_what_changes_through_it(api: Api) -> None:
    async def scenario(served: Served) -> None:
        def reply(review: Tree) -> Tree:
            if review["request"].get("subResource") != "scale":
                return respond(review)
            return respond(review, patch=[{"op": "replace", "path": "/spec/replicas", "value": 7}])

        labels = {"matchLabels": {"a": "b"}}
        spec = {"replicas": 1, "selector": labels, "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}}
        async with webhook(reply) as hook:
            await define(
                served,
                crd(
                    "CronTab",
                    version(
                        subresources={"scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}}
                    ),
                ),
            )
            await served.request("POST", DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
            await served.request("POST", crons(), cron("c", replicas=1))
            await configure(
                served, "mutating", "m", entry(hook, rule={**EVERYTHING, "resources": ["deployments/*", "crontabs/*"]})
            )
            scaled = await served.patch(DEPLOYMENTS + "/web/scale", {"spec": {"replicas": 3}})
            request = last(hook)
            assert (request["object"]["kind"], request["object"]["spec"]) == ("Scale", {"replicas": 3})
            assert request["oldObject"]["spec"] == {"replicas": 1}
            assert told(hook) == [("UPDATE", "deployments/scale", "Scale")], "not of the Deployment itself"
            assert scaled.tree["spec"] == {"replicas": 7}
            assert (await served.get(DEPLOYMENTS + "/web")).tree["spec"]["replicas"] == 7
            assert (await served.patch(crons("v1", "c", "scale"), {"spec": {"replicas": 3}})).tree["spec"]["replicas"] == 7
            assert told(hook) == [("UPDATE", "crontabs/scale", "Scale")]

    api(scenario)


def test_subresources_of_pods_and_accounts_are_told_by_what_is_sent_to_them(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            await served.create("serviceaccounts", {"metadata": {"name": "default"}})
            await served.create("nodes", {"metadata": {"name": "n"}}, "")
            assert (await served.create("pods", {"metadata": {"name": "p"}, "spec": POD_SPEC})).status == 201
            await configure(served, "validating", "v", entry(hook, rule=EVERYTHING))
            told(hook)
            target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
            assert (await served.request("POST", core("pods", "default", "p", "binding"), target)).status == 201
            assert last(hook)["object"]["target"] == {"kind": "Node", "name": "n"}
            assert told(hook) == [("CREATE", "pods/binding", "Binding")]
            status = await served.patch(core("pods", "default", "p", "status"), {"status": {"phase": "Running"}})
            assert status.status == 200
            assert told(hook) == [("UPDATE", "pods/status", "Pod")]
            token = await served.request("POST", core("serviceaccounts", "default", "default", "token"), {"spec": {}})
            assert token.status == 201
            assert told(hook) == [("CREATE", "serviceaccounts/token", "TokenRequest")]
            evicted = await served.request("POST", core("pods", "default", "p", "eviction"), {"metadata": {"name": "p"}})
            assert evicted.status == 201
            assert told(hook) == [("CREATE", "pods/eviction", "Eviction")]
            review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
            await served.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
            assert told(hook) == [("CREATE", "selfsubjectaccessreviews", "SelfSubjectAccessReview")]

    api(scenario)


def test_a_refused_binding_leaves_the_pod_alone(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, allowed=False)) as hook:
            await served.create("serviceaccounts", {"metadata": {"name": "default"}})
            await served.create("pods", {"metadata": {"name": "p"}, "spec": POD_SPEC})
            await configure(
                served, "validating", "v", entry(hook, rule={**EVERYTHING, "resources": ["pods/binding", "pods/eviction"]})
            )
            target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
            assert (await served.request("POST", core("pods", "default", "p", "binding"), target)).status == 400
            evicted = await served.request("POST", core("pods", "default", "p", "eviction"), {"metadata": {"name": "p"}})
            assert evicted.status == 400
            pod = (await served.get(core("pods", "default", "p"))).tree
            assert "nodeName" not in pod["spec"] and "deletionTimestamp" not in pod["metadata"]

    api(scenario)


def test_a_connection_is_told_by_its_options_and_can_be_refused(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        served = cluster.served
        await cluster.add_pod("main")

        def reply(review: Tree) -> Tree:
            return respond(review, allowed=review["request"]["object"].get("command") != ["rm"])

        async with webhook(reply) as hook:
            rule = {**EVERYTHING, "operations": ["CONNECT"], "apiGroups": [""], "resources": ["pods/*", "nodes/proxy"]}
            await configure(served, "validating", "v", entry(hook, rule=rule))
            path = core("pods", "default", "web", "exec")
            refused = await served.request("POST", path, query={"command": "rm", "stdin": "true", "container": "main"})
            assert (refused.status, refused.message) == (
                400, 'admission webhook "h.example.com" denied the request without explanation',
            )  # fmt: skip
            request = last(hook)
            assert request["object"] == {
                "kind": "PodExecOptions", "apiVersion": "v1", "stdin": True, "stdout": True, "stderr": True,
                "container": "main", "command": ["rm"],
            }  # fmt: skip
            assert (request["options"], request["oldObject"], request["name"]) == (None, None, "web")
            assert told(hook) == [("CONNECT", "pods/exec", "PodExecOptions")]
            await served.get(core("pods", "default", "web:80", "proxy/a/b/"))
            assert last(hook)["object"]["path"] == "/a/b/"
            assert told(hook) == [("CONNECT", "pods/proxy", "PodProxyOptions")]
            await served.request("POST", core("pods", "default", "web", "portforward"), query={"ports": "80"})
            assert last(hook)["object"]["ports"] == [80]
            await served.request("POST", core("pods", "default", "web", "attach"))
            kinds = [kind for _, _, kind in told(hook)]
            assert kinds == ["PodPortForwardOptions", "PodAttachOptions"]

    on_node(api, tmp_path, scenario)


def test_a_webhook_may_change_what_is_run(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("main")
        patch = [{"op": "replace", "path": "/command", "value": ["echo", "something", "else"]}]
        async with webhook(lambda review: respond(review, patch=patch)) as hook:
            rule = {**EVERYTHING, "operations": ["CONNECT"], "resources": ["pods/exec"]}
            await configure(cluster.served, "mutating", "m", entry(hook, rule=rule))
            query = [("stdout", "true"), ("stderr", "true"), ("command", "echo"), ("command", "this")]
            async with cluster.spdy("pods/web/exec", query, "v4.channel.k8s.io") as session:
                stdout, _, status = await run_spdy(session)
            assert (stdout, status["status"]) == (b"something else\n", "Success")

    on_node(api, tmp_path, scenario)

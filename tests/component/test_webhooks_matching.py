"""Which requests webhooks hear of: by labels, by expressions, by versions; and which they never do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.admission import CONFIGMAPS, EVERYTHING, GROUP, configure, create, entry, respond
from tests.component.conftest import Api, Served, core
from tests.component.definitions import crd, cron, crons, define, version
from tests.component.webhooks import Hook, webhook

Tree = dict[str, Any]
HPA = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"


def seen(hook: Hook) -> list[str]:
    """The names of what it was asked about since the last time."""
    names = [review["request"].get("name", "") for review in hook.asked]
    hook.asked.clear()
    return names


def test_labels_of_the_namespace_decide_and_of_a_namespace_its_own(api: Api) -> None:
    async def scenario(served: Served) -> None:
        for name, labels in (("checked", {"check": "yes"}), ("free", {})):
            assert (await served.create("namespaces", {"metadata": {"name": name, "labels": labels}}, "")).status == 201
        async with webhook(lambda review: respond(review)) as hook:
            rule = {
                **EVERYTHING,
                "apiGroups": ["", "rbac.authorization.k8s.io"],
                "resources": ["configmaps", "namespaces", "clusterroles"],
            }
            chosen = {"namespaceSelector": {"matchLabels": {"check": "yes"}}}
            await configure(served, "validating", "v", entry(hook, rule=rule, **chosen))
            await create(served, "a", namespace="checked")
            await create(served, "b", namespace="free")
            assert seen(hook) == ["a"]
            await served.create("namespaces", {"metadata": {"name": "new", "labels": {"check": "yes"}}}, "")
            await served.create("namespaces", {"metadata": {"name": "other"}}, "")
            assert seen(hook) == ["new"]
            await served.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "role"}})
            assert seen(hook) == ["role"], "what is in no namespace is not exempted by one"
            await served.patch(core("namespaces", "", "checked"), {"metadata": {"labels": {"check": "no"}}})
            assert seen(hook) == [], "an update is judged by the labels that it gives"
            await create(served, "c", namespace="checked")
            assert seen(hook) == []

    api(scenario)


def test_labels_of_either_object_decide(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}
            await configure(served, "validating", "v", entry(hook, objectSelector=selector))
            await create(served, "a", labels={"app": "web"})
            await create(served, "b", labels={"app": "mail"})
            assert seen(hook) == ["a"]
            await served.patch(core("configmaps", "default", "a"), {"metadata": {"labels": {"app": None}}})
            assert seen(hook) == ["a"], "the old one has the label"
            await served.patch(core("configmaps", "default", "a"), {"data": {"x": "y"}})
            assert seen(hook) == []
            await served.delete(core("configmaps", "default", "b"))
            assert seen(hook) == []

    api(scenario)


@pytest.mark.parametrize(
    ("conditions", "policy", "asked", "status"),
    [
        (["request.userInfo.username == 'kubernetes-admin'", "object.metadata.name.startsWith('a')"], "Fail", True, 201),
        (["!('skip' in object.metadata.labels)"], "Fail", False, 201),
        (["request.operation != 'CREATE'", "object.nothing.there == 1"], "Fail", False, 201),
        (["object.metadata.nothing == 'x'"], "Ignore", False, 201),
        (["object.metadata.nothing == 'x'"], "Fail", False, 403),
        (["authorizer.group('apps').resource('deployments').check('create').allowed()"], "Fail", True, 201),
        (["namespaceObject == null && oldObject == null"], "Fail", True, 201),
    ],
)  # fmt: skip
def test_match_conditions_decide(api: Api, conditions: list[str], policy: str, asked: bool, status: int) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            listed = [{"name": f"c{index}", "expression": text} for index, text in enumerate(conditions)]
            for kind in ("mutating", "validating"):
                await configure(served, kind, "c", entry(hook, matchConditions=listed, failurePolicy=policy))
            answer = await create(served, "a", labels={"skip": "me"})
            assert answer.status == status
            assert len(hook.asked) == (2 if asked else 0)
            if status == 403:
                assert answer.message == (
                    "configmaps \"a\" is forbidden: expression 'object.metadata.nothing == 'x'' resulted in error: "
                    "no such key: nothing"
                )

    api(scenario)


def test_an_equivalent_version_is_converted_to_what_the_webhook_asked_for(api: Api) -> None:
    async def scenario(served: Served) -> None:
        def reply(review: Tree) -> Tree:
            if review["request"]["operation"] != "CREATE":
                return respond(review)
            return respond(review, patch=[{"op": "replace", "path": "/spec/targetCPUUtilizationPercentage", "value": 33}])

        async with webhook(reply) as hook:
            rule = {
                **EVERYTHING,
                "apiGroups": ["autoscaling"],
                "apiVersions": ["v1"],
                "resources": ["horizontalpodautoscalers"],
            }
            await configure(served, "mutating", "m", entry(hook, rule=rule))
            target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
            metrics = [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
            ]
            spec = {"scaleTargetRef": target, "maxReplicas": 3, "metrics": metrics}
            made = await served.request("POST", HPA.format("v2"), {"metadata": {"name": "web"}, "spec": spec})
            assert made.status == 201, made.body
            request = hook.asked[0]["request"]
            assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v1", "v2")
            assert (request["resource"]["version"], request["requestResource"]["version"]) == ("v1", "v2")
            assert request["object"]["apiVersion"] == "autoscaling/v1"
            assert request["object"]["spec"]["targetCPUUtilizationPercentage"] == 70
            [metric] = made.tree["spec"]["metrics"]
            assert (made.tree["apiVersion"], metric["resource"]["target"]["averageUtilization"]) == ("autoscaling/v2", 33)
            exact = {"webhooks": [entry(hook, rule=rule, matchPolicy="Exact")]}
            assert (await served.patch(f"{GROUP}/mutatingwebhookconfigurations/m", exact)).status == 200
            hook.asked.clear()
            await served.patch(HPA.format("v2") + "/web", {"spec": {"maxReplicas": 4}})
            assert hook.asked == []
            await served.patch(HPA.format("v1") + "/web", {"spec": {"maxReplicas": 5}})
            assert len(hook.asked) == 1

    api(scenario)


def test_custom_objects_are_converted_by_their_own_webhook(api: Api) -> None:
    async def scenario(served: Served) -> None:
        def convert(review: Tree) -> Tree:
            request = review["request"]
            wanted = request["desiredAPIVersion"]
            converted = [{**tree, "apiVersion": wanted, "spec": {"image": f"as-{wanted[-2:]}"}} for tree in request["objects"]]
            response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": converted}
            return {"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}

        async with webhook(convert) as converter, webhook(lambda review: respond(review)) as hook:
            conversion = {
                "strategy": "Webhook",
                "webhook": {"clientConfig": converter.client_config(), "conversionReviewVersions": ["v1"]},
            }
            await define(served, crd("CronTab", version("v1"), version("v2", storage=False), conversion=conversion))
            rule = {**EVERYTHING, "apiGroups": ["stable.example.com"], "apiVersions": ["v2"], "resources": ["crontabs"]}
            await configure(served, "validating", "v", entry(hook, rule=rule))
            made = await served.request("POST", crons(), cron("a", image="mine"))
            assert (made.status, made.tree["spec"]["image"]) == (201, "mine"), made.body
            shown = hook.asked[0]["request"]["object"]
            assert (shown["apiVersion"], shown["spec"]["image"]) == ("stable.example.com/v2", "as-v2")

    api(scenario)


def test_what_admits_is_never_asked_about(api: Api) -> None:
    """Else a webhook that refuses everything could never be taken away again."""

    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, allowed=False)) as hook:
            for kind in ("mutating", "validating"):
                await configure(served, kind, "all", entry(hook, rule=EVERYTHING))
            assert (await create(served, "a")).status == 400
            hook.asked.clear()
            policy = {"matchConstraints": {"resourceRules": [CONFIGMAPS]}, "validations": [{"expression": "true"}]}
            made = await served.request(
                "POST", f"{GROUP}/validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": policy}
            )
            assert made.status == 201
            for kind in ("mutating", "validating"):
                assert (await served.delete(f"{GROUP}/{kind}webhookconfigurations/all")).status == 200
            assert (await served.delete(f"{GROUP}/validatingadmissionpolicies/p")).status == 200
            asked = {review["request"]["resource"]["group"] for review in hook.asked}
            assert "admissionregistration.k8s.io" not in asked
            assert (await create(served, "a")).status == 201

    api(scenario)


def test_a_definition_that_appears_is_matched_by_rules_that_were_there_before(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            rule = {**EVERYTHING, "apiGroups": ["stable.example.com"], "resources": ["*"]}
            await configure(served, "validating", "v", entry(hook, rule=rule))
            await define(served, crd())
            assert (await served.request("POST", crons(), cron("a"))).status == 201
            assert seen(hook) == ["a"]

    api(scenario)

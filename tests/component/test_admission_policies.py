"""ValidatingAdmissionPolicies: what they see, what they refuse and how, and what their bindings make of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.component.admission import CONFIGMAPS, EVERYTHING, GROUP, create, put_binding, put_policy, warnings
from tests.component.conftest import DEADLINE_SECONDS, Api, Served, core

Tree = dict[str, Any]
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def rules(*validations: Tree | str) -> list[Tree]:
    return [{"expression": each} if isinstance(each, str) else each for each in validations]


def said(why: str, name: str = "p") -> str:
    """How a refusal of ConfigMap a by policy and binding of one name is worded."""
    return f"configmaps \"a\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {why}"


@pytest.mark.parametrize(
    ("validation", "code", "reason", "why"),
    [
        ({"expression": "object.data.x == 'no'"}, 422, "Invalid", "failed expression: object.data.x == 'no'"),
        ({"expression": "false", "message": " not so "}, 422, "Invalid", "not so"),
        ({"expression": "false", "reason": "Forbidden", "message": "m"}, 403, "Forbidden", "m"),
        ({"expression": "false", "reason": "RequestEntityTooLarge"}, 413, "RequestEntityTooLarge", "failed expression: false"),
        ({"expression": "false", "messageExpression": "'is ' + object.data.x", "message": "m"}, 422, "Invalid", "is yes"),
        ({"expression": "false", "messageExpression": "string(object.data.none)", "message": "m"}, 422, "Invalid", "m"),
        ({"expression": "false", "messageExpression": "'two\\nlines'", "message": "m"}, 422, "Invalid", "m"),
        ({"expression": "object.data.none == 'x'"}, 422, "Invalid",
         "expression 'object.data.none == 'x'' resulted in error: no such key: none"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_the_policy_wants_it_to(api: Api, validation: Tree, code: int, reason: str, why: str) -> None:
    async def scenario(served: Served) -> None:
        await put_policy(served, validations=[validation])
        answer = await create(served, "a", data={"x": "yes"})
        assert (answer.status, answer.tree["reason"], answer.message) == (code, reason, said(why))
        cause = {"message": said(why).removeprefix('configmaps "a" is forbidden: ')}
        assert answer.tree["details"] == {"name": "a", "kind": "configmaps", "causes": [cause]}

    api(scenario)


@pytest.mark.parametrize(
    "expression",
    [
        "object.metadata.name == 'a' && oldObject == null && object.data.x == 'yes'",
        "request.operation == 'CREATE' && request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps'",
        "request.userInfo.username == 'kubernetes-admin' && 'system:masters' in request.userInfo.groups",
        "request.namespace == 'default' && request.name == 'a' && !request.dryRun",
        "request.options.kind == 'CreateOptions'",
        "namespaceObject.metadata.name == 'default' && namespaceObject.status.phase == 'Active'",
        "object.metadata.managedFields[0].operation == 'Update'",
        "authorizer.group('apps').resource('deployments').namespace('default').check('create').allowed()",
        "authorizer.requestResource.check('create').allowed()",
        "authorizer.path('/healthz').check('get').allowed()",
        "!authorizer.serviceAccount('default', 'default').group('').resource('pods').check('get').allowed()",
        "has(object.metadata.uid) && object.apiVersion == 'v1' && object.kind == 'ConfigMap'",
        "quantity('1Gi').isGreaterThan(quantity('500Mi')) && url('https://a.b/c').getHost() == 'a.b'",
    ],
)
def test_an_expression_sees_the_request(api: Api, expression: str) -> None:
    async def scenario(served: Served) -> None:
        await put_policy(served, validations=rules(expression))
        answer = await create(served, "a", data={"x": "yes"})
        assert answer.status == 201, answer.body

    api(scenario)


def test_updates_and_deletes_are_judged_with_the_old_object(api: Api) -> None:
    async def scenario(served: Served) -> None:
        frozen = "request.operation != 'UPDATE' || object.data.x == oldObject.data.x"
        kept = "request.operation != 'DELETE' || (object == null && oldObject.data.x == 'loose')"
        await put_policy(served, validations=rules(frozen, kept))
        path = core("configmaps", "default", "a")
        assert (await create(served, "a", data={"x": "fixed"})).status == 201
        assert (await served.patch(path, {"data": {"x": "new"}})).message == said(f"failed expression: {frozen}")
        assert (await served.patch(path, {"data": {"y": "new"}})).status == 200
        assert (await served.delete(path)).message == said(f"failed expression: {kept}")
        assert (await served.delete(core("configmaps", "default"))).status == 422

    api(scenario)


def test_variables_are_worked_out_when_they_are_asked_for_and_build_on_each_other(api: Api) -> None:
    async def scenario(served: Served) -> None:
        variables = [
            {"name": "size", "expression": "int(object.data.size)"},
            {"name": "large", "expression": "variables.size > 10"},
            {"name": "broken", "expression": "object.data.nothing"},
        ]
        checks = rules(
            {"expression": "!variables.large", "messageExpression": "string(variables.size) + ' is too large'"},
            "variables.size != 3 || variables.broken == 'x'",
        )
        await put_policy(served, variables=variables, validations=checks)
        assert (await create(served, "a", data={"size": "11"})).message == said("11 is too large")
        assert (await create(served, "b", data={"size": "2"})).status == 201
        broken = (await create(served, "a", data={"size": "3"})).message
        assert broken == said(
            "expression 'variables.size != 3 || variables.broken == 'x'' resulted in error: composited variable \"broken\" "
            "fails to evaluate: no such key: nothing"
        )

    api(scenario)


def test_match_conditions_and_failure_policy_say_when_a_policy_counts(api: Api) -> None:
    async def scenario(served: Served) -> None:
        conditions = [{"name": "checked", "expression": "object.data.check == 'yes'"}]
        await put_policy(served, matchConditions=conditions, validations=rules("false"))
        assert (await create(served, "a", data={"check": "no"})).status == 201
        assert (await create(served, "b", data={"check": "yes"})).status == 422
        failed = await create(served, "a", data={"x": "y"})
        assert failed.message == said("expression 'object.data.check == 'yes'' resulted in error: no such key: check")
        lenient = {"spec": {"failurePolicy": "Ignore"}}
        assert (await served.patch(f"{GROUP}/validatingadmissionpolicies/p", lenient)).status == 200
        assert (await create(served, "c", data={"x": "y"})).status == 201
        assert (await create(served, "d", data={"check": "yes"})).status == 422, "a refusal is no failure"

    api(scenario)


def test_bindings_deny_or_warn(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await put_policy(served, validations=rules("object.data.x != 'bad'"), bind={"validationActions": ["Warn", "Audit"]})
        warned = await create(served, "a", data={"x": "bad"})
        text = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': failed expression: object.data.x != 'bad'"
        assert (warned.status, warnings(warned)) == (201, f'299 - "{text}"')
        await put_binding(served, "strict", matchResources={"objectSelector": {"matchLabels": {"strict": "yes"}}})
        assert (await create(served, "b", data={"x": "bad"})).status == 201
        denied = await create(served, "c", data={"x": "bad"}, labels={"strict": "yes"})
        assert (denied.status, warnings(denied)) == (422, f'299 - "{text}"')
        assert "with binding 'strict' denied request" in denied.message
        assert (await served.delete(f"{GROUP}/validatingadmissionpolicybindings/strict")).status == 200
        assert (await create(served, "c", data={"x": "bad"}, labels={"strict": "yes"})).status == 201

    api(scenario)


def test_a_policy_without_a_binding_is_nobodys(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await put_policy(served, validations=rules("false"))
        assert (await create(served, "a")).status == 422
        assert (await served.delete(f"{GROUP}/validatingadmissionpolicybindings/p")).status == 200
        assert (await create(served, "a")).status == 201

    api(scenario)


def test_rules_names_namespaces_and_exclusions_narrow_policies_and_bindings_down(api: Api) -> None:
    async def scenario(served: Served) -> None:
        assert (await served.create("namespaces", {"metadata": {"name": "team", "labels": {"team": "a"}}}, "")).status == 201
        excluded = {"excludeResourceRules": [{**CONFIGMAPS, "resourceNames": ["free"]}]}
        rule = {**EVERYTHING, "apiGroups": [""], "resources": ["configmaps", "secrets"]}
        await put_policy(served, rule=rule, matching=excluded, validations=rules("false"), bind={
            "matchResources": {
                "namespaceSelector": {"matchLabels": {"team": "a"}},
                "resourceRules": [{**CONFIGMAPS, "resourceNames": ["free", "held"]}],
            }
        })  # fmt: skip
        for name, namespace, status in (
            ("held", "team", 422), ("free", "team", 201), ("other", "team", 201), ("held", "default", 201),
        ):  # fmt: skip
            assert (await create(served, name, namespace=namespace)).status == status, (name, namespace)
        assert (await served.create("secrets", {"metadata": {"name": "held"}}, "team")).status == 201

    api(scenario)


def test_costs_are_bounded(api: Api) -> None:
    async def scenario(served: Served) -> None:
        deep = "a + b + c + d + e + f > 0"
        for name in "abcdef":
            deep = f"[1,2,3,4,5,6,7,8,9,10].all({name}, {deep})"
        await put_policy(served, validations=rules(deep))
        answer = await create(served, "a")
        assert answer.message == said(f"expression '{deep}' resulted in error: operation cancelled: actual cost limit exceeded")
        checks = [f"authorizer.group('g{index}').resource('r').check('get').allowed()" for index in range(2)]
        costly = " && ".join(checks)
        await served.delete(f"{GROUP}/validatingadmissionpolicies/p")
        await served.delete(f"{GROUP}/validatingadmissionpolicybindings/p")
        await put_policy(served, "q", validations=rules(*[costly] * 20))
        spent = "validation failed due to running out of cost budget, no further validation rules will be run"
        assert (await create(served, "a")).message == said(spent, "q")

    api(scenario)


def test_every_policy_is_asked_and_the_first_by_name_is_heard(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await put_policy(served, "b", validations=rules("false"))
        await put_policy(served, "a", validations=rules("false"))
        await put_policy(served, "c", validations=rules("false"), bind={"validationActions": ["Warn"]})
        answer = await create(served, "a")
        assert answer.message == said("failed expression: false", "a") and "Policy 'c'" in warnings(answer)

    api(scenario)


def test_scales_and_namespaces_are_judged_as_what_they_are(api: Api) -> None:
    async def scenario(served: Served) -> None:
        rule = {**EVERYTHING, "apiGroups": ["apps"], "resources": ["deployments/scale"]}
        await put_policy(served, rule=rule, validations=rules("object.kind == 'Scale' && object.spec.replicas < 5"))
        own = {**EVERYTHING, "apiGroups": [""], "resources": ["namespaces"]}
        check = "namespaceObject == null && request.namespace == object.metadata.name"
        await put_policy(served, "q", rule=own, validations=rules(check))
        labels = {"a": "b"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"replicas": 9, "selector": {"matchLabels": labels}, "template": template}
        assert (await served.request("POST", DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})).status == 201
        assert (await served.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 8}})).status == 422
        assert (await served.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 4}})).status == 200
        assert (await served.create("namespaces", {"metadata": {"name": "team"}}, "")).status == 201

    api(scenario)


def test_the_status_tells_of_expressions_that_do_not_fit_their_kinds(api: Api) -> None:
    async def scenario(served: Served) -> None:
        rule = {**EVERYTHING, "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments", "replicasets"]}
        wrong = rules({"expression": "object.spec.replicas > '1'", "messageExpression": "string(object.spec.nothing)"}, "true")
        await put_policy(served, rule=rule, validations=wrong)
        path = f"{GROUP}/validatingadmissionpolicies/p"

        async def observed(generation: int) -> Tree:
            async with asyncio.timeout(DEADLINE_SECONDS), served.watch(path.rpartition("/")[0]) as events:
                while True:
                    _, tree = await events.next()
                    if tree.get("status", {}).get("observedGeneration") == generation:
                        status: Tree = tree["status"]
                        return status

        status = await observed(1)
        [first, second] = status["typeChecking"]["expressionWarnings"]
        assert first["fieldRef"] == "spec.validations[0].expression"
        assert first["warning"].startswith(
            "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'"
        )
        assert "apps/v1, Kind=ReplicaSet: ERROR" in first["warning"]
        assert (second["fieldRef"], "undefined field 'nothing'" in second["warning"]) == (
            "spec.validations[0].messageExpression", True,
        )  # fmt: skip
        assert (await served.patch(path, {"spec": {"validations": rules("object.spec.replicas > 1")}})).status == 200
        assert (await observed(2))["typeChecking"] == {}

    api(scenario)

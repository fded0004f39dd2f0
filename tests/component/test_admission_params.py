"""Parameters of policies: ConfigMaps, custom objects and cluster-wide ones, by name or by labels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.admission import EVERYTHING, create, put_binding, put_policy
from tests.component.conftest import Api, Served, core
from tests.component.definitions import crd, cron, crons, define

Tree = dict[str, Any]
KIND = {"apiVersion": "v1", "kind": "ConfigMap"}
LIMIT = [{"expression": "params == null || size(object.data) <= int(params.data.max)",
          "messageExpression": "'more than ' + params.data.max + ' of ' + params.metadata.name"}]  # fmt: skip
# The parameters themselves are ConfigMaps, too.
OTHERS = {"matchConditions": [{"name": "others", "expression": "!object.metadata.name.startsWith('limit')"}]}
THREE = {"a": "1", "b": "2", "c": "3"}


async def limit(served: Served, name: str, most: int, namespace: str = "default", **labels: str) -> None:
    assert (await create(served, name, namespace=namespace, data={"max": str(most)}, labels=labels)).status == 201


def test_a_parameter_is_found_by_its_name_and_its_changes_count_at_once(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await limit(served, "limit", 2)
        reference = {"name": "limit", "namespace": "default", "parameterNotFoundAction": "Deny"}
        await put_policy(served, paramKind=KIND, validations=LIMIT, bind={"paramRef": reference}, **OTHERS)
        denied = await create(served, "a", data=THREE)
        assert denied.status == 422 and denied.message.endswith("denied request: more than 2 of limit")
        assert (await served.patch(core("configmaps", "default", "limit"), {"data": {"max": "3"}})).status == 200
        assert (await create(served, "a", data=THREE)).status == 201

    api(scenario)


def test_without_a_namespace_it_is_that_of_the_request(api: Api) -> None:
    async def scenario(served: Served) -> None:
        assert (await served.create("namespaces", {"metadata": {"name": "team"}}, "")).status == 201
        await limit(served, "limit", 1)
        await limit(served, "limit", 5, "team")
        await put_policy(
            served, paramKind=KIND, validations=LIMIT, bind={"paramRef": {"name": "limit", "parameterNotFoundAction": "Deny"}},
            **OTHERS,
        )  # fmt: skip
        assert (await create(served, "a", data=THREE)).status == 422
        assert (await create(served, "a", namespace="team", data=THREE)).status == 201
        nowhere = await create(served, "a", namespace="kube-system", data=THREE)
        why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
        assert nowhere.status == 422 and nowhere.message.endswith(f"denied request: {why}")

    api(scenario)


@pytest.mark.parametrize(
    ("labels", "action", "why"),
    [
        ({"limits": "yes"}, "Deny", "more than 2 of limit-2"),
        ({"limits": "none"}, "Allow", ""),
        ({"limits": "none"}, "Deny", "no params found for policy binding with `Deny` parameterNotFoundAction"),
    ],
)
def test_all_that_are_selected_must_be_satisfied(api: Api, labels: Tree, action: str, why: str) -> None:
    async def scenario(served: Served) -> None:
        await limit(served, "limit-1", 5, limits="yes")
        await limit(served, "limit-2", 2, limits="yes")
        await limit(served, "limit-3", 1, limits="no")
        reference = {"selector": {"matchLabels": labels}, "parameterNotFoundAction": action}
        await put_policy(served, paramKind=KIND, validations=LIMIT, bind={"paramRef": reference}, **OTHERS)
        answer = await create(served, "a", data=THREE)
        assert answer.status == (422 if why else 201)
        assert not why or answer.message.endswith(why)

    api(scenario)


def test_custom_objects_are_parameters(api: Api) -> None:
    async def scenario(served: Served) -> None:
        kind = {"apiVersion": "stable.example.com/v1", "kind": "CronTab"}
        checks = [{"expression": "size(object.data) <= params.spec.replicas"}]
        reference = {"name": "limit", "namespace": "default", "parameterNotFoundAction": "Deny"}
        await put_policy(served, paramKind=kind, validations=checks, bind={"paramRef": reference})
        unknown = await create(served, "a", data=THREE)
        why = (
            "failed to configure policy: failed to find resource referenced by paramKind: 'stable.example.com/v1, Kind=CronTab'"
        )
        assert unknown.message.endswith(f"ValidatingAdmissionPolicy 'p' denied request: {why}")
        await define(served, crd())
        assert (await served.request("POST", crons(), cron("limit", replicas=2))).status == 201
        assert (await create(served, "a", data=THREE)).status == 422
        assert (await served.patch(crons("v1", "limit"), {"spec": {"replicas": 3}})).status == 200
        assert (await create(served, "a", data=THREE)).status == 201

    api(scenario)


def test_what_is_in_no_namespace_has_rules_of_its_own(api: Api) -> None:
    async def scenario(served: Served) -> None:
        rule = {**EVERYTHING, "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]}
        namespaced = {"paramRef": {"name": "limit", "parameterNotFoundAction": "Allow"}}
        await put_policy(served, rule=rule, paramKind=KIND, validations=[{"expression": "true"}], bind=namespaced)
        role: Tree = {"metadata": {"name": "r"}}
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        answer = await served.request("POST", path, role)
        why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        assert answer.status == 422 and answer.message.endswith(f"failed to configure binding: {why}")
        cluster_wide = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
        reference = {"name": "admin", "namespace": "default", "parameterNotFoundAction": "Allow"}
        await put_policy(
            served, "q", paramKind=cluster_wide, validations=[{"expression": "true"}], bind={"paramRef": reference}
        )
        answer = await create(served, "a")
        why = "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
        assert answer.message.endswith(f"failed to configure binding: {why}")
        await put_binding(served, "plain", policy="q")
        assert "with binding 'q'" in (await create(served, "a")).message, "a binding without a paramRef has nothing against it"

    api(scenario)

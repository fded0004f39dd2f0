"""Server-side apply over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.component.applying import APPLY, A, D, apply, config_map, deployment, owners
from tests.component.conftest import Api, Served, Tree
from tests.component.definitions import crd, cron, crons, define, version


def test_an_apply_makes_what_is_not_there_and_changes_what_is(api: Api) -> None:
    async def scenario(server: Served) -> None:
        made = await apply(server, A, config_map(x="1", y="1"))
        assert (made.status, made.tree["data"]) == (201, {"x": "1", "y": "1"})
        assert owners(made) == {"Apply one": {"f:data": {"f:x": {}, "f:y": {}}}}
        changed = await apply(server, A, config_map(x="2"))
        assert (changed.status, changed.tree["data"], owners(changed)) == (
            200,
            {"x": "2"},
            {"Apply one": {"f:data": {"f:x": {}}}},
        )
        same = await apply(server, A, config_map(x="2"))
        assert same.tree == changed.tree, "an apply that changes nothing writes nothing"

    api(scenario)


def test_conflicts_name_fields_and_their_owners(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await apply(server, D, deployment(replicas=2))
        await server.patch(D, {"spec": {"paused": True}}, query={"fieldManager": "two"})
        answer = await apply(server, D, deployment("j", replicas=3, paused=False), "three")
        assert (answer.status, answer.tree["reason"]) == (409, "Conflict")
        image = '.spec.template.spec.containers[name="c"].image'
        assert answer.message == (
            'Apply failed with 3 conflicts: conflicts with "one":\n'
            f"- .spec.replicas\n- {image}\n"
            'conflicts with "two" using apps/v1:\n- .spec.paused'
        )
        causes = [tuple(cause.values()) for cause in answer.tree["details"]["causes"]]
        assert causes == [
            ("FieldManagerConflict", 'conflict with "one"', ".spec.replicas"),
            ("FieldManagerConflict", 'conflict with "one"', image),
            ("FieldManagerConflict", 'conflict with "two" using apps/v1', ".spec.paused"),
        ]
        forced = await apply(server, D, deployment("j", replicas=3), "three", force="true")
        assert (forced.status, forced.tree["spec"]["replicas"]) == (200, 3)
        assert "f:replicas" not in owners(forced)["Apply one"]["f:spec"]
        one = await apply(server, D, deployment("k"))
        assert one.message == f'Apply failed with 1 conflict: conflict with "three": {image}'

    api(scenario)


def test_fields_go_with_their_last_owner(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await apply(server, A, config_map(x="1", y="1"))
        await apply(server, A, config_map(x="1"), "two")
        assert (await apply(server, A, config_map())).tree["data"] == {"x": "1"}
        assert "data" not in (await apply(server, A, config_map(), "two")).tree

    api(scenario)


def test_a_field_given_up_gets_its_default_back(api: Api) -> None:
    async def scenario(server: Served) -> None:
        assert (await apply(server, D, deployment(replicas=3))).tree["spec"]["replicas"] == 3
        assert (await apply(server, D, deployment())).tree["spec"]["replicas"] == 1

    api(scenario)


YAML = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: '1'\n  x: '2'\n"
TWICE = 'error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "x" already set in map'

REFUSED: list[tuple[Any, dict[str, str], int, str]] = [
    (config_map(), {"fieldManager": ""}, 422,
     'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'),
    (config_map(), {"fieldManager": "m" * 129}, 422, "fieldManager: Too long: may not be more than 128 bytes"),
    (config_map(), {"fieldManager": "a\n"}, 422, "invalid character U+000A"),
    (b"{", {}, 400, "error decoding YAML: error converting YAML to JSON: yaml: "),
    (b"[]", {}, 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    (b"null", {}, 400, "invalid object type: /, Kind="),
    (b'{"x":' * 20_000, {}, 400, "exceeded max depth"),
    ({**config_map(), "kind": "Secret"}, {}, 400, "invalid object type: /v1, Kind=Secret"),
    ({**config_map(), "apiVersion": "apps/v1"}, {}, 400, "invalid object type: apps/v1, Kind=ConfigMap"),
    ({**config_map(), "metadata": {"name": "b"}}, {}, 400,
     "the name of the object (b) does not match the name on the URL (a)"),
    ({**config_map(), "metadata": {}}, {}, 400, "(a based on URL) was undeterminable: name must be provided"),
    ({**config_map(), "metadata": {"name": "a", "namespace": "b"}}, {}, 400,
     "the namespace of the provided object does not match the namespace sent on the request"),
    ({**config_map(), "metadata": {"name": "a", "managedFields": []}}, {}, 400, "metadata.managedFields must be nil"),
    ({**config_map(), "metadata": {"name": "a", "uid": "x"}}, {}, 409,
     "uid mismatch: the provided object specified uid x, and no existing object was found"),
    ({**config_map(), "foo": 1}, {}, 500,
     "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .foo: field not declared in schema"),
    ({**config_map(), "data": {"x": 1}}, {}, 500, ".data.x: expected string, got &value.valueUnstructured{Value:1}"),
    (config_map(**{"/": "x"}), {}, 422, "a valid config key must consist of"),
    (YAML, {"fieldValidation": "Strict"}, 400, f"error strict decoding YAML: {TWICE}"),
    (config_map(), {"force": "maybe", "dryRun": "x"}, 422, "dryRun: Unsupported value"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "query", "code", "message"), REFUSED)
def test_a_bad_configuration_is_refused_and_makes_nothing(
    api: Api, body: Any, query: dict[str, str], code: int, message: str
) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.patch(A, body, APPLY, query={"fieldManager": "one", **query})
        assert (answer.status, answer.tree["code"]) == (code, code), answer.tree
        assert message in answer.message
        assert (await server.get(A)).status == 404

    api(scenario)


def test_what_is_applied_into_a_namespace_that_is_not_there_is_told_of_it(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answer = await apply(server, "/api/v1/namespaces/nowhere/configmaps/a", config_map())
        assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')

    api(scenario)


def test_yaml_is_read_and_what_is_odd_in_it_warned_of(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answer = await apply(server, A, YAML)
        assert (answer.status, answer.tree["data"]) == (201, {"x": "2"})
        assert answer.header("Warning") == ['299 - "line 6: key \\"x\\" already set in map"']
        assert (await apply(server, A, YAML, fieldValidation="Ignore")).header("Warning") == []

    api(scenario)


def test_an_apply_may_insist_on_what_it_saw(api: Api) -> None:
    async def scenario(server: Served) -> None:
        meta = (await apply(server, A, config_map(x="1"))).tree["metadata"]
        seen = {"name": "a", "uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        assert (await apply(server, A, {**config_map(x="2"), "metadata": seen})).status == 200
        late = await apply(server, A, {**config_map(x="3"), "metadata": seen})
        assert (late.status, late.tree["reason"]) == (409, "Conflict")
        other = await apply(server, A, {**config_map(x="3"), "metadata": {"name": "a", "uid": "x"}})
        assert other.status == 422 and 'metadata.uid: Invalid value: "x": field is immutable' in other.message

    api(scenario)


def test_a_dry_run_shows_the_outcome_and_leaves_all_as_it_was(api: Api) -> None:
    async def scenario(server: Served) -> None:
        shown = await apply(server, A, config_map(x="1"), dryRun="All")
        assert (shown.status, owners(shown)) == (201, {"Apply one": {"f:data": {"f:x": {}}}})
        assert (await server.get(A)).status == 404
        await apply(server, A, config_map(x="1"))
        shown = await apply(server, A, config_map(x="2"), dryRun="All")
        assert (shown.status, shown.tree["data"]) == (200, {"x": "2"})
        assert (await server.get(A)).tree["data"] == {"x": "1"}

    api(scenario)


def test_who_may_patch_may_not_yet_create(api: Api) -> None:
    async def scenario(server: Served) -> None:
        rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}]
        await server.request("POST", f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": rules})
        subjects = [{"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
        await server.request("POST", f"{rbac}/rolebindings", {"metadata": {"name": "r"}, "subjects": subjects, "roleRef": role})
        bob = server.connect("bob")
        answer = await apply(server, A, config_map(x="1"), by=bob)
        assert answer.status == 403
        assert 'User "bob" cannot create resource "configmaps" in API group "" in the namespace "default"' in answer.message
        await apply(server, A, config_map(x="1"))
        assert (await apply(server, A, config_map(y="1"), "two", by=bob)).status == 200

    api(scenario)


def test_what_kubectl_applied_on_its_own_side_is_no_conflict_to_it(api: Api) -> None:
    last = "kubectl.kubernetes.io/last-applied-configuration"

    async def scenario(server: Served) -> None:
        tree = config_map(x="1", y="1")
        meta = {"name": "a", "annotations": {last: json.dumps(tree)}}
        query = {"fieldManager": "kubectl-client-side-apply"}
        await server.create("configmaps", {**tree, "metadata": meta}, query=query)
        await server.patch(A, {"data": {"y": "2"}}, query={"fieldManager": "two"})
        conflict = await apply(server, A, config_map(x="3", y="3"), "kubectl")
        assert conflict.message == 'Apply failed with 1 conflict: conflict with "two" using v1: .data.y'
        assert (await apply(server, A, config_map(x="3"), "other")).status == 409
        done = await apply(server, A, config_map(x="3"), "kubectl")
        assert (done.status, done.tree["data"]) == (200, {"x": "3", "y": "2"})
        assert json.loads(done.tree["metadata"]["annotations"][last]) == config_map(x="3")

    api(scenario)


def test_owners_in_other_versions_are_understood(api: Api) -> None:
    def autoscaler(version: str, **spec: Any) -> Tree:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
        meta = {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}}
        return {**meta, "spec": {"scaleTargetRef": target, "maxReplicas": 3, **spec}}

    def path(version: str) -> str:
        return f"/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers/h"

    async def scenario(server: Served) -> None:
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
        metrics = [{"type": "Resource", "resource": cpu}]
        await apply(server, path("v2"), autoscaler("v2", minReplicas=1, metrics=metrics))
        old = {"minReplicas": 1, "targetCPUUtilizationPercentage": 60}
        conflict = await apply(server, path("v1"), autoscaler("v1", **old), "two")
        assert conflict.message == 'Apply failed with 1 conflict: conflict with "one": .spec.metrics'
        agreed = await apply(server, path("v1"), autoscaler("v1", **old | {"targetCPUUtilizationPercentage": 50}), "two")
        assert set(owners(agreed)) == {"Apply one", "Apply two"}
        assert "f:targetCPUUtilizationPercentage" in owners(agreed)["Apply two"]["f:spec"]
        mine = await apply(server, path("v1"), autoscaler("v1", minReplicas=1))
        assert "f:metrics" not in owners(mine)["Apply one"]["f:spec"]
        left = await apply(server, path("v1"), autoscaler("v1", minReplicas=1), "two")
        assert left.tree["spec"]["targetCPUUtilizationPercentage"] == 80, "the default, once nobody wants another"

    api(scenario)


def test_custom_objects_are_applied_by_their_schemas(api: Api) -> None:
    ports = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
        },
    }
    properties = {"ports": ports, "tags": {"type": "object", "additionalProperties": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}

    async def scenario(server: Served) -> None:
        await define(server, crd("CronTab", version(schema=schema)))
        one = cron("c", ports=[{"name": "a", "port": 1}], tags={"k": "v"})
        made = await apply(server, crons(name="c"), one)
        assert made.status == 201, made.tree
        key = 'k:{"name":"a"}'
        spec = {"f:ports": {key: {".": {}, "f:name": {}, "f:port": {}}}, "f:tags": {"f:k": {}}}
        assert owners(made) == {"Apply one": {"f:spec": spec}}
        two = await apply(server, crons(name="c"), cron("c", ports=[{"name": "b", "port": 2}]), "two")
        assert [port["name"] for port in two.tree["spec"]["ports"]] == ["a", "b"]
        conflict = await apply(server, crons(name="c"), cron("c", ports=[{"name": "a", "port": 3}]), "two")
        assert conflict.message == 'Apply failed with 1 conflict: conflict with "one": .spec.ports[name="a"].port'
        gone = await apply(server, crons(name="c"), cron("c"))
        assert gone.tree["spec"] == {"ports": [{"name": "b", "port": 2}]}
        bad = await apply(server, crons(name="c"), cron("c", foo=1))
        assert bad.message.endswith(".spec.foo: field not declared in schema")
        patched = await server.patch(crons(name="c"), {"spec": {"tags": {"x": "y"}}}, query={"fieldManager": "three"})
        assert owners(patched)["Update three"] == {"f:spec": {"f:tags": {".": {}, "f:x": {}}}}

    api(scenario)

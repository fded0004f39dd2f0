"""Webhook configurations and validating policies over HTTP: defaults, and whose parameters a policy may read."""

from __future__ import annotations

from typing import Any

from tests.component.conftest import Api, Served
from tests.component.test_certificates_api import grant

Tree = dict[str, Any]
GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{GROUP}/validatingadmissionpolicies", f"{GROUP}/validatingadmissionpolicybindings"


def rule(verbs: list[str], group: str, *resources: str) -> Tree:
    return {"verbs": verbs, "apiGroups": [group], "resources": list(resources)}


def policy(name: str, kind: str = "") -> Tree:
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec: Tree = {"matchConstraints": {"resourceRules": [pods]}, "validations": [{"expression": "true"}]}
    return {"metadata": {"name": name}, "spec": spec | ({"paramKind": {"apiVersion": "v1", "kind": kind}} if kind else {})}


def binding(name: str, parameters: Tree) -> Tree:
    reference = {"parameterNotFoundAction": "Deny"} | parameters
    return {"metadata": {"name": name}, "spec": {"policyName": "p", "validationActions": ["Deny"], "paramRef": reference}}


def test_who_cannot_read_a_kind_cannot_make_a_policy_read_it(api: Api) -> None:
    async def scenario(server: Served) -> None:
        everything = rule(["*"], "admissionregistration.k8s.io", "*")
        stranger, reader = server.connect("stranger"), server.connect("reader")
        await grant(server, "stranger", everything)
        await grant(server, "reader", everything, rule(["get", "list"], "", "configmaps"))
        refused = await server.request("POST", POLICIES, policy("p", "ConfigMap"), by=stranger)
        assert refused.status == 422
        [cause] = refused.tree["details"]["causes"]
        assert (cause["reason"], cause["field"]) == ("FieldValueForbidden", "spec.paramKind")
        assert cause["message"].endswith(
            'must have "get" permission on all objects of the referenced paramKind (kind=ConfigMap, apiVersion=v1)'
        )
        assert (await server.request("POST", POLICIES, policy("q"), by=stranger)).status == 201
        assert (await server.request("POST", POLICIES, policy("p", "ConfigMap"), by=reader)).status == 201
        touched = await server.patch(f"{POLICIES}/p", {"metadata": {"labels": {"a": "b"}}}, by=stranger)
        assert touched.status == 200, touched.tree

        bound = binding("b", {"name": "limits", "namespace": "default"})
        refused = await server.request("POST", BINDINGS, bound, by=stranger)
        assert refused.status == 422
        assert refused.message.endswith('does not have "get" permission on the object referenced by paramRef')
        selected = await server.request("POST", BINDINGS, binding("c", {"selector": {}}), by=stranger)
        assert selected.message.endswith('does not have "list" permission on the object referenced by paramRef')
        assert (await server.request("POST", BINDINGS, bound, by=reader)).status == 201

    api(scenario)


def test_configurations_are_made_anew_only_over_what_was_seen(api: Api) -> None:
    async def scenario(server: Served) -> None:
        webhook = {
            "name": "a.example.com",
            "clientConfig": {"service": {"namespace": "default", "name": "hook"}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        tree = {"metadata": {"name": "hooks"}, "webhooks": [webhook]}
        path = f"{GROUP}/mutatingwebhookconfigurations"
        made = await server.request("POST", path, tree)
        assert made.status == 201, made.tree
        [stored] = made.tree["webhooks"]
        assert stored["reinvocationPolicy"] == "Never"
        assert stored["clientConfig"]["service"]["port"] == 443
        blind = await server.request("PUT", f"{path}/hooks", tree)
        assert blind.status == 422
        assert "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update" in blind.message
        changed = await server.request("PUT", f"{path}/hooks", made.tree | {"webhooks": []})
        assert changed.tree["metadata"]["generation"] == 2

    api(scenario)

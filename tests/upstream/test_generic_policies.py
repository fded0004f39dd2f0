"""ValidatingAdmissionPolicies over custom objects on upstream's server and ours: both take them from ours."""

from __future__ import annotations

from typing import Any

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of, thing
from tests.upstream.generic_wire import MERGE, Side
from tests.upstream.test_generic_definitions import N, S

__all__ = ["both"]

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
VALIDATIONS: list[Tree] = [
    {"expression": "!has(object.spec.a) || object.spec.a != 'plain'"},
    {"expression": "!has(object.spec.a) || object.spec.a != 'said'", "message": "a may not be said"},
    {
        "expression": "!has(object.spec.a) || object.spec.a != 'told'",
        "messageExpression": "'a is ' + object.spec.a + ' by ' + request.operation",
    },
    {"expression": "!has(object.spec.a) || object.spec.a != 'forbidden'", "reason": "Forbidden"},
    {"expression": "!has(object.spec.a) || object.spec.a != 'large'", "reason": "RequestEntityTooLarge"},
    {"expression": "!has(object.spec.a) || object.spec.a != 'error' || object.spec.none == 1"},
    {
        "expression": "oldObject == null || !has(oldObject.spec.n) || !has(object.spec.n) || object.spec.n >= oldObject.spec.n",
        "message": "n may not sink",
    },
    {"expression": "variables.short", "message": "too long"},
    {"expression": "!has(object.spec.a) || object.spec.a != 'both'", "message": "first"},
    {"expression": "!has(object.spec.a) || object.spec.a != 'both'", "message": "second"},
    {"expression": "authorizer.group('x.example.com').resource('y').check('get').allowed()"},
    {"expression": "namespaceObject.metadata.name == 'default'"},
    {"expression": "request.name == '' || request.name.size() < 20", "message": "long name"},
]


def policy(group: str, resource: str, actions: list[str]) -> tuple[Tree, Tree]:
    name = f"{resource}-{'-'.join(actions).lower()}"
    rules = [{"apiGroups": [group], "apiVersions": ["*"], "resources": [resource], "operations": ["CREATE", "UPDATE"]}]
    return (
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": rules},
                "variables": [{"name": "short", "expression": "!has(object.spec.a) || object.spec.a.size() < 20"}],
                "validations": VALIDATIONS,
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": actions},
        },
    )


def judged(both: Both, kind: str, actions: list[str]) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition(kind, object_of(spec=object_of(a=S, n=N))))
        group, resource = f"{kind.lower()}.example.com", f"{kind.lower()}s"
        if side is both.ours:  # which upstream's server has it from, as all that it does not keep itself
            for where, tree in zip((POLICIES, BINDINGS), policy(group, resource, actions), strict=True):
                side.ask("POST", where, tree)
        probe: dict[str, Any] = thing(kind, "probe", spec={"a": "plain"})
        side.effective(path, probe)
        for value in ("good", "plain", "said", "told", "forbidden", "large", "error", "both", "x" * 30):
            side.create(path, thing(kind, "made", spec={"a": value}), note=value)
            side.ask("DELETE", f"{path}/made")
        side.create(path, thing(kind, "a", spec={"a": "good", "n": 5}))
        side.patch(f"{path}/a", {"spec": {"n": 3}}, MERGE)
        side.patch(f"{path}/a", {"spec": {"a": "said", "n": 6}}, MERGE)
        side.apply(f"{path}/a", thing(kind, "a", spec={"a": "told"}), force="true")
        side.create(path, thing(kind, "n" * 30))
        side.create(path, thing(kind, "c", spec={"a": "said"}), dryRun="All")

    both(scenario)


def test_what_a_policy_denies_is_refused_alike(both: Both) -> None:
    judged(both, "Denied", ["Deny"])


def test_what_a_policy_warns_of_is_let_through_alike(both: Both) -> None:
    judged(both, "Warned", ["Warn"])

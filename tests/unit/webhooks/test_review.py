"""AdmissionReviews: what a webhook is told, and what is made of what it answers."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CONNECT, CREATE, DELETE, UPDATE, Attributes
from sampan.apiserver.registry.options import DeleteOptions, WriteOptions
from sampan.apiserver.user import User
from sampan.apiserver.webhooks.review import BadReview, Undecodable, options_of, rejection, review, verdict, version_for

PODS = Resource(group="", version="v1", kind="Pod", plural="pods", definition="")
DEPLOYMENTS = Resource(group="apps", version="v1", kind="Deployment", plural="deployments", definition="")
SCALE = Resource(group="autoscaling", version="v1", kind="Scale", plural="scales", definition="")
USER = User("alice", "u-1", ("devs",), {"scopes": ("a", "b")})
PATCH = base64.b64encode(b"[]").decode()


def attributes(operation: str = CREATE, resource: Resource = PODS, **fields: Any) -> Attributes:
    found = Attributes(operation, resource, "default", "web", USER, {"metadata": {"name": "web"}})
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def test_a_request_is_told_whole() -> None:
    asked = attributes(
        UPDATE, DEPLOYMENTS, subresource="scale", form=SCALE, dry_run=True,
        options=WriteOptions(dry_run=True, field_manager="kubectl", said_validation="Strict"),
    )  # fmt: skip
    other = Resource(group="extensions", version="v1beta1", kind="Deployment", plural="deployments", definition="")
    assert review("uid-1", "v1", asked, other, {"spec": {"replicas": 2}}, {"spec": {}}) == {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "uid-1",
            "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "resource": {"group": "extensions", "version": "v1beta1", "resource": "deployments"},
            "subResource": "scale",
            "requestKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "requestResource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "requestSubResource": "scale",
            "name": "web",
            "namespace": "default",
            "operation": "UPDATE",
            "userInfo": {"username": "alice", "uid": "u-1", "groups": ["devs"], "extra": {"scopes": ["a", "b"]}},
            "object": {"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 2}},
            "oldObject": {"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {}},
            "dryRun": True,
            "options": {
                "kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"], "fieldManager": "kubectl",
                "fieldValidation": "Strict",
            },
        },
    }  # fmt: skip


def test_what_nobody_named_has_no_name_and_what_is_not_there_is_null() -> None:
    request = review("u", "v1beta1", attributes(nameless=True), PODS, None, None)["request"]
    assert "name" not in request and request["object"] is None and request["oldObject"] is None


def test_a_namespace_is_about_itself() -> None:
    namespaces = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False, definition="")
    asked = attributes(resource=namespaces, namespace="", name="team")
    request = review("u", "v1", asked, namespaces, {}, None)["request"]
    assert (request["namespace"], request["name"]) == ("team", "team")


@pytest.mark.parametrize(
    ("operation", "options", "expected"),
    [
        (CREATE, None, {"kind": "CreateOptions"}),
        (CREATE, WriteOptions(field_validation="Warn"), {"kind": "CreateOptions"}),
        (DELETE, DeleteOptions(), {"kind": "DeleteOptions"}),
        (DELETE, DeleteOptions(grace_seconds=0, uid="u", propagation="Foreground", dry_run=True),
         {"kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": "u"}, "propagationPolicy": "Foreground",
          "dryRun": ["All"]}),
        (CONNECT, None, None),
    ],
)  # fmt: skip
def test_options_are_those_of_the_operation(operation: str, options: Any, expected: Tree | None) -> None:
    found = options_of(attributes(operation, options=options))
    assert found == (None if expected is None else {"apiVersion": "meta.k8s.io/v1", **expected})


def test_the_first_version_both_speak_is_spoken() -> None:
    assert [version_for(v) for v in (["v2", "v1beta1", "v1"], ["v1"], ["v2"])] == ["v1beta1", "v1", ""]


def answer(version: str = "v1", **response: Any) -> Tree:
    found: Tree = {"uid": "u", "allowed": True} | response
    return {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}", "response": found}


@pytest.mark.parametrize(
    ("tree", "version", "mutating", "why"),
    [
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}, "v1", True, "webhook response was absent"),
        (answer(uid="x"), "v1", True, 'expected response.uid="u", got "x"'),
        ({"response": {"uid": "u"}}, "v1", True,
         "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind="),
        (answer(patch=PATCH), "v1", True, "webhook returned response.patch but not response.patchType"),
        (answer(patchType="JSONPatch"), "v1", True, "webhook returned response.patchType but not response.patch"),
        (answer(patch=PATCH, patchType=""), "v1", True, 'webhook returned invalid response.patchType of ""'),
        (answer(patch=PATCH), "v1", False, "validating webhook may not return response.patch"),
        (answer(patchType="JSONPatch"), "v1", False, "validating webhook may not return response.patchType"),
    ],
)  # fmt: skip
def test_answers_that_contradict_themselves_are_invalid(tree: Tree, version: str, mutating: bool, why: str) -> None:
    with pytest.raises(BadReview) as caught:
        verdict(tree, version, "u", mutating=mutating)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (answer("v1beta1"), "converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion"),
        ({"kind": "Pod", "apiVersion": "v1"}, 'no kind "Pod" is registered for version "v1"'),
        (answer(allowed="yes"),
         "json: cannot unmarshal string into Go struct field AdmissionResponse.response.allowed of type bool"),
        (answer(warnings=[1]),
         "json: cannot unmarshal number into Go struct field AdmissionResponse.response.warnings of type string"),
        (answer(status={"code": "x"}),
         "json: cannot unmarshal string into Go struct field Status.response.status.code of type int32"),
        (answer(patch="???", patchType="JSONPatch"), "illegal base64 data at input byte 0"),
        ({**answer(), "response": []},
         "json: cannot unmarshal array into Go struct field AdmissionReview.response of type v1.AdmissionResponse"),
    ],
)  # fmt: skip
def test_what_is_no_review_cannot_be_decoded(tree: Tree, why: str) -> None:
    with pytest.raises(Undecodable) as caught:
        verdict(tree, "v1", "u", mutating=True)
    assert str(caught.value) == why


def test_the_old_version_is_lenient() -> None:
    found = verdict({"response": {"allowed": True, "patch": PATCH}}, "v1beta1", "u", mutating=True)
    assert (found.allowed, found.patch, found.patch_type) == (True, b"[]", "JSONPatch")
    assert verdict(answer("v1beta1", uid="x", patch=PATCH), "v1beta1", "u", mutating=False).patch == b""


@pytest.mark.parametrize(
    ("status", "code", "reason", "message"),
    [
        ({}, 400, "", "denied the request without explanation"),
        ({"message": "no"}, 400, "", "denied the request: no"),
        ({"reason": "Forbidden"}, 400, "Forbidden", "denied the request: Forbidden"),
        ({"code": 403, "reason": "Forbidden", "message": "no"}, 403, "Forbidden", "denied the request: no"),
        ({"code": 200}, 400, "", "denied the request without explanation"),
        ({"code": 503}, 503, "", "denied the request without explanation"),
        ({"code": 100_000}, 500, "", "denied the request without explanation"),
    ],
)
def test_a_refusal_is_in_the_webhooks_own_words(status: Tree, code: int, reason: str, message: str) -> None:
    error = rejection("h.example.com", status)
    assert (error.code, error.reason) == (code, reason)
    assert error.message == f'admission webhook "h.example.com" {message}'

"""Admission webhooks and policies for tests: answers, configurations, and what was asked."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.component.conftest import Answer, Served
from tests.component.webhooks import Hook

Tree = dict[str, Any]

GROUP = "/apis/admissionregistration.k8s.io/v1"
EVERYTHING: Tree = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
CONFIGMAPS: Tree = {**EVERYTHING, "resources": ["configmaps"]}


def respond(review: Tree, *, allowed: bool = True, patch: list[Tree] | bytes | None = None, **more: Any) -> Tree:
    """The answer to a review, in its version."""
    response: Tree = {"uid": review["request"]["uid"], "allowed": allowed, **more}
    if patch is not None:
        raw = patch if isinstance(patch, bytes) else json.dumps(patch).encode()
        response |= {"patch": base64.b64encode(raw).decode(), "patchType": "JSONPatch"}
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}


def add(path: str, value: Any) -> Tree:
    return {"op": "add", "path": path, "value": value}


def entry(hook: Hook, name: str = "h.example.com", *, rule: Tree = CONFIGMAPS, path: str = "/", **more: Any) -> Tree:
    """One webhook of a configuration."""
    found = {
        "name": name,
        "clientConfig": hook.client_config(path),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "rules": [rule],
    }
    return found | more


async def configure(served: Served, kind: str, name: str, *webhooks: Tree) -> None:
    """`kind`: "mutating" or "validating"."""
    tree = {"metadata": {"name": name}, "webhooks": list(webhooks)}
    answer = await served.request("POST", f"{GROUP}/{kind}webhookconfigurations", tree)
    assert answer.status == 201, answer.body


async def put_policy(
    served: Served, name: str = "p", *, bind: Tree | None = None, rule: Tree = CONFIGMAPS, **spec: Any
) -> None:
    """A policy and a binding of the same name, which denies unless `bind` says otherwise."""
    more = spec.pop("matching", {})
    tree = {"metadata": {"name": name}, "spec": {"matchConstraints": {"resourceRules": [rule], **more}, **spec}}
    answer = await served.request("POST", f"{GROUP}/validatingadmissionpolicies", tree)
    assert answer.status == 201, answer.body
    await put_binding(served, name, policy=name, **(bind or {}))


async def put_binding(served: Served, name: str, *, policy: str = "p", **spec: Any) -> None:
    tree = {"metadata": {"name": name}, "spec": {"policyName": policy, "validationActions": ["Deny"], **spec}}
    answer = await served.request("POST", f"{GROUP}/validatingadmissionpolicybindings", tree)
    assert answer.status == 201, answer.body


async def create(served: Served, name: str, *, namespace: str = "default", labels: Tree | None = None, **more: Any) -> Answer:
    """A ConfigMap; `data` of the tree, `query` and `by` of the request."""
    tree: Tree = {"metadata": {"name": name, "labels": labels or {}}, "data": more.pop("data", {})}
    return await served.create("configmaps", tree, namespace, **more)


def warnings(answer: Answer) -> str:
    """As one header."""
    return ", ".join(answer.header("Warning"))

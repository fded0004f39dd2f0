"""Webhooks and policies as kubectl meets them: what it is refused, warned of, and shown of them."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sampan.pki.certificates import CA, SERVER
from tests.component.kubectl.conftest import Kubectl

Tree = dict[str, Any]

POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NS-replicas}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments, deployments/scale]}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}
  validations:
  - expression: object.spec.replicas <= 5
    messageExpression: "'at most 5 replicas, not ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NS-replicas}
spec: {policyName: NS-replicas, validationActions: [ACTION]}
"""
BROKEN = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NS-broken}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ["*"], resources: [deployments]}]
  validations: [{expression: "object.spec.replicas >"}]
"""


def test_a_policy_refuses_and_warns(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-replicas"

    def apply(action: str) -> None:
        manifest = POLICY.replace("NS", kubectl.namespace).replace("ACTION", action)
        assert "configured" in (said := kubectl.ok("apply", "-f", "-", input=manifest)) or "created" in said

    apply("Deny")
    refused = kubectl.error("create", "deployment", "web", "--image=web", "--replicas=6")
    why = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: at most 5 replicas, not 6"
    assert refused == f'error: failed to create deployment: deployments.apps "web" is forbidden: {why}'
    kubectl.ok("create", "deployment", "web", "--image=web", "--replicas=1")
    assert kubectl.error("scale", "deployment/web", "--replicas=7").endswith("at most 5 replicas, not 7")
    apply("Warn")
    result = kubectl("scale", "deployment/web", "--replicas=6")
    assert (result.code, result.out) == (0, "deployment.apps/web scaled\n")
    warned = (
        f"Warning: Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': at most 5 replicas, not 6"
    )
    assert warned in result.err
    kubectl.ok("delete", "deployment/web", "--wait=false")
    kubectl.ok("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


def test_an_expression_that_does_not_compile_is_shown_where_it_breaks(kubectl: Kubectl) -> None:
    said = kubectl.error("apply", "-f", "-", input=BROKEN.replace("NS", kubectl.namespace))
    assert "spec.validations[0].expression: Invalid value" in said
    assert "compilation failed: ERROR: <input>:1:23: Syntax error: mismatched input '<EOF>'" in said


def test_webhooks_label_warn_refuse_and_stand_by_on_dry_runs(kubectl: Kubectl, tmp_path: Path) -> None:
    def reply(request: Tree) -> Tree:
        tree = request["object"]
        if "bad" in tree.get("data", {}):
            return {"allowed": False, "status": {"code": 403, "message": "this is bad"}}
        patch = [{"op": "add", "path": "/metadata/labels", "value": {"hooked": "yes"}}]
        found: Tree = {"allowed": True, "warnings": ["hooked you"]}
        if request["operation"] == "CREATE":
            found |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        return found

    name = f"{kubectl.namespace}-hook"
    with _serving(reply, tmp_path) as client_config:
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
        webhook = {
            "name": "hook.example.com", "clientConfig": client_config, "rules": [rule], "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}},
        }  # fmt: skip
        kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
        kubectl.ok("apply", "-f", "-", input=json.dumps({**kind, "metadata": {"name": name}, "webhooks": [webhook]}))
        for words, out in (
            (("--dry-run=server",), "configmap/a created (server dry run)\n"), ((), "configmap/a created\n"),
        ):  # fmt: skip
            made = kubectl("create", "configmap", "a", "--from-literal=x=y", *words)
            assert (made.code, made.out, made.err) == (0, out, "Warning: hooked you\n")
        assert kubectl.ok("get", "cm", "a", "-o", "jsonpath={.metadata.labels.hooked}") == "yes"
        refused = kubectl.error("create", "configmap", "b", "--from-literal=bad=y")
        assert refused.endswith('admission webhook "hook.example.com" denied the request: this is bad')
        kubectl.ok("delete", "mutatingwebhookconfiguration", name)


@contextmanager
def _serving(reply: Any, tmp_path: Path) -> Iterator[Tree]:
    """A webhook on loopback, in a thread; gives its clientConfig."""
    ca = CA.create("hooks")
    cert, key = ca.issue("hook", ips=("127.0.0.1",), usages=(SERVER,))
    (tmp_path / "pair.pem").write_bytes(cert + key)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["content-length"])))
            response = {"uid": review["request"]["uid"], **reply(review["request"])}
            body = json.dumps({**review, "request": None, "response": response}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        bundle = base64.b64encode(ca.cert_pem).decode()
        yield {"url": f"https://127.0.0.1:{server.server_port}/", "caBundle": bundle}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

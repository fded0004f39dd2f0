"""Ingresses, policies, signing requests, webhooks and flow control, as kubectl makes and shows them."""

from __future__ import annotations

import base64
import json

import pytest

from tests.component.kubectl.conftest import Kubectl
from tests.unit.groups.requests import request_pem

OBJECTS = """
apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: IngressClass
  metadata: {name: NS-class}
  spec: {controller: example.com/c, parameters: {apiGroup: example.com, kind: K, name: one}}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: one}
  spec:
    podSelector: {matchLabels: {app: one}}
    ingress: [{ports: [{port: 80}], from: [{namespaceSelector: {}}]}]
- apiVersion: flowcontrol.apiserver.k8s.io/v1
  kind: PriorityLevelConfiguration
  metadata: {name: NS-level}
  spec: {type: Limited, limited: {limitResponse: {type: Queue, queuing: {}}}}
- apiVersion: flowcontrol.apiserver.k8s.io/v1
  kind: FlowSchema
  metadata: {name: NS-schema}
  spec: {priorityLevelConfiguration: {name: NS-level}}
- apiVersion: admissionregistration.k8s.io/v1
  kind: ValidatingWebhookConfiguration
  metadata: {name: NS-hooks}
- apiVersion: admissionregistration.k8s.io/v1
  kind: MutatingWebhookConfiguration
  metadata: {name: NS-hooks}
- apiVersion: admissionregistration.k8s.io/v1
  kind: ValidatingAdmissionPolicy
  metadata: {name: NS-policy}
  spec:
    paramKind: {apiVersion: v1, kind: ConfigMap}
    matchConstraints:
      resourceRules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]
    validations: [{expression: "true"}]
- apiVersion: admissionregistration.k8s.io/v1
  kind: ValidatingAdmissionPolicyBinding
  metadata: {name: NS-binding}
  spec:
    policyName: NS-policy
    validationActions: [Deny]
    paramRef: {name: one, namespace: two, parameterNotFoundAction: Deny}
"""

# Of each kind: the name of the object, and its cells but for its age, plain and wide alike.
TABLES = {
    "ingressclass": ("NS-class", "NAME CONTROLLER PARAMETERS AGE", "NS-class example.com/c K.example.com/one AGE"),
    "netpol": ("one", "NAME POD-SELECTOR AGE", "one app=one AGE"),
    "prioritylevelconfiguration": (
        "NS-level",
        "NAME TYPE NOMINALCONCURRENCYSHARES QUEUES HANDSIZE QUEUELENGTHLIMIT AGE",
        "NS-level Limited 30 64 8 50 AGE",
    ),
    "validatingwebhookconfiguration": ("NS-hooks", "NAME WEBHOOKS AGE", "NS-hooks 0 AGE"),
    "mutatingwebhookconfiguration": ("NS-hooks", "NAME WEBHOOKS AGE", "NS-hooks 0 AGE"),
    "validatingadmissionpolicy": ("NS-policy", "NAME VALIDATIONS PARAMKIND AGE", "NS-policy 1 v1/ConfigMap AGE"),
    "validatingadmissionpolicybinding": ("NS-binding", "NAME POLICYNAME PARAMREF AGE", "NS-binding NS-policy two/one AGE"),
    "servicecidr": ("kubernetes", "NAME CIDRS AGE", "kubernetes 10.96.0.0/12 AGE"),
    "ip": ("10.96.0.1", "NAME PARENTREF", "10.96.0.1 services/default/kubernetes"),
}
NEWER_THAN_1_27 = ("servicecidr", "ip")
"""Which an old kubectl knows as alpha, and asks for so when it describes them."""


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_each_kind_has_its_table(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", input=OBJECTS.replace("NS", kubectl.namespace))
    for kind, (name, header, cells) in TABLES.items():
        name, cells = name.replace("NS", kubectl.namespace), cells.replace("NS", kubectl.namespace)
        for form in ((), ("-o", "wide")):
            found = lines(kubectl.ok("get", kind, name, *form))
            assert found[0] == header.split(), kind
            expected = cells.removesuffix(" AGE").split()
            assert found[1][: len(expected)] == expected, kind
        if kind not in NEWER_THAN_1_27:
            described = kubectl.ok("describe", kind, name).splitlines()[0].split()
            assert described == ["Name:", name]
    schemas = lines(kubectl.ok("get", "flowschemas", f"{kubectl.namespace}-schema"))
    assert schemas[0] == ["NAME", "PRIORITYLEVEL", "MATCHINGPRECEDENCE", "DISTINGUISHERMETHOD", "AGE", "MISSINGPL"]
    assert schemas[1][1:4] == [f"{kubectl.namespace}-level", "1000", "<none>"]
    for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration"):
        kubectl.ok("delete", kind, f"{kubectl.namespace}-hooks")
    for kind, name in (("validatingadmissionpolicybinding", "binding"), ("validatingadmissionpolicy", "policy")):
        kubectl.ok("delete", kind, f"{kubectl.namespace}-{name}")


def test_flow_schemas_are_listed_as_they_are_tried(kubectl: Kubectl) -> None:
    precedences = [int(cells[2]) for cells in lines(kubectl.ok("get", "flowschemas", "--no-headers"))]
    assert precedences == sorted(precedences)
    assert precedences[0] == 1


def test_an_ingress_is_made_and_described(kubectl: Kubectl) -> None:
    rule = "web.example.com/*=web:80,tls=secret"
    made = kubectl.ok("create", "ingress", "web", "--class=nginx", f"--rule={rule}", "--default-backend=other:http")
    assert made == "ingress.networking.k8s.io/web created\n"
    header, cells = lines(kubectl.ok("get", "ing", "-o", "wide"))
    assert header == ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    assert cells[:-1] == ["web", "nginx", "web.example.com", "80,", "443"]
    described = kubectl.ok("describe", "ingress", "web")
    assert "Ingress Class:    nginx" in described
    assert "secret terminates web.example.com" in described
    wrong = kubectl.error("create", "ingress", "bad", "--rule=10.0.0.1/=web:80")
    assert 'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address' in wrong


@pytest.mark.parametrize(("verb", "verdict"), [("approve", "Approved"), ("deny", "Denied")])
def test_a_signing_request_is_decided(kubectl: Kubectl, verb: str, verdict: str) -> None:
    name = f"{kubectl.namespace}-{verb}"
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request_pem()).decode(),
            "signerName": "example.com/clients",
            "usages": ["client auth"],
            "expirationSeconds": 86400,
        },
    }
    kubectl.ok("create", "-f", "-", input=json.dumps(request))
    [header, cells] = lines(kubectl.ok("get", "csr", name))
    assert header == ["NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"]
    user = json.loads(kubectl.ok("get", "csr", name, "-o", "json"))["spec"]["username"]
    assert [*cells[:1], *cells[2:]] == [name, "example.com/clients", user, "24h", "Pending"]
    assert kubectl.ok("certificate", verb, name).startswith(
        f"certificatesigningrequest.certificates.k8s.io/{name} {verdict.lower()}"
    )
    assert lines(kubectl.ok("get", "csr", name))[1][-1] == verdict
    assert f"Status:              {verdict}" in kubectl.ok("describe", "csr", name)
    kubectl.ok("delete", "csr", name)


def test_the_kinds_are_found_by_their_groups_and_categories(kubectl: Kubectl) -> None:
    found = kubectl.ok("api-resources", "--categories=api-extensions", "-o", "name").split()
    assert {
        "apiservices.apiregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
    } <= set(found)
    assert "FIELDS:" in kubectl.ok("explain", "ingress.spec.rules.http.paths")

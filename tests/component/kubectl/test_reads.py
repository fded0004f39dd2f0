"""get in all its forms, describe, explain and the commands that ask the server about itself."""

from __future__ import annotations

import json
import re

import pytest

from tests.component.kubectl.conftest import Kubectl

EVENTS = (
    "LAST SEEN|TYPE|REASON|OBJECT|MESSAGE",
    "LAST SEEN|TYPE|REASON|OBJECT|SUBOBJECT|SOURCE|MESSAGE|FIRST SEEN|COUNT|NAME",
)
HEADERS = {
    "configmaps": ("NAME|DATA|AGE", ""),
    "endpoints": ("NAME|ENDPOINTS|AGE", ""),
    "events": EVENTS,
    "namespaces": ("NAME|STATUS|AGE", ""),
    "nodes": (
        "NAME|STATUS|ROLES|AGE|VERSION",
        "NAME|STATUS|ROLES|AGE|VERSION|INTERNAL-IP|EXTERNAL-IP|OS-IMAGE|KERNEL-VERSION|CONTAINER-RUNTIME",
    ),
    "pods": ("NAME|READY|STATUS|RESTARTS|AGE", "NAME|READY|STATUS|RESTARTS|AGE|IP|NODE|NOMINATED NODE|READINESS GATES"),
    "secrets": ("NAME|TYPE|DATA|AGE", ""),
    "serviceaccounts": ("NAME|SECRETS|AGE", ""),
    "services": ("NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE", "NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE|SELECTOR"),
    "controllerrevisions": ("NAME|CONTROLLER|REVISION|AGE", ""),
    "deployments": ("NAME|READY|UP-TO-DATE|AVAILABLE|AGE", "NAME|READY|UP-TO-DATE|AVAILABLE|AGE|CONTAINERS|IMAGES|SELECTOR"),
    "replicasets": ("NAME|DESIRED|CURRENT|READY|AGE", "NAME|DESIRED|CURRENT|READY|AGE|CONTAINERS|IMAGES|SELECTOR"),
    "leases": ("NAME|HOLDER|AGE", ""),
    "endpointslices": ("NAME|ADDRESSTYPE|PORTS|ENDPOINTS|AGE", ""),
    "events.events.k8s.io": EVENTS,
    "roles": ("NAME|CREATED AT", ""),
    "rolebindings": ("NAME|ROLE|AGE", "NAME|ROLE|AGE|USERS|GROUPS|SERVICEACCOUNTS"),
    "clusterroles": ("NAME|CREATED AT", ""),
    "clusterrolebindings": ("NAME|ROLE|AGE", "NAME|ROLE|AGE|USERS|GROUPS|SERVICEACCOUNTS"),
    "priorityclasses": ("NAME|VALUE|GLOBAL-DEFAULT|AGE", ""),
}  # fmt: skip

OBJECTS = """
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: one}, revision: 1, data: {a: b}}
- {apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: one}, spec: {holderIdentity: me}}
- {apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: one}, rules: []}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {name: one}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: one}
- {apiVersion: v1, kind: Secret, metadata: {name: one}, stringData: {a: b}}
- {apiVersion: v1, kind: Service, metadata: {name: one}, spec: {selector: {app: one}, ports: [{port: 80}]}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: one, labels: {app: one}}
  spec:
    replicas: 2
    selector: {matchLabels: {app: one}}
    template: {metadata: {labels: {app: one}}, spec: {containers: [{name: c, image: "x:1"}]}}
"""


def furnish(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", input=OBJECTS)
    kubectl.ok("wait", "--for=condition=Available", "deploy/one", "--timeout=20s")
    kubectl.cluster.wait_for("endpoints/one", lambda found: found.get("subsets"), namespace=kubectl.namespace)


def columns(line: str) -> str:
    return "|".join(re.split(r"\s{2,}", line.strip()))


def test_every_kind_has_its_columns(kubectl: Kubectl) -> None:
    furnish(kubectl)
    for kind, (plain, wide) in HEADERS.items():
        for words, header in ((("get", kind), plain), (("get", kind, "-o", "wide"), wide or plain)):
            found = columns(kubectl.ok(*words, "--chunk-size=2").splitlines()[0])
            if kind == "priorityclasses":  # with a column more since 1.33
                found = found.removesuffix("|PREEMPTIONPOLICY")
            assert found == header, words


def test_every_kind_is_described(kubectl: Kubectl) -> None:
    furnish(kubectl)
    for kind in HEADERS:
        assert kubectl.ok("describe", kind).lstrip().startswith("Name:"), kind
    assert "Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in kubectl.ok(
        "describe", "deploy", "one"
    )
    pod = kubectl.ok("describe", "pod", "-l", "app=one")
    assert "QoS Class:                   BestEffort" in pod and "Successfully assigned" in pod


def test_what_was_asked_for_is_shown(kubectl: Kubectl) -> None:
    furnish(kubectl)
    deployed = "app=one"
    for words, shown in (
        (("deploy", "-o", "name"), "deployment.apps/one\n"),
        (("deploy", "one", "-o", "jsonpath={.spec.replicas}"), "2"),
        (("deploy", "-o", "custom-columns=N:.metadata.name,I:..image"), "N     I\none   x:1\n"),
        (("deploy", "-o", "go-template={{range .items}}{{.kind}} {{.metadata.name}}{{end}}"), "Deployment one"),
        (("secrets", "--field-selector=type=Opaque", "-o", "name"), "secret/one\n"),
        (("pods", "--field-selector=status.phase=Failed", "-o", "name"), ""),
        (("deploy", "-l", "app in (one,two),!other", "-o", "name"), "deployment.apps/one\n"),
        (("cm,secret", "--sort-by=.metadata.name", "-o", "name"), "configmap/kube-root-ca.crt\nsecret/one\n"),
        (("secret", "one", "--show-managed-fields", "-o", "jsonpath={..manager}"), "kubectl-client-side-apply"),
    ):
        assert kubectl.ok("get", *words) == shown, words
    assert "app=one,pod-template-hash=" in kubectl.ok("get", "pods", "--show-labels")
    assert [line.split()[-1] for line in kubectl.ok("get", "pods", "-L", "app").splitlines()] == ["APP", "one", "one"]
    for form in ("json", "yaml"):
        assert "resourceVersion" in kubectl.ok("get", "pods", "-l", deployed, "-o", form)
    watched = kubectl("get", "pods", "-l", deployed, "--watch", "--request-timeout=1s").out
    assert len(watched.splitlines()) == 3


def test_typed_lists_have_bare_items_and_only_lists_of_kubectls_own_making_name_them(kubectl: Kubectl) -> None:
    furnish(kubectl)
    raw = json.loads(kubectl.ok("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/secrets"))
    assert (raw["kind"], raw["apiVersion"]) == ("SecretList", "v1")
    assert all("kind" not in item and "apiVersion" not in item for item in raw["items"])
    listed = json.loads(kubectl.ok("get", "secrets", "-o", "json"))
    assert {(item["kind"], item["apiVersion"]) for item in listed["items"]} == {("Secret", "v1")}


EXPLAINED = [
    (("po.spec.containers.resources",), "FIELD: resources <ResourceRequirements>"),
    (("deploy.spec.strategy",), "GROUP:      apps"),
    (("svc", "--recursive"), "    sessionAffinityConfig\t<SessionAffinityConfig>"),
    (("deploy.spec.strategy", "--output=plaintext-openapiv2"), "RESOURCE: strategy <Object>"),
    (("rolebindings", "--api-version=rbac.authorization.k8s.io/v1"), "KIND:       RoleBinding"),
]


def test_fields_are_explained(every_kubectl: Kubectl) -> None:
    for words, shown in EXPLAINED:
        assert shown in every_kubectl.ok("explain", *words), words
    assert 'field "nothing" does not exist' in every_kubectl.error("explain", "po.spec.nothing")


def test_the_server_tells_of_itself(every_kubectl: Kubectl) -> None:
    assert re.search(r"Server Version: .*v1\.33\.\d+\+sampan", every_kubectl.ok("version"))
    assert {"v1", "apps/v1", "rbac.authorization.k8s.io/v1"} <= set(every_kubectl.ok("api-versions").split())
    resources = every_kubectl.ok("api-resources", "--namespaced=false", "-o", "name").split()
    assert {"nodes", "namespaces", "priorityclasses.scheduling.k8s.io"} <= set(resources)
    assert "is running at " in every_kubectl.ok("cluster-info")
    assert every_kubectl.ok("get", "--raw", "/readyz") == "ok"


def test_endpoints_are_shown_with_a_warning(kubectl: Kubectl) -> None:
    warning = "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    assert warning in kubectl("get", "endpoints").err
    assert kubectl("get", "endpointslices").err == f"No resources found in {kubectl.namespace} namespace.\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("get", "po", "x"), 'Error from server (NotFound): pods "x" not found'),
        (("get", "deploy", "x"), 'Error from server (NotFound): deployments.apps "x" not found'),
        (("get", "nothing"), 'error: the server doesn\'t have a resource type "nothing"'),
        (("get", "--raw", "/nothing"), "Error from server (NotFound): the server could not find the requested resource"),
        (
            ("get", "po", "--field-selector=a=b"),
            'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", '
            'field selector "a=b": field label not supported: a',
        ),
        (
            ("get", "cm", "--field-selector=a=b"),
            'Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match label selector "", '
            'field selector "a=b": "a" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        (
            ("get", "po", "-A", "--as=u"),
            'Error from server (Forbidden): pods is forbidden: User "u" cannot list resource "pods" in API group "" at the '
            "cluster scope",
        ),
        (("exec", "x", "--", "ls"), 'Error from server (NotFound): pods "x" not found'),
        (
            ("certificate", "approve", "x"),
            'Error from server (NotFound): certificatesigningrequests.certificates.k8s.io "x" not found',
        ),
        (("top", "pods"), "error: Metrics API not available"),
    ],
)
def test_what_cannot_be_read_is_complained_of(kubectl: Kubectl, words: tuple[str, ...], complaint: str) -> None:
    assert kubectl.error(*words) == complaint

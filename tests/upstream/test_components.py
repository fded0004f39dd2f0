"""Upstream's controllers and scheduler against our API server alone, and either of them beside the other of ours."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.upstream.components import JSON, PROTOBUF, Node, nodes, upstream_controllers, upstream_scheduler
from tests.upstream.looking import apps, available, core, is_ready, live_pods, names
from tests.upstream.plane import MISSING, Plane, Process, eventually, has

Tree = dict[str, Any]
pytestmark = [
    pytest.mark.skipif(not has("kube-controller-manager", "kube-scheduler"), reason=MISSING),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module", params=[JSON, PROTOBUF])
def content_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def plane(content_type: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with Plane(tmp_path_factory.mktemp("components")) as plane:
        yield plane


@pytest.fixture(scope="module", autouse=True)
def controllers(plane: Plane, content_type: str) -> Iterator[Process]:
    with upstream_controllers(plane, content_type) as process:
        yield process


@pytest.fixture(scope="module", autouse=True)
def scheduler(plane: Plane, content_type: str) -> Iterator[Process]:
    with upstream_scheduler(plane, content_type) as process:
        yield process


@pytest.fixture(scope="module", autouse=True)
def machines(plane: Plane) -> Iterator[dict[str, Node]]:
    with nodes(plane, "node-1", "node-2") as made:
        yield made


@pytest.fixture
def space(plane: Plane, request: pytest.FixtureRequest) -> Iterator[str]:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:40] + secrets.token_hex(2)
    plane.namespace(name)
    eventually("the namespace is furnished", lambda: plane.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")["secrets"])
    yield name
    plane.delete(f"/api/v1/namespaces/{name}")


LABELS = {"app": "app"}
TEMPLATE: Tree = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
SELECTED: Tree = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}


def test_a_deployment_rolls_out_and_is_updated_and_scaled(plane: Plane, space: str) -> None:
    web = apps(space, "deployments", "web")
    plane.create(apps(space, "deployments"), {"metadata": {"name": "web"}, "spec": {"replicas": 2, **SELECTED}})
    assert is_ready(available(plane, web, 2), "Available")
    plane.patch(web, {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}})
    updated = available(plane, web, 2)
    assert updated["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert len(plane.items(apps(space, "replicasets"))) == 2
    plane.patch(f"{web}/scale", {"spec": {"replicas": 4}})
    available(plane, web, 4)
    assert {pod["spec"]["nodeName"] for pod in live_pods(plane, space)} == {"node-1", "node-2"}


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
def test_what_a_deployment_owns_goes_with_it(plane: Plane, space: str, propagation: str) -> None:
    plane.create(apps(space, "deployments"), {"metadata": {"name": "web"}, "spec": {"replicas": 2, **SELECTED}})
    available(plane, apps(space, "deployments", "web"), 2)
    plane.delete(apps(space, "deployments", "web"), propagationPolicy=propagation, gracePeriodSeconds=0)
    eventually("its pods are gone", lambda: not plane.items(core(space, "pods")))
    eventually("its set is gone", lambda: not plane.items(apps(space, "replicasets")))
    eventually("it is gone", lambda: plane.is_gone(apps(space, "deployments", "web")))


def test_orphans_stay_and_are_adopted(plane: Plane, space: str) -> None:
    plane.create(apps(space, "replicasets"), {"metadata": {"name": "web"}, "spec": {"replicas": 2, **SELECTED}})
    eventually("it is ready", lambda: plane.get(apps(space, "replicasets", "web"))["status"]["readyReplicas"] == 2)
    before = names(plane, core(space, "pods"))
    plane.delete(apps(space, "replicasets", "web"), propagationPolicy="Orphan")
    eventually("it is gone", lambda: plane.is_gone(apps(space, "replicasets", "web")))
    assert names(plane, core(space, "pods")) == before
    assert not any("ownerReferences" in pod["metadata"] for pod in plane.items(core(space, "pods")))
    plane.create(apps(space, "replicasets"), {"metadata": {"name": "next"}, "spec": {"replicas": 2, **SELECTED}})
    eventually("they are adopted", lambda: plane.get(apps(space, "replicasets", "next"))["status"]["readyReplicas"] == 2)
    assert names(plane, core(space, "pods")) == before


def test_a_stateful_set_starts_in_order_with_claims_that_are_bound(plane: Plane, space: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": space[:40]}
    for number in range(2):
        source = {"capacity": {"storage": "2Gi"}, "hostPath": {"path": "/var/empty"}, "storageClassName": space[:40]}
        volume = {"metadata": {"name": f"{space}-{number}"}, "spec": {**source, "accessModes": ["ReadWriteOnce"]}}
        plane.create("/api/v1/persistentvolumes", volume)
    spec = {
        "replicas": 2,
        "serviceName": "db",
        **SELECTED,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    plane.create(apps(space, "statefulsets"), {"metadata": {"name": "db"}, "spec": spec})
    eventually("it is ready", lambda: plane.get(apps(space, "statefulsets", "db"))["status"]["readyReplicas"] == 2)
    pods = {pod["metadata"]["name"]: pod["metadata"]["creationTimestamp"] for pod in plane.items(core(space, "pods"))}
    assert sorted(pods) == ["db-0", "db-1"] and pods["db-0"] <= pods["db-1"]
    claims = plane.items(core(space, "persistentvolumeclaims"))
    assert [(item["metadata"]["name"], item["status"]["phase"]) for item in claims] == [
        ("data-db-0", "Bound"),
        ("data-db-1", "Bound"),
    ]
    plane.patch(apps(space, "statefulsets", "db"), {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}})
    eventually("it is updated", lambda: plane.get(apps(space, "statefulsets", "db"))["status"]["updatedReplicas"] == 2)
    plane.delete(core(space, "persistentvolumeclaims", "data-db-0"))
    assert plane.get(core(space, "persistentvolumeclaims", "data-db-0"))["metadata"]["deletionTimestamp"]
    plane.delete(apps(space, "statefulsets", "db"))
    eventually("the claim is let go", lambda: plane.is_gone(core(space, "persistentvolumeclaims", "data-db-0")))
    eventually(
        "its volume is released", lambda: {item["status"]["phase"] for item in _volumes(plane, space)} == {"Bound", "Released"}
    )


def _volumes(plane: Plane, space: str) -> list[Tree]:
    return [item for item in plane.items("/api/v1/persistentvolumes") if item["spec"].get("storageClassName") == space[:40]]


def test_a_daemon_set_runs_on_every_node(plane: Plane, space: str) -> None:
    plane.create(apps(space, "daemonsets"), {"metadata": {"name": "log"}, "spec": SELECTED})
    eventually("it is ready", lambda: plane.get(apps(space, "daemonsets", "log"))["status"]["numberReady"] == 2)
    assert sorted(pod["spec"]["nodeName"] for pod in live_pods(plane, space)) == ["node-1", "node-2"]
    plane.patch(apps(space, "daemonsets", "log"), {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}})
    eventually("there is another revision", lambda: len(plane.items(apps(space, "controllerrevisions"))) == 2)

    def updated() -> bool:
        status = plane.get(apps(space, "daemonsets", "log"))["status"]
        return bool(status["observedGeneration"] == status["updatedNumberScheduled"] == status["numberReady"] == 2)

    eventually("it is updated", updated)


def job(**spec: Any) -> Tree:
    container = {"name": "app", "image": "app:1", "command": spec.pop("command")}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {"metadata": {"name": "work"}, "spec": {"template": template, **spec}}


@pytest.mark.parametrize(
    ("command", "phase", "refusal"),
    [
        ("true", "Succeeded", "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
        ("false", "Failed", "cannot set Failed=True condition without the FailureTarget=true condition"),
    ],
)
def test_a_job_runs_to_an_end_that_old_controllers_cannot_tell(
    plane: Plane, controllers: Process, space: str, command: str, phase: str, refusal: str
) -> None:
    jobs = f"/apis/batch/v1/namespaces/{space}/jobs"
    plane.create(jobs, job(command=[command], backoffLimit=0))
    eventually("its pods end", lambda: [pod["status"]["phase"] for pod in plane.items(core(space, "pods"))] == [phase])
    # Since 1.32 a Job's end is told in two steps, which these controllers do not know.
    eventually("they are told so", lambda: refusal in controllers.text())
    plane.delete(f"{jobs}/work", propagationPolicy="Background")
    eventually("its pods are gone", lambda: not plane.items(core(space, "pods")))


def test_an_autoscaler_keeps_to_its_bounds(plane: Plane, space: str) -> None:
    plane.create(apps(space, "deployments"), {"metadata": {"name": "web"}, "spec": {"replicas": 1, **SELECTED}})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scalers = f"/apis/autoscaling/v1/namespaces/{space}/horizontalpodautoscalers"
    plane.create(scalers, {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5}})
    available(plane, apps(space, "deployments", "web"), 3)
    newer = f"/apis/autoscaling/v2/namespaces/{space}/horizontalpodautoscalers/web"

    def reason() -> bool:
        conditions = {item["type"]: item["reason"] for item in plane.get(newer)["status"]["conditions"]}
        return bool(conditions["ScalingActive"] == "FailedGetResourceMetric")

    eventually("it says why no more", reason)


def test_a_namespace_goes_with_all_that_is_in_it(plane: Plane, space: str) -> None:
    plane.namespace("doomed")
    eventually("it is furnished", lambda: plane.get(core("doomed", "serviceaccounts", "default")))
    plane.create(apps("doomed", "deployments"), {"metadata": {"name": "web"}, "spec": {"replicas": 2, **SELECTED}})
    available(plane, apps("doomed", "deployments", "web"), 2)
    plane.create(core("doomed", "configmaps"), {"metadata": {"name": "a", "finalizers": ["example.com/wait"]}})
    plane.delete("/api/v1/namespaces/doomed")
    told = "NamespaceFinalizersRemaining"
    eventually("it says what keeps it", lambda: is_ready(plane.get("/api/v1/namespaces/doomed"), told))
    plane.patch(core("doomed", "configmaps", "a"), {"metadata": {"finalizers": None}})
    eventually("it is gone", lambda: plane.is_gone("/api/v1/namespaces/doomed"))


def test_a_quota_is_counted_kept_and_given_back(plane: Plane, space: str) -> None:
    quota = core(space, "resourcequotas", "few")
    plane.create(
        core(space, "resourcequotas"), {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2", "count/configmaps": "9"}}}
    )
    eventually("it is counted", lambda: plane.get(quota)["status"]["used"]["count/configmaps"] == "1")
    plane.create(apps(space, "replicasets"), {"metadata": {"name": "web"}, "spec": {"replicas": 3, **SELECTED}})
    eventually("it is used up", lambda: plane.get(quota)["status"]["used"]["pods"] == "2")
    eventually("the set says so", lambda: is_ready(plane.get(apps(space, "replicasets", "web")), "ReplicaFailure"))
    plane.patch(apps(space, "replicasets", "web"), {"spec": {"replicas": 0}})
    eventually("it is given back", lambda: plane.get(quota)["status"]["used"]["pods"] == "0")


def test_accounts_get_tokens_that_are_believed(plane: Plane, space: str) -> None:
    plane.create(core(space, "serviceaccounts"), {"metadata": {"name": "robot"}})
    name = eventually("it has a token", lambda: plane.get(core(space, "serviceaccounts", "robot"))["secrets"][0]["name"])
    secret = plane.get(core(space, "secrets", name))
    assert secret["type"] == "kubernetes.io/service-account-token" and secret["data"]["ca.crt"]
    token = base64.b64decode(secret["data"]["token"]).decode()
    review = plane.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert review["status"]["user"]["username"] == f"system:serviceaccount:{space}:robot"
    eventually("the CA is published", lambda: plane.get(core(space, "configmaps", "kube-root-ca.crt"))["data"]["ca.crt"])
    plane.delete(core(space, "serviceaccounts", "robot"))
    eventually("its token is gone", lambda: plane.is_gone(core(space, "secrets", name)))
    review = plane.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert not review["status"].get("authenticated")


def test_a_service_finds_its_pods(plane: Plane, space: str) -> None:
    plane.create(core(space, "services"), {"metadata": {"name": "web"}, "spec": {"selector": LABELS, "ports": [{"port": 80}]}})
    plane.create(apps(space, "replicasets"), {"metadata": {"name": "web"}, "spec": {"replicas": 2, **SELECTED}})
    eventually("both are found", lambda: len(plane.get(core(space, "endpoints", "web"))["subsets"][0]["addresses"]) == 2)
    plane.delete(core(space, "services", "web"))
    eventually("they are forgotten", lambda: plane.is_gone(core(space, "endpoints", "web")))


def test_a_request_is_signed_once_approved(plane: Plane, space: str) -> None:
    requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    spec = {"request": _request("somebody"), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}
    made = plane.create(requests, {"metadata": {"name": space}, "spec": spec})
    made["status"]["conditions"] = [{"type": "Approved", "status": "True", "reason": "Test", "message": "why not"}]
    plane.request("PUT", f"{requests}/{space}/approval", made)
    issued = eventually("it is signed", lambda: plane.get(f"{requests}/{space}")["status"]["certificate"])
    certificate = x509.load_pem_x509_certificate(base64.b64decode(issued))
    assert certificate.subject.rfc4514_string() == "CN=somebody"
    plane.delete(f"{requests}/{space}")


def _request(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def test_cluster_roles_are_gathered(plane: Plane, space: str) -> None:
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    gather = {"clusterRoleSelectors": [{"matchLabels": {"part-of": space}}]}
    plane.create(roles, {"metadata": {"name": space}, "aggregationRule": gather, "rules": []})
    plane.create(roles, {"metadata": {"name": f"{space}-part", "labels": {"part-of": space}}, "rules": [rule]})
    eventually("it has the rule", lambda: plane.get(f"{roles}/{space}")["rules"] == [rule])
    for name in (space, f"{space}-part"):
        plane.delete(f"{roles}/{name}")


def test_bootstrap_tokens_sign_the_way_in_and_end(plane: Plane, space: str) -> None:
    config = {"metadata": {"name": "cluster-info"}, "data": {"kubeconfig": "apiVersion: v1\nkind: Config\n"}}
    plane.create(core("kube-public", "configmaps"), config)
    ends = time.time() + 8
    data = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-signing": "true",
        "usage-bootstrap-authentication": "true",
        "expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
    }
    secret = {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "stringData": data}
    plane.create(core("kube-system", "secrets"), secret)
    eventually(
        "it is signed", lambda: plane.get(core("kube-public", "configmaps", "cluster-info"))["data"]["jws-kubeconfig-abcdef"]
    )
    eventually("it ends", lambda: plane.is_gone(core("kube-system", "secrets", "bootstrap-token-abcdef")))


def test_the_scheduler_makes_room_for_what_matters_more(plane: Plane, space: str) -> None:
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    plane.create(classes, {"metadata": {"name": space}, "value": 1000})

    def pod(name: str, **spec: Any) -> Tree:
        container = {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": "6"}}}
        return {"metadata": {"name": name}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}}

    for name in ("one", "two", "three"):
        plane.create(core(space, "pods"), pod(name))
    eventually("two run", lambda: sum(is_ready(item) for item in plane.items(core(space, "pods"))) == 2)
    waits = eventually(
        "one waits", lambda: [item for item in plane.items(core(space, "pods")) if "nodeName" not in item["spec"]]
    )
    told = eventually(
        "it is told why", lambda: plane.get(core(space, "pods", waits[0]["metadata"]["name"]))["status"]["conditions"]
    )
    assert (told[0]["type"], told[0]["reason"]) == ("PodScheduled", "Unschedulable")
    assert "2 Insufficient cpu" in told[0]["message"]
    plane.create(core(space, "pods"), pod("urgent", priorityClassName=space))
    eventually("it runs", lambda: is_ready(plane.get(core(space, "pods", "urgent"))))
    reasons = {event["reason"] for event in plane.items(core(space, "events"))}
    assert reasons >= {"Scheduled", "FailedScheduling", "Preempted"}
    plane.delete(f"{classes}/{space}")


def test_pods_leave_a_node_that_falls_silent(plane: Plane, machines: dict[str, Node], space: str) -> None:
    tolerations = [
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    ]
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "tolerations": tolerations}}
    plane.create(
        apps(space, "replicasets"), {"metadata": {"name": "web"}, "spec": {"replicas": 4, **SELECTED, "template": template}}
    )
    eventually("it is ready", lambda: plane.get(apps(space, "replicasets", "web"))["status"]["readyReplicas"] == 4)
    assert plane.get("/api/v1/nodes/node-2")["spec"]["podCIDR"]
    machines["node-2"].stop()
    try:
        eventually("it is tainted", lambda: ("node.kubernetes.io/unreachable", "NoExecute") in _taints(plane, "node-2"))
        eventually("all are elsewhere", lambda: {pod["spec"]["nodeName"] for pod in live_pods(plane, space)} == {"node-1"})
    finally:
        machines["node-2"].start()
    eventually(
        "it is back",
        lambda: is_ready(plane.get("/api/v1/nodes/node-2")) and "taints" not in plane.get("/api/v1/nodes/node-2")["spec"],
    )


def _taints(plane: Plane, node: str) -> list[tuple[str, str]]:
    return [(taint["key"], taint["effect"]) for taint in plane.get(f"/api/v1/nodes/{node}")["spec"].get("taints", ())]


EXPECTED = (
    "no cloud provider provided",
    "because it is being terminated",
    # Somebody else was first; they try again.
    "the object has been modified",
    # Pods that ended but wait for their node to let them go are not foreseen by the namespace controller.
    "unexpected items still remain in namespace",
    "unable to fetch metrics from resource metrics API",
    "exceeded quota",
    "ReplicaSet has no controller",
    "without the SuccessCriteriaMet=true condition",
    "without the FailureTarget=true condition",
    "failed pod(s) detected for job key",
    # It hears of a new node twice before it has written, and takes a second range back.
    "range_allocator.go",
    # Their recorder begins a series with the first event; of those that come as events.k8s.io/v1 there must be two.
    "series.count: Invalid value",
)
GONE = re.compile('"[^"]+" not found|UID in object meta: $')
"""What a namespace took with it while they were at it."""


def test_nothing_else_was_logged_as_an_error(controllers: Process, scheduler: Process) -> None:
    """The last test, for it looks at what was logged during the others."""
    lines = (controllers.text() + scheduler.text()).splitlines()
    errors = [line for line in lines if re.match("[EF][0-9]{4} |panic", line)]
    assert [line for line in errors if not (GONE.search(line) or any(words in line for words in EXPECTED))] == []

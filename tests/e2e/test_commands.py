"""Commands of kubectl that the tour does not show, with pods that really run behind them."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.local import TODAYS_KUBECTL, eventually, speaks_as_of_old
from tests.e2e.space import Manifest, Space, pod, shell
from tests.e2e.test_services import server, service


@pytest.fixture(scope="module")
def web(space: Space) -> Space:
    """A server on each node behind a Service, and a name for each of their ports."""
    space.apply(service("web"))
    space.start(*(server(f"web-{node}", node) for node in ("node-1", "node-2")))
    ready = ("get", "endpointslices", "-o", "jsonpath={.items[*].endpoints[*].conditions.ready}")
    eventually(lambda: space.out(*ready) == "true true", "both are ready")
    return space


BOTH = {"web-node-1\n", "web-node-2\n"}


def test_services_and_pods_are_asked_through_the_api_server(web: Space) -> None:
    base = f"/api/v1/namespaces/{web.name}"
    for form in ("web:80", "web:http", "http:web:80"):
        eventually(lambda form=form: through(web, f"{base}/services/{form}/proxy/", 8) == BOTH, f"{form} leads to both")
    for name in ("web-node-1", "web-node-2:8080", "http:web-node-1:8080"):
        assert through(web, f"{base}/pods/{name}/proxy/", 1) == {re.sub(r"(http:)?(web-node-\d).*", r"\2\n", name)}
    missing = web.kubectl("get", "--raw", f"{base}/pods/web-node-1/proxy/nothing", check=False)
    assert missing.stderr.startswith("Error from server (NotFound): ")
    nobody = web.kubectl("get", "--raw", f"{base}/services/web:81/proxy/", check=False)
    assert nobody.stderr == 'Error from server (ServiceUnavailable): no service port 81 found for service "web"\n'
    assert web.out("get", "--raw", "/api/v1/nodes/node-2/proxy/healthz") == "ok"


def through(space: Space, path: str, times: int) -> set[str]:
    return {space.out("get", "--raw", path) for _ in range(times)}


def test_kubectl_proxy_opens_the_api_to_a_browser(web: Space) -> None:
    with web.background("proxy", "--port=0") as proxy:
        told = re.search(r"Starting to serve on (\S+)\n", proxy.wait_for("Starting to serve on 127.0.0.1:"))
        assert told is not None
        base = f"http://{told[1]}/api/v1/namespaces/{web.name}"
        assert fetched(f"{base}/pods/web-node-2/proxy/") == "web-node-2\n"
        assert json.loads(fetched(f"{base}/services/web"))["metadata"]["name"] == "web"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            fetched(f"{base}/pods/web-node-2/exec")


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def test_the_state_of_the_cluster_is_dumped_with_the_logs(web: Space, tmp_path: Path) -> None:
    web.start(pod("talks", shell("echo said; trap 'exit 0' TERM; sleep 3600 & wait")))
    web.cluster.kubectl("cluster-info", "dump", f"--namespaces={web.name}", f"--output-directory={tmp_path}")
    names = {item["metadata"]["name"] for item in json.loads((tmp_path / web.name / "pods.json").read_text())["items"]}
    assert {"web-node-1", "web-node-2", "talks"} <= names
    assert (tmp_path / web.name / "talks" / "logs.txt").read_text() == (
        f"==== START logs for container main of pod {web.name}/talks ====\nsaid\n"
        f"==== END logs for container main of pod {web.name}/talks ====\n"
    )
    assert {item["metadata"]["name"] for item in json.loads((tmp_path / "nodes.json").read_text())["items"]} == {
        "node-1",
        "node-2",
    }


@TODAYS_KUBECTL
def test_use_of_resources_is_not_told_without_a_metrics_server(space: Space) -> None:
    for kind in ("nodes", "pods"):
        done = space.kubectl("top", kind, check=False)
        assert (done.returncode, done.stderr) == (1, "error: Metrics API not available\n")


def config_map(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"set": "one"}}}


def test_what_a_manifest_no_longer_names_is_pruned(space: Space) -> None:
    kept, gone, worker = config_map("kept"), config_map("gone"), pod("gone-too", labels={"set": "one"})
    space.apply(kept, gone)
    space.start(worker)
    allowed = "--prune-whitelist" if speaks_as_of_old() else "--prune-allowlist"
    prune = ("apply", "--prune", "-l", "set=one", f"{allowed}=core/v1/ConfigMap", f"{allowed}=core/v1/Pod")
    said = space.kubectl(*prune, "-f", "-", input_text=json.dumps(kept)).stdout
    assert said == "configmap/kept unchanged\nconfigmap/gone pruned\npod/gone-too pruned\n"
    assert space.out("get", "cm", "-l", "set=one", "-o", "name") == "configmap/kept\n"
    eventually(lambda: space.out("get", "pod", "gone-too", "--ignore-not-found") == "", "its container is gone")


def test_a_certificate_is_requested_and_approved(space: Space) -> None:
    asked = ["client auth"]
    spec = {"request": request_for("ann", "dev"), "signerName": "kubernetes.io/kube-apiserver-client", "usages": asked}
    name = f"{space.name}-ann"
    kind = "CertificateSigningRequest"
    space.apply({"apiVersion": "certificates.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
    assert space.out("get", "csr", name, "--no-headers").split()[-1] == "Pending"
    said = space.out("certificate", "approve", name)
    assert said == f"certificatesigningrequest.certificates.k8s.io/{name} approved\n"
    assert space.out("get", "csr", name, "--no-headers").split()[-1] == "Approved"
    condition = space.get("csr", name)["status"]["conditions"][0]
    assert (condition["reason"], condition["message"]) == (
        "KubectlApprove",
        "This CSR was approved by kubectl certificate approve.",
    )
    space.delete("csr", name)


def request_for(user: str, group: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user), x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)])
    key = ec.generate_private_key(ec.SECP256R1())
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def test_rights_are_reconciled_with_a_file(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "rights.yaml"
    file.write_text(rights(space, "get", "ann"))
    assert space.out("auth", "reconcile", "-f", str(file)) == (
        "role.rbac.authorization.k8s.io/reads reconciled\nrolebinding.rbac.authorization.k8s.io/reads reconciled\n"
    )
    assert allowed(space, "get", "ann")
    file.write_text(rights(space, "list", "bob"))
    space.kubectl("auth", "reconcile", "-f", str(file))
    assert all(allowed(space, verb, user) for verb in ("get", "list") for user in ("ann", "bob"))
    space.kubectl("auth", "reconcile", "--remove-extra-subjects", "--remove-extra-permissions", "-f", str(file))
    assert [allowed(space, *each) for each in (("list", "bob"), ("get", "bob"), ("list", "ann"))] == [True, False, False]


def rights(space: Space, verb: str, user: str) -> str:
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "reads", "namespace": space.name}}
    role = {**rbac, "kind": "Role", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]}
    of = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reads"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    binding = {**rbac, "kind": "RoleBinding", "roleRef": of, "subjects": [subject]}
    return "---\n".join(yaml.safe_dump(each) for each in (role, binding))


def allowed(space: Space, verb: str, user: str) -> bool:
    return space.kubectl("auth", "can-i", verb, "pods", f"--as={user}", check=False).stdout == "yes\n"


@TODAYS_KUBECTL
def test_every_kind_is_listed_and_explained(space: Space) -> None:
    rows = [line.split() for line in space.out("api-resources", "--no-headers").splitlines()]
    assert len(rows) > 55
    silent = [row for row in rows if f"KIND:       {row[-1]}\n" not in explained(space, row[0], row[-3])]
    assert silent == []


def explained(space: Space, plural: str, version: str) -> str:
    return space.kubectl("explain", "--recursive", plural, f"--api-version={version}", check=False).stdout

"""The tour of README: what a user types after `sampan up`, in that order, with an application on two nodes."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.local import TODAYS_KUBECTL, eventually
from tests.e2e.space import BUSYBOX, Manifest, Space, in_terminal, pod

EXAMPLES = Path(__file__).parents[2] / "examples"
HELLO = EXAMPLES / "hello.yaml"
ROLLED_OUT = 'deployment "hello" successfully rolled out\n'


@pytest.fixture(scope="module")
def applied(space: Space) -> str:
    """What the first `apply` of the example said, once all of it runs."""
    said = space.out("apply", "-f", str(HELLO))
    space.kubectl("rollout", "status", "deployment/hello", "--timeout=30s")
    return said


@pytest.fixture
def hello(space: Space, applied: str) -> Space:
    """The example as its manifest has it, whatever the test before made of it."""
    space.kubectl("apply", "-f", str(HELLO))
    settle(space)
    return space


def settle(space: Space) -> None:
    assert space.out("rollout", "status", "deployment/hello", "--timeout=30s").endswith(ROLLED_OUT)


def rows(table: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines() if line.strip()]


def pods_of(space: Space) -> list[Manifest]:
    items: list[Manifest] = space.get("pods", "-l", "app=hello")["items"]
    return [item for item in items if "deletionTimestamp" not in item["metadata"]]


def names_of(space: Space) -> list[str]:
    return [item["metadata"]["name"] for item in pods_of(space)]


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def answer_at(node: str) -> str:
    """What the example answers; "" while a connection still goes to a pod that has just ended, or that ends amid its answer."""
    try:
        return fetch(f"http://{node}:30080/")
    except (OSError, http.client.IncompleteRead):
        return ""


def node_ips(space: Space) -> list[str]:
    return space.out("get", "nodes", "-o", "jsonpath={.items[*].status.addresses[?(@.type=='InternalIP')].address}").split()


def test_get_nodes_shows_them_ready(space: Space) -> None:
    header, *nodes = rows(space.out("get", "nodes"))
    assert header == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert [row[:3] for row in nodes] == [["node-1", "Ready", "<none>"], ["node-2", "Ready", "<none>"]]
    assert all(row[4].startswith("v1.33.") for row in nodes)


def test_the_example_is_created_and_shown_wide(hello: Space, applied: str) -> None:
    assert applied == "deployment.apps/hello created\nservice/hello created\n"
    assert hello.out("apply", "-f", str(HELLO)) == "deployment.apps/hello unchanged\nservice/hello unchanged\n"
    deployment, replicasets, pods, service, endpoints = [
        rows(block) for block in hello.out("get", "deploy,rs,pod,svc,ep", "-o", "wide").split("\n\n")
    ]
    assert deployment[1][:4] == ["deployment.apps/hello", "3/3", "3", "3"]
    assert deployment[1][5:] == ["web", BUSYBOX, "app=hello"]
    assert ["3", "3", "3"] in [row[1:4] for row in replicasets[1:]]
    running = [row for row in pods[1:] if row[2] == "Running"]
    assert len(running) == 3 and {row[6] for row in running} == {"node-1", "node-2"}
    assert service[1][1] == "NodePort" and service[1][4] == "80:30080/TCP"
    assert {address.removesuffix(":8080") for address in endpoints[1][1].split(",")} == {row[5] for row in running}


def test_every_node_answers_at_the_node_port(hello: Space) -> None:
    names, ips = set(names_of(hello)), node_ips(hello)
    assert len(ips) == 2
    for ip in ips:
        said = fetch(f"http://{ip}:30080/")
        match = re.fullmatch(r"Hello from (\S+), image version 1\n", said)
        assert match is not None and match[1] in names


def test_a_deleted_pod_is_replaced(hello: Space) -> None:
    victim = names_of(hello)[0]
    assert hello.out("delete", "pod", victim) == f'pod "{victim}" deleted\n'
    settle(hello)
    assert victim not in names_of(hello) and len(names_of(hello)) == 3


def test_scaling_goes_up_and_down(hello: Space) -> None:
    assert hello.out("scale", "deploy/hello", "--replicas=5") == "deployment.apps/hello scaled\n"
    settle(hello)
    assert len(names_of(hello)) == 5
    hello.kubectl("scale", "deploy/hello", "--replicas=1", "--current-replicas=5")
    eventually(lambda: len(names_of(hello)) == 1, "one pod is left")
    wrong = hello.kubectl("scale", "deploy/hello", "--replicas=2", "--current-replicas=5", check=False)
    assert (wrong.returncode, wrong.stderr) == (1, "error: Expected replicas to be 5, was 1\n")


def test_an_image_is_rolled_out_and_back(hello: Space) -> None:
    node = node_ips(hello)[0]
    assert hello.out("set", "image", "deploy/hello", "web=localhost/busybox:2") == "deployment.apps/hello image updated\n"
    settle(hello)
    eventually(lambda: "image version 2" in answer_at(node), "version 2 answers")
    hello.kubectl("annotate", "deploy/hello", "kubernetes.io/change-cause=version two")
    history = eventually(
        lambda: (said := hello.out("rollout", "history", "deploy/hello")) and "version two" in said and said,
        "the cause is kept",
    )
    assert rows(history)[1] == ["REVISION", "CHANGE-CAUSE"]
    revision = rows(history)[-1][0]
    assert "Image:\tlocalhost/busybox:2" in hello.out("rollout", "history", "deploy/hello", f"--revision={revision}")
    assert hello.out("rollout", "undo", "deploy/hello") == "deployment.apps/hello rolled back\n"
    settle(hello)
    eventually(lambda: "image version 1" in answer_at(node), "version 1 answers")
    hello.kubectl("rollout", "undo", "deploy/hello", f"--to-revision={revision}")
    settle(hello)
    eventually(lambda: "image version 2" in answer_at(node), "version 2 answers again")


def with_cause(space: Space, cause: str) -> str:
    history = space.out("rollout", "history", "deploy/hello")
    return history if cause in history else ""


def test_a_rollout_never_drops_a_request(hello: Space) -> None:
    node = node_ips(hello)[0]
    hello.kubectl("patch", "deploy/hello", "-p", json.dumps(with_pre_stop("sleep 1")))
    settle(hello)
    # The pods of before have no hook: they end before everybody has heard of it, here as upstream.
    eventually(lambda: len(hello.get("pods", "-l", "app=hello")["items"]) == 3, "the pods without a hook are gone")
    hello.kubectl("set", "image", "deploy/hello", "web=localhost/busybox:2")
    with hello.background("rollout", "status", "deploy/hello") as rollout:
        answers = [fetch(f"http://{node}:30080/") for _ in iter(lambda: rollout.process.poll(), 0)]
    assert answers and all(said.startswith("Hello from") for said in answers)
    hello.kubectl(
        "patch", "deploy/hello", "--type=json", "-p", '[{"op":"remove","path":"/spec/template/spec/containers/0/lifecycle"}]'
    )


def with_pre_stop(script: str) -> Manifest:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", script]}}}
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "lifecycle": hook}]}}}}


def test_a_rollout_restarts_pauses_and_resumes(hello: Space) -> None:
    before = set(names_of(hello))
    assert hello.out("rollout", "restart", "deploy/hello") == "deployment.apps/hello restarted\n"
    settle(hello)
    after = set(names_of(hello))
    assert not before & after
    assert hello.out("rollout", "pause", "deploy/hello") == "deployment.apps/hello paused\n"
    hello.kubectl("set", "env", "deploy/hello", "COLOR=red")
    hello.kubectl("scale", "deploy/hello", "--replicas=4")
    eventually(lambda: len(names_of(hello)) == 4, "a paused deployment still scales")
    assert after < set(names_of(hello))
    assert hello.out("rollout", "resume", "deploy/hello") == "deployment.apps/hello resumed\n"
    settle(hello)
    assert not after & set(names_of(hello))
    assert hello.exec(names_of(hello)[0], "sh", "-c", "echo $COLOR") == "red\n"
    hello.kubectl("set", "env", "deploy/hello", "COLOR-")


def test_a_rollout_that_cannot_succeed_keeps_the_old_pods_serving(hello: Space) -> None:
    hello.kubectl("set", "image", "deploy/hello", "web=127.0.0.1:1/none:1")
    stuck = hello.kubectl("rollout", "status", "deploy/hello", "--timeout=2s", check=False)
    assert stuck.returncode == 1 and "timed out waiting for the condition" in stuck.stderr
    assert hello.get("deploy", "hello")["status"]["availableReplicas"] == 3
    assert "Hello from" in fetch(f"http://{node_ips(hello)[0]}:30080/")
    hello.kubectl("rollout", "undo", "deploy/hello")


def test_a_deployment_is_exposed_and_reached_by_name(hello: Space) -> None:
    assert (
        hello.out("expose", "deploy/hello", "--name=exposed", "--port=81", "--target-port=8080") == "service/exposed exposed\n"
    )
    third = "jsonpath={.subsets[0].addresses[2].ip}"
    eventually(lambda: hello.kubectl("get", "ep", "exposed", "-o", third, check=False).stdout, "it has endpoints")
    command = ("sh", "-c", "read go; wget -q -O - http://exposed:81/")  # What is said before kubectl is attached is lost.
    run = ("run", "visitor", f"--image={BUSYBOX}", "--restart=Never", "--rm", "-i", "--quiet", "--")
    assert hello.kubectl(*run, *command, input_text="go\n").stdout.startswith("Hello from ")
    hello.delete("svc", "exposed")


def test_a_port_is_forwarded(hello: Space) -> None:
    for target in (f"pod/{names_of(hello)[0]}", "svc/hello", "deploy/hello"):
        remote = "80" if target.startswith("svc") else "8080"
        with hello.background("port-forward", target, f":{remote}") as forward:
            port = re.search(r"127\.0\.0\.1:(\d+) -> 8080", forward.wait_for("Forwarding from 127.0.0.1:"))
            assert port is not None
            for _ in range(3):
                assert fetch(f"http://127.0.0.1:{port[1]}/").startswith("Hello from ")


def test_describe_tells_the_whole_story(hello: Space) -> None:
    name = names_of(hello)[0]
    text = hello.out("describe", "pod", name)
    parts = (
        "Controlled By:  ReplicaSet/hello-",
        "State:          Running",
        "QoS Class:                   Burstable",
        "Scheduled",
    )
    assert [part for part in (*parts, "Started container web") if part not in text] == []
    assert "ScalingReplicaSet" in hello.out("describe", "deploy", "hello")
    assert re.search(r"Endpoints: +10\.244\.", hello.out("describe", "svc", "hello"))
    node = hello.out("describe", "node", "node-1")
    assert "Non-terminated Pods:" in node and "PodCIDR:" in node


def test_a_difference_is_shown_before_it_is_applied(hello: Space, tmp_path: Path) -> None:
    changed = tmp_path / "hello.yaml"
    changed.write_text(HELLO.read_text().replace("replicas: 3", "replicas: 2"))
    assert hello.kubectl("diff", "-f", str(HELLO), check=False).returncode == 0
    difference = hello.kubectl("diff", "-f", str(changed), check=False)
    assert difference.returncode == 1
    assert "-  replicas: 3\n+  replicas: 2\n" in difference.stdout
    assert hello.get("deploy", "hello")["spec"]["replicas"] == 3
    assert hello.out("apply", "-f", str(changed)) == "deployment.apps/hello configured\nservice/hello unchanged\n"
    assert hello.out("apply", "-f", str(HELLO), "--dry-run=server").startswith(
        "deployment.apps/hello configured (server dry run)"
    )
    assert hello.get("deploy", "hello")["spec"]["replicas"] == 2


@TODAYS_KUBECTL
def test_objects_are_labelled_annotated_patched_and_edited(space: Space) -> None:
    space.kubectl("create", "configmap", "edited", "--from-literal=a=1")
    assert space.out("label", "cm", "edited", "tier=x") == "configmap/edited labeled\n"
    assert "already has a value (x)" in space.kubectl("label", "cm", "edited", "tier=y", check=False).stderr
    assert space.out("label", "cm", "edited", "tier-") == "configmap/edited unlabeled\n"
    assert space.out("annotate", "cm", "edited", "note=n") == "configmap/edited annotated\n"
    for kind, patch in (("merge", '{"data":{"b":"2"}}'), ("strategic", '{"data":{"c":"3"}}')):
        assert space.out("patch", "cm", "edited", f"--type={kind}", "-p", patch) == "configmap/edited patched\n"
    space.kubectl("patch", "cm", "edited", "--type=json", "-p", '[{"op":"remove","path":"/data/a"}]')
    editor = {**space.cluster.environment, "KUBE_EDITOR": "sed -i s/b:.*/b:\\ edited/"}
    shown, code = in_terminal(space.argv("edit", "cm", "edited"), editor, b"")
    assert (code, "configmap/edited edited" in shown) == (0, True)
    assert space.get("cm", "edited")["data"] == {"b": "edited", "c": "3"}
    replaced = space.get("cm", "edited")
    replaced["data"] = {"only": "this"}
    assert space.kubectl("replace", "-f", "-", input_text=json.dumps(replaced)).stdout == "configmap/edited replaced\n"


def test_waiting_ends_when_the_condition_holds(hello: Space) -> None:
    assert hello.out("wait", "--for=condition=Available", "deploy/hello") == "deployment.apps/hello condition met\n"
    late = hello.kubectl("wait", "--for=delete", "deploy/hello", "--timeout=1s", check=False)
    assert late.returncode == 1 and "timed out waiting for the condition" in late.stderr


def test_a_watch_shows_each_change(space: Space) -> None:
    with space.background("get", "pods", "-l", "app=watched", "-w", "--no-headers") as watching:
        space.apply(pod("watched"))
        watching.wait_for("Running")
        space.kubectl("delete", "pod", "watched")
        said = watching.wait_for("Terminating")
    seen = [row[2] for row in rows(said)]
    order = [seen.index(status) for status in ("Pending", "ContainerCreating", "Running", "Terminating")]
    assert order == sorted(order)


@pytest.fixture
def uncordoned(space: Space) -> Iterator[None]:
    yield
    space.kubectl("uncordon", "node-2", check=False)


@pytest.mark.usefixtures("uncordoned")
@TODAYS_KUBECTL
def test_a_drained_node_is_empty_until_uncordoned(hello: Space) -> None:
    drained = hello.out("drain", "node-2", "--pod-selector=app=hello", "--timeout=60s")
    assert "node/node-2 cordoned" in drained and drained.endswith("node/node-2 drained\n")
    settle(hello)
    assert {item["spec"]["nodeName"] for item in pods_of(hello)} == {"node-1"}
    assert rows(hello.out("get", "node", "node-2"))[1][1] == "Ready,SchedulingDisabled"
    hello.apply(pod("homeless", nodeSelector={"kubernetes.io/hostname": "node-2"}))
    message = hello.wait_event("homeless", "FailedScheduling")
    assert message.startswith(
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable."
    )
    assert hello.out("uncordon", "node-2") == "node/node-2 uncordoned\n"
    hello.wait_ready("homeless")
    assert hello.get("pod", "homeless")["spec"]["nodeName"] == "node-2"


@TODAYS_KUBECTL
def test_rights_are_told_and_tokens_made(space: Space) -> None:
    assert space.out("auth", "can-i", "create", "pods") == "yes\n"
    stranger = space.kubectl("auth", "can-i", "list", "secrets", "--as=someone", check=False)
    assert (stranger.returncode, stranger.stdout) == (1, "no\n")
    assert "kubernetes-admin" in space.out("auth", "whoami")
    space.kubectl("create", "serviceaccount", "robot")
    space.kubectl("create", "rolebinding", "robot-views", "--clusterrole=view", f"--serviceaccount={space.name}:robot")
    token = space.out("create", "token", "robot", "--duration=10m").strip()
    as_robot = eventually(lambda: listed_with(space, token, "pods"), "the robot may list pods")
    assert as_robot["kind"] == "PodList"
    assert listed_with(space, token, "secrets") is None


def listed_with(space: Space, token: str, plural: str) -> Manifest | None:
    """A list as the bearer of a token gets it; None where that is forbidden."""
    config = yaml.safe_load(space.out("config", "view", "--raw", "--minify", "--flatten"))
    cluster = config["clusters"][0]["cluster"]
    trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    request = urllib.request.Request(
        f"{cluster['server']}/api/v1/namespaces/{space.name}/{plural}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            listed: Manifest = json.load(answer)
            return listed
    except urllib.error.HTTPError as error:
        if error.code != 403:
            raise
        return None


@TODAYS_KUBECTL
def test_events_are_listed(hello: Space) -> None:
    header, *events = rows(hello.out("get", "events"))
    assert header == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert "SuccessfulCreate" in {row[2] for row in events}
    assert "Created pod" in hello.out("events", "--types=Normal")


@TODAYS_KUBECTL
def test_the_servers_documents_are_there(space: Space) -> None:
    assert re.search(r"deployments +deploy +apps/v1 +true +Deployment", space.out("api-resources"))
    assert "Container image name" in space.out("explain", "pod.spec.containers.image")
    assert "Server Version: v1.33." in space.out("version")
    assert "CoreDNS is running at" in space.cluster.kubectl("cluster-info").stdout


def test_what_a_file_made_it_also_removes(hello: Space) -> None:
    assert hello.out("delete", "-f", str(HELLO)) == 'deployment.apps "hello" deleted\nservice "hello" deleted\n'
    eventually(lambda: hello.out("get", "deploy,rs,pod,svc,ep", "-l", "app=hello") == "", "nothing of it is left", 45)

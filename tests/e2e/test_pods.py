"""What a pod's containers get and how they live: environment, files, limits, identity, restarts, probes, ends."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.e2e.local import eventually
from tests.e2e.space import Manifest, Space, container, pod, shell

REPORT = "trap 'exit 0' TERM; sleep 3600 & wait"


def config_map(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def mounted(each: Manifest, **mounts: str) -> Manifest:
    return {**each, "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()]}


def field(path: str) -> Manifest:
    return {"fieldRef": {"fieldPath": path}}


def terminated(space: Space, name: str) -> Manifest:
    """How the pod's first container ended."""
    ended: Manifest = eventually(lambda: space.state(name).get("state", {}).get("terminated"), f"{name} has ended")
    return ended


# Starting and ending.


def test_init_containers_run_one_after_the_other_before_the_others(space: Space) -> None:
    volumes = [{"name": "log", "emptyDir": {}}]
    first, second = (
        mounted(shell(f"sleep 0.2; echo {name} >> /log/order", name=name), log="/log") for name in ("first", "second")
    )
    main = mounted(shell(f"echo main >> /log/order; {REPORT}"), log="/log")
    space.start(pod("inits", main, initContainers=[first, second], volumes=volumes))
    assert space.exec("inits", "cat", "/log/order") == "first\nsecond\nmain\n"
    inits = space.get("pod", "inits")["status"]["initContainerStatuses"]
    assert [each["state"]["terminated"]["reason"] for each in inits] == ["Completed", "Completed"]


def test_a_failed_init_container_keeps_the_pod_from_starting(space: Space) -> None:
    space.apply(pod("init-fails", container(), initContainers=[shell("exit 4", name="bad")], restartPolicy="Never"))
    space.wait_phase("init-fails", "Failed")
    status = space.get("pod", "init-fails")["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    assert "Init:Error" in space.out("get", "pod", "init-fails")


def test_a_sidecar_starts_first_and_ends_last(space: Space, tmp_path: Path) -> None:
    ends = "trap 'echo NAME ends >> /log/order; exit 0' TERM; sleep 3600 & wait"
    side = shell("echo side starts >> /log/order; " + ends.replace("NAME", "side"), name="side")
    side = {**mounted(side, log="/log"), "restartPolicy": "Always"}
    main = mounted(shell("echo main starts >> /log/order; " + ends.replace("NAME", "main")), log="/log")
    volumes = [{"name": "log", "hostPath": {"path": str(tmp_path)}}]
    space.start(pod("sidecar", main, initContainers=[side], volumes=volumes, terminationGracePeriodSeconds=5))
    assert "2/2" in space.out("get", "pod", "sidecar")
    space.kubectl("delete", "pod", "sidecar")
    assert (tmp_path / "order").read_text() == "side starts\nmain starts\nmain ends\nside ends\n"


@pytest.mark.parametrize(
    ("policy", "code", "phase", "reason"),
    [("Never", 0, "Succeeded", "Completed"), ("Never", 3, "Failed", "Error"), ("OnFailure", 0, "Succeeded", "Completed")],
)
def test_a_container_that_ends_for_good_decides_the_phase(
    space: Space, policy: str, code: int, phase: str, reason: str
) -> None:
    name = f"ends-{policy.lower()}-{code}"
    space.apply(pod(name, shell(f"exit {code}"), restartPolicy=policy))
    space.wait_phase(name, phase)
    ended = terminated(space, name)
    assert (ended["exitCode"], ended["reason"]) == (code, reason)
    assert space.state(name)["restartCount"] == 0


def test_a_failing_container_is_restarted_until_it_succeeds(space: Space) -> None:
    retried = mounted(shell("echo x >> /kept/runs; test $(wc -l < /kept/runs) -ge 2"), kept="/kept")
    space.apply(pod("retried", retried, restartPolicy="OnFailure", volumes=[{"name": "kept", "emptyDir": {}}]))
    space.wait_phase("retried", "Succeeded")
    assert space.state("retried")["restartCount"] == 1


def test_a_container_that_keeps_failing_backs_off(space: Space) -> None:
    space.apply(pod("crashing", shell("echo going down; exit 1")))
    waiting = eventually(lambda: waiting_as(space, "crashing", "CrashLoopBackOff"), "it backs off")
    uid = space.get("pod", "crashing")["metadata"]["uid"]
    assert waiting["message"] == f"back-off 10s restarting failed container=main pod=crashing_{space.name}({uid})"
    state = space.state("crashing")
    assert state["restartCount"] == 1
    assert (state["lastState"]["terminated"]["exitCode"], state["ready"], state["started"]) == (1, False, False)
    message = space.wait_event("crashing", "BackOff")
    assert message == f"Back-off restarting failed container main in pod crashing_{space.name}({uid})"
    assert "CrashLoopBackOff" in space.out("get", "pod", "crashing")
    assert space.out("logs", "crashing", "--previous") == "going down\n"


def waiting_as(space: Space, name: str, reason: str) -> Manifest | None:
    waiting = space.state(name).get("state", {}).get("waiting") or {}
    return waiting if waiting.get("reason") == reason else None


def test_a_pod_past_its_deadline_is_ended(space: Space) -> None:
    space.apply(pod("late", activeDeadlineSeconds=1))
    space.wait_phase("late", "Failed")
    status = space.get("pod", "late")["status"]
    assert (status["reason"], status["message"]) == (
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline",
    )


def test_a_pod_ends_in_order_pre_stop_term_kill(space: Space, tmp_path: Path) -> None:
    pre_stop = {"exec": {"command": ["sh", "-c", "echo hook >> /log/order; sleep 0.5; echo hook done >> /log/order"]}}
    script = "trap 'echo term >> /log/order; exit 0' TERM; sleep 3600 & wait"
    main = {**mounted(shell(script), log="/log"), "lifecycle": {"preStop": pre_stop}}
    volumes = [{"name": "log", "hostPath": {"path": str(tmp_path)}}]
    space.start(pod("polite", main, volumes=volumes, terminationGracePeriodSeconds=20))
    began = time.monotonic()
    space.kubectl("delete", "pod", "polite")
    assert time.monotonic() - began < 20  # its grace period
    assert (tmp_path / "order").read_text() == "hook\nhook done\nterm\n"


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(space: Space) -> None:
    space.start(pod("stubborn", shell("trap '' TERM; while true; do sleep 1; done"), terminationGracePeriodSeconds=2))
    began = time.monotonic()
    space.kubectl("delete", "pod", "stubborn", "--wait=false")
    eventually(lambda: space.phase("stubborn") == "", "it is gone")
    assert time.monotonic() - began > 1.5
    assert space.events("stubborn")["Killing"] == "Stopping container main"


def test_a_forced_deletion_takes_the_object_at_once_and_the_container_soon(space: Space, tmp_path: Path) -> None:
    beat = mounted(shell("trap '' TERM; while true; do date +%s%N > /log/beat; sleep 0.1; done"), log="/log")
    space.start(pod("forced", beat, volumes=[{"name": "log", "hostPath": {"path": str(tmp_path)}}]))
    space.kubectl("delete", "pod", "forced", "--force", "--grace-period=0")
    assert space.phase("forced") == ""
    eventually(lambda: time.time() - (tmp_path / "beat").stat().st_mtime > 1, "the container has stopped")


def test_hooks_run_and_a_failed_one_is_told(space: Space) -> None:
    greeting = {"postStart": {"exec": {"command": ["sh", "-c", "echo hello > /tmp/greeting"]}}}
    failing = {"postStart": {"exec": {"command": ["sh", "-c", "echo why; exit 3"]}}}
    space.start(pod("hooked", {**container(), "lifecycle": greeting}))
    assert space.exec("hooked", "cat", "/tmp/greeting") == "hello\n"
    space.apply(pod("unhooked", {**container(), "lifecycle": failing}, restartPolicy="Never"))
    assert space.wait_event("unhooked", "FailedPostStartHook").startswith("PostStartHook failed")


def test_last_words_become_the_termination_message(space: Space) -> None:
    space.apply(
        pod("words", shell("echo -n last words > /dev/termination-log; exit 2"), restartPolicy="Never"),
        pod(
            "log",
            {**shell("echo the log tells; exit 2"), "terminationMessagePolicy": "FallbackToLogsOnError"},
            restartPolicy="Never",
        ),
    )
    assert terminated(space, "words")["message"] == "last words"
    assert terminated(space, "log")["message"] == "the log tells\n"


# Environment.


def test_a_container_has_the_environment_it_asks_for(space: Space) -> None:
    env = [
        {"name": "PLAIN", "value": "a b"},
        {"name": "BUILT", "value": "<$(PLAIN)> $$(PLAIN) $(NONE)"},
        {"name": "POD", "valueFrom": field("metadata.name")},
        {"name": "SPACE", "valueFrom": field("metadata.namespace")},
        {"name": "LABEL", "valueFrom": field("metadata.labels['app']")},
        {"name": "POD_IP", "valueFrom": field("status.podIP")},
        {"name": "HOST_IP", "valueFrom": field("status.hostIP")},
        {"name": "NODE", "valueFrom": field("spec.nodeName")},
        {"name": "ACCOUNT", "valueFrom": field("spec.serviceAccountName")},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "FROM_MAP", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "word"}}},
        {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "none", "optional": True}}},
    ]
    env_from = [
        {"configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "hidden"}, "prefix": "S_"},
        {"configMapRef": {"name": "missing", "optional": True}},
    ]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a-backend"}, "spec": {"ports": [{"port": 81}]}}
    space.apply(config_map("settings", color="red", size="big"), secret("hidden", word="sesame"), service)
    main = {**container(), "env": env, "envFrom": env_from, "resources": {"limits": {"memory": "32Mi"}}}
    eventually(lambda: started_with_service(space, main), "the kubelet knows the new service")
    found = dict(line.split("=", 1) for line in space.exec("env", "env").splitlines() if "=" in line)
    item, address = space.get("pod", "env"), space.get("service", "a-backend")["spec"]["clusterIP"]
    expected = {
        "PLAIN": "a b",
        "BUILT": "<a b> $(PLAIN) $(NONE)",
        "POD": "env",
        "SPACE": space.name,
        "LABEL": "env",
        "POD_IP": item["status"]["podIP"],
        "HOST_IP": item["status"]["hostIP"],
        "NODE": item["spec"]["nodeName"],
        "ACCOUNT": "default",
        "LIMIT": "32",
        "FROM_MAP": "red",
        "FROM_SECRET": "sesame",
        "color": "red",
        "size": "big",
        "S_word": "sesame",
        "A_BACKEND_SERVICE_HOST": address,
        "A_BACKEND_PORT_81_TCP": f"tcp://{address}:81",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "HOSTNAME": "env",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "ABSENT" not in found


def started_with_service(space: Space, main: Manifest) -> bool:
    """A pod that starts right behind a service may not have its variables yet, here as upstream."""
    space.start(pod("env", main))
    if "A_BACKEND" in space.exec("env", "env"):
        return True
    space.kubectl("delete", "pod", "env", "--grace-period=1")
    return False


# Files.


def test_volumes_of_every_kind_hold_what_they_should(space: Space, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    sources = [
        {"configMap": {"name": "parts", "items": [{"key": "b", "path": "deep/b"}]}},
        {"secret": {"name": "keys"}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"serviceAccountToken": {"path": "token", "audience": "somebody", "expirationSeconds": 600}},
    ]
    volumes = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "host", "hostPath": {"path": str(tmp_path), "type": "Directory"}},
        {"name": "map", "configMap": {"name": "parts"}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "all", "projected": {"sources": sources}},
        {"name": "maybe", "configMap": {"name": "none", "optional": True}},
    ]
    mounts = {name: f"/v/{name}" for name in ("scratch", "memory", "host", "map", "keys", "all", "maybe")}
    main = mounted(container(), **mounts)
    main["volumeMounts"].append({"name": "map", "mountPath": "/etc/one", "subPath": "a"})
    main["volumeMounts"].append({"name": "host", "mountPath": "/v/ro", "readOnly": True})
    second = {**mounted(container(name="second"), scratch="/mine")}
    space.apply(config_map("parts", a="1", b="2"), secret("keys", k="s3cret"))
    space.start(pod("volumes", main, second, volumes=volumes))
    assert space.sh("volumes", "cd /v/map; ls; cat a b /etc/one") == "a\nb\n121"
    assert space.sh("volumes", "cat /v/keys/k; stat -L -c ' %a' /v/keys/k") == "s3cret 400\n"
    assert space.sh("volumes", "cd /v/all; ls; cat deep/b k name; wc -c < token").split()[:4] == ["deep", "k", "name", "token"]
    assert space.sh("volumes", "cat /v/host/file; ls /v/maybe | wc -l") == "from the host\n0\n"
    assert "tmpfs" in space.sh("volumes", "grep ' /v/memory ' /proc/mounts")
    space.sh("volumes", "echo shared > /v/scratch/x; echo back > /v/host/written")
    assert space.kubectl("exec", "volumes", "-c", "second", "--", "cat", "/mine/x").stdout == "shared\n"
    assert (tmp_path / "written").read_text() == "back\n"
    for read_only in ("/v/map/new", "/v/keys/new", "/v/ro/new", "/etc/one/new"):
        assert space.kubectl("exec", "volumes", "--", "touch", read_only, check=False).returncode == 1


def test_changes_reach_the_files_of_a_running_pod(space: Space) -> None:
    downward = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    volumes = [
        {"name": "map", "configMap": {"name": "changing"}},
        {"name": "keys", "secret": {"secretName": "changing"}},
        {"name": "me", "downwardAPI": downward},
    ]
    space.apply(config_map("changing", a="old"), secret("changing", a="old"))
    space.start(pod("updated", mounted(container(), map="/map", keys="/keys", me="/me"), volumes=volumes))
    assert space.sh("updated", "cat /map/a /keys/a /me/labels") == 'oldoldapp="updated"'
    space.apply(config_map("changing", a="new"), secret("changing", a="new"))
    space.kubectl("label", "pod", "updated", "color=red")
    wanted = 'newnewapp="updated"\ncolor="red"'
    eventually(lambda: space.sh("updated", "cat /map/a /keys/a /me/labels") == wanted, "the changes arrive", 100)


def test_names_are_in_the_hosts_file_and_the_resolver_is_the_clusters(space: Space) -> None:
    aliases = [{"ip": "127.1.2.3", "hostnames": ["alias.test", "other.test"]}]
    dns = {"searches": ["more.test"], "options": [{"name": "ndots", "value": "2"}]}
    space.start(pod("named", hostAliases=aliases, hostname="chosen", subdomain="below", dnsConfig=dns))
    hosts = space.exec("named", "cat", "/etc/hosts")
    ip = space.get("pod", "named")["status"]["podIP"]
    assert f"{ip}\tchosen.below.{space.name}.svc.cluster.local\tchosen\n" in hosts
    assert "127.1.2.3\talias.test\tother.test\n" in hosts
    assert space.exec("named", "hostname") == "chosen\n"
    resolver = space.exec("named", "cat", "/etc/resolv.conf")
    assert "nameserver 10.96.0.10\n" in resolver and "options ndots:2\n" in resolver
    assert f"search {space.name}.svc.cluster.local svc.cluster.local cluster.local" in resolver and "more.test" in resolver


# Limits and identity.


def test_limits_reach_the_kernel(space: Space) -> None:
    resources = {"limits": {"memory": "48Mi", "cpu": "250m"}, "requests": {"cpu": "100m"}}
    space.start(pod("limited", {**container(), "resources": resources}))
    script = """
    cd /sys/fs/cgroup
    cat memory/memory.limit_in_bytes memory.max 2>/dev/null
    cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us 2>/dev/null | xargs; cat cpu.max 2>/dev/null || true"""
    assert space.sh("limited", script).split("\n")[:2] == [str(48 << 20), "25000 100000"]
    assert space.out("get", "pod", "limited", "-o", "jsonpath={.status.qosClass}") == "Burstable"


def test_a_container_out_of_memory_is_told_so(space: Space) -> None:
    hungry = {**container("tail", "/dev/zero"), "resources": {"limits": {"memory": "16Mi"}}}
    space.apply(pod("hungry", hungry, restartPolicy="Never"))
    space.wait_phase("hungry", "Failed")
    ended = terminated(space, "hungry")
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_container_is_who_its_security_context_says(space: Space) -> None:
    volumes = [{"name": "data", "emptyDir": {}}]
    plain = {"runAsUser": 1000, "runAsGroup": 1001, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    one = {**mounted(container(), data="/data"), "securityContext": {**plain, "allowPrivilegeEscalation": False}}
    two = {**container(name="two"), "securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["CHOWN"]}}}
    three = {**container(name="three"), "securityContext": {"privileged": True}}
    space.start(
        pod("secured", one, two, three, volumes=volumes, securityContext={"fsGroup": 2000, "supplementalGroups": [3000]})
    )
    assert space.exec("secured", "id").startswith("uid=1000 gid=1001 groups=1001")
    assert "2000" in space.exec("secured", "id", "-G") and "3000" in space.exec("secured", "id", "-G")
    assert space.sh("secured", "touch /data/x; stat -c %g /data/x") == "2000\n"
    refused = space.kubectl("exec", "secured", "--", "touch", "/x", check=False)
    assert "Read-only file system" in refused.stderr
    status = space.exec("secured", "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    assert capabilities(space, "two") & 1 << 12 and not capabilities(space, "two") & 1
    assert capabilities(space, "three") > capabilities(space, "two")


def capabilities(space: Space, name: str) -> int:
    status = space.kubectl("exec", "secured", "-c", name, "--", "grep", "CapEff", "/proc/1/status").stdout
    return int(status.split()[1], 16)


def test_root_is_refused_where_it_must_not_be(space: Space) -> None:
    space.apply(pod("not-root", {**container(), "securityContext": {"runAsNonRoot": True}}))
    waiting = eventually(lambda: waiting_as(space, "not-root", "CreateContainerConfigError"), "it is refused")
    assert waiting["message"].startswith("container has runAsNonRoot and image will run as root")


def test_namespaces_are_shared_when_asked(space: Space) -> None:
    space.start(
        pod("on-host", hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"),
        pod("together", container(), container(name="second"), shareProcessNamespace=True),
    )
    status = space.get("pod", "on-host")["status"]
    assert status["podIP"] == status["hostIP"]
    assert status["hostIP"] in space.exec("on-host", "ip", "addr")
    assert "10.96.0.10" in space.exec("on-host", "cat", "/etc/resolv.conf")
    assert space.exec("together", "ps").count("sleep 3600") >= 4


# Probes.


def exec_probe(path: str, **fields: int) -> Manifest:
    return {"exec": {"command": ["cat", path]}, "periodSeconds": 1, **fields}


def test_a_container_that_is_not_alive_is_restarted(space: Space) -> None:
    script = f"touch /tmp/alive; {REPORT}"
    alive = exec_probe("/tmp/alive", failureThreshold=1, initialDelaySeconds=1)
    space.start(pod("alive", {**shell(script), "livenessProbe": alive}))
    space.exec("alive", "rm", "/tmp/alive")
    eventually(lambda: space.state("alive")["restartCount"] == 1 and space.is_ready("alive"), "it was restarted")
    events = space.events("alive")
    assert events["Killing"] == "Container main failed liveness probe, will be restarted"
    assert events["Unhealthy"].startswith("Liveness probe failed: cat: can't open '/tmp/alive'")


def test_a_container_that_is_not_ready_gets_no_traffic(space: Space) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "readied"},
        "spec": {"selector": {"app": "readied"}, "ports": [{"port": 80}]},
    }
    space.apply(service)
    space.start(
        pod("readied", {**shell(f"touch /tmp/ready; {REPORT}"), "readinessProbe": exec_probe("/tmp/ready", failureThreshold=1)})
    )
    ip = space.get("pod", "readied")["status"]["podIP"]
    eventually(lambda: endpoints_of(space, "readied") == [ip], "it gets traffic")
    space.exec("readied", "rm", "/tmp/ready")
    eventually(lambda: endpoints_of(space, "readied") == [], "it gets none")
    assert not space.is_ready("readied")
    assert space.get("ep", "readied")["subsets"][0]["notReadyAddresses"][0]["ip"] == ip
    space.exec("readied", "touch", "/tmp/ready")
    eventually(lambda: endpoints_of(space, "readied") == [ip], "it gets traffic again")
    assert space.state("readied")["restartCount"] == 0


def endpoints_of(space: Space, name: str) -> list[str]:
    subsets = space.get("ep", name).get("subsets") or [{}]
    return [address["ip"] for address in subsets[0].get("addresses") or ()]


def test_other_probes_wait_for_the_startup_probe(space: Space) -> None:
    script = f"httpd -p 8080 -h /www; nc -lk -p 9000 -e true & sleep 2; touch /tmp/started; {REPORT}"
    probes = {
        "startupProbe": exec_probe("/tmp/started", failureThreshold=20),
        "livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
        "readinessProbe": {"httpGet": {"path": "/none", "port": 8080}, "periodSeconds": 1},
    }
    space.apply(pod("slow", {**shell(script), **probes}))
    eventually(lambda: space.state("slow").get("started"), "it has started")
    message = space.wait_event("slow", "Unhealthy")
    eventually(
        lambda: "Readiness probe failed: HTTP probe failed with statuscode: 404" in space.events("slow").values(), message
    )
    assert space.state("slow")["restartCount"] == 0


# The API from inside.


def test_a_pod_reaches_the_api_with_its_own_token(space: Space) -> None:
    """busybox has no TLS client: the request is made by this machine's Python in the pod's network namespace."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": space.name}],
    }
    space.apply(account, binding)
    space.start(pod("inside", container("sleep", "86401"), serviceAccountName="reader"))
    directory = "/var/run/secrets/kubernetes.io/serviceaccount"
    token, authority = (space.exec("inside", "cat", f"{directory}/{name}") for name in ("token", "ca.crt"))
    assert space.exec("inside", "cat", f"{directory}/namespace") == space.name
    listed = eventually(
        lambda: from_inside("86401", token, authority, f"/api/v1/namespaces/{space.name}/pods"), "the API answers"
    )
    assert "inside" in [item["metadata"]["name"] for item in listed["items"]]


CLIENT = """
import json, ssl, sys, urllib.request
token, authority, path = json.load(sys.stdin)
request = urllib.request.Request("https://10.96.0.1" + path, headers={"Authorization": "Bearer " + token})
print(urllib.request.urlopen(request, timeout=5, context=ssl.create_default_context(cadata=authority)).read().decode())
"""


def from_inside(argument: str, token: str, authority: str, path: str) -> Manifest | None:
    """An answer of the API server to a request made next to the process with this unusual argument."""
    import subprocess
    import sys

    pid = next(
        int(each.parent.name)
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if each.read_bytes() == f"sleep\0{argument}\0".encode()
    )
    argv = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", CLIENT]
    said = subprocess.run(
        argv, input=json.dumps([token, authority, path]), capture_output=True, text=True, timeout=20, check=False
    )
    found: Manifest | None = json.loads(said.stdout) if said.returncode == 0 else None
    return found

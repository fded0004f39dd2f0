"""What a pod's containers find: environment, files, names, limits, identity, namespaces, the API."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.local import eventually
from tests.e2e.space import Manifest, Space, container, mounted, pod


def config_map(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def field(path: str) -> Manifest:
    return {"fieldRef": {"fieldPath": path}}


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
    ended = space.terminated("hungry")
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
    waiting = eventually(lambda: space.waiting_as("not-root", "CreateContainerConfigError"), "it is refused")
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

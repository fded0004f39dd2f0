"""What the server does to pods beside storing them: admission, binding, eviction."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.apiserver.admission.serviceaccount import MOUNT_PATH
from sampan.lib.clock import ManualClock
from tests.component.conftest import Answer, Api, Served, core
from tests.unit.fakeapi import until

P = core("pods", "default", "p")


def pod(name: str = "p", /, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


async def make_account(server: Served, **fields: Any) -> None:
    assert (await server.create("serviceaccounts", {"metadata": {"name": "default"}, **fields})).status == 201


async def bind(server: Served, node: str, **metadata: str) -> Answer:
    body = {"metadata": {"name": "p", **metadata}, "target": {"kind": "Node", "name": node}}
    return await server.request("POST", P + "/binding", body)


def test_a_pod_gets_its_accounts_token(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server, imagePullSecrets=[{"name": "regcred"}])
        spec = (await server.create("pods", pod())).tree["spec"]
        assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
        (volume,) = spec["volumes"]
        assert volume["name"].startswith("kube-api-access-") and len(volume["name"]) == 21
        token, ca, namespace = volume["projected"]["sources"]
        assert token == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
        assert ca["configMap"]["name"] == "kube-root-ca.crt"
        assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
        mount = {"name": volume["name"], "readOnly": True, "mountPath": MOUNT_PATH}
        assert spec["containers"][0]["volumeMounts"] == [mount]
        assert spec["imagePullSecrets"] == [{"name": "regcred"}]

    api(scenario)


@pytest.mark.parametrize(("account", "own", "mounted"), [(False, None, False), (False, True, True), (None, False, False)])
def test_a_token_is_mounted_unless_pod_or_account_object(
    api: Api, account: bool | None, own: bool | None, mounted: bool
) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server, **({} if account is None else {"automountServiceAccountToken": account}))
        spec = {} if own is None else {"automountServiceAccountToken": own}
        assert bool((await server.create("pods", pod(**spec))).tree["spec"].get("volumes")) == mounted

    api(scenario)


def test_a_pod_of_an_absent_account_is_refused(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.create("pods", pod(serviceAccountName="x"))
        assert (answer.status, answer.message) == (
            403,
            'pods "p" is forbidden: error looking up service account default/x: serviceaccount "x" not found',
        )

    api(scenario)


def test_a_pod_waits_a_moment_for_the_default_account(api: Api) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        sleepers = clock.sleeps
        creating = asyncio.ensure_future(server.create("pods", pod()))
        await until(lambda: clock.sleeps > sleepers)
        await make_account(server)
        await clock.advance(1)
        assert (await creating).status == 201

    api(scenario, clock=clock)


def test_an_absent_namespace_is_told_before_anything_else(api: Api) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.create("pods", {"metadata": {"name": "UPPER"}, "spec": {}}, "nowhere")
        assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')

    api(scenario)


def test_priority_classes_become_numbers(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        plain = (await server.create("pods", pod("plain"))).tree["spec"]
        assert (plain["priority"], plain["preemptionPolicy"]) == (0, "PreemptLowerPriority")
        critical = (await server.create("pods", pod("critical", priorityClassName="system-node-critical"))).tree["spec"]
        assert critical["priority"] == 2_000_001_000
        classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
        low = {"metadata": {"name": "low"}, "value": -5, "globalDefault": True, "preemptionPolicy": "Never"}
        assert (await server.request("POST", classes, low)).status == 201
        default = (await server.create("pods", pod("default"))).tree["spec"]
        assert (default["priorityClassName"], default["priority"], default["preemptionPolicy"]) == ("low", -5, "Never")
        second = await server.request("POST", classes, {**low, "metadata": {"name": "lower"}})
        assert second.status == 403 and "is already marked as default" in second.message
        absent = await server.create("pods", pod("absent", priorityClassName="x"))
        assert (absent.status, absent.message) == (403, 'pods "absent" is forbidden: no PriorityClass with name x was found')
        forged = await server.create("pods", pod("forged", priority=7))
        assert forged.status == 403 and "must not be provided in pod spec" in forged.message

    api(scenario)


def test_a_pod_tolerates_a_sick_node_for_five_minutes(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7}
        tolerations = (await server.create("pods", pod(tolerations=[own]))).tree["spec"]["tolerations"]
        assert [(t["key"].rpartition("/")[2], t["tolerationSeconds"]) for t in tolerations] == [
            ("not-ready", 7),
            ("unreachable", 300),
        ]

    api(scenario)


def test_a_new_node_is_not_ready(api: Api) -> None:
    async def scenario(server: Served) -> None:
        node = (await server.request("POST", core("nodes"), {"metadata": {"name": "n1"}})).tree
        assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]

    api(scenario)


def test_a_pod_is_bound_once(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        uid = (await server.create("pods", pod())).tree["metadata"]["uid"]
        wrong = await bind(server, "n1", uid="another")
        assert wrong.status == 409 and "Precondition failed: UID" in wrong.message
        assert (await bind(server, "n1", uid=uid)).status == 201
        bound = (await server.get(P)).tree
        assert bound["spec"]["nodeName"] == "n1"
        assert [(c["type"], c["status"]) for c in bound["status"]["conditions"]] == [("PodScheduled", "True")]
        again = await bind(server, "n2")
        assert (again.status, again.message) == (
            409,
            'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
        )
        listed = await server.get(core("pods"), query={"fieldSelector": "spec.nodeName=n1"})
        assert len(listed.tree["items"]) == 1

    api(scenario)


def test_a_pod_that_goes_or_is_gated_is_not_bound(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        await server.create("pods", pod(schedulingGates=[{"name": "example.com/wait"}]))
        assert (await bind(server, "n1")).status == 409
        await server.patch(P, {"spec": {"schedulingGates": None}, "metadata": {"finalizers": ["example.com/hold"]}})
        await server.delete(P)
        refused = await bind(server, "n1")
        assert refused.status == 409 and "pod p is being deleted, cannot be assigned to a host" in refused.message

    api(scenario)


def test_the_older_way_to_bind_works_too(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        await server.create("pods", pod())
        body = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
        assert (await server.request("POST", core("bindings", "default"), body)).status == 201
        assert (await server.get(P)).tree["spec"]["nodeName"] == "n1"

    api(scenario)


def test_an_evicted_pod_is_deleted_with_grace(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        await server.create("pods", pod())
        await bind(server, "n1")
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "default"}}
        answer = await server.request("POST", P + "/eviction", eviction)
        assert (answer.status, answer.tree["status"]) == (201, "Success")
        assert (await server.get(P)).tree["metadata"]["deletionGracePeriodSeconds"] == 30

    api(scenario)


def test_a_kubelet_writes_its_own_and_nothing_else(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        kubelet = server.connect("system:node:n1", "system:nodes")
        assert (await server.request("POST", core("nodes"), {"metadata": {"name": "n1"}}, by=kubelet)).status == 201
        other = await server.request("POST", core("nodes"), {"metadata": {"name": "n2"}}, by=kubelet)
        assert other.status == 403 and 'node "n1" is not allowed to modify node "n2"' in other.message
        node = core("nodes", "", "n1")
        tainted = await server.patch(node, {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, by=kubelet)
        assert tainted.status == 403 and "is not allowed to modify taints" in tainted.message
        label = {"metadata": {"labels": {"node-restriction.kubernetes.io/secure": "1"}}}
        assert (await server.patch(node, label, by=kubelet)).status == 403
        assert (await server.patch(node, {"metadata": {"labels": {"example.com/a": "1"}}}, by=kubelet)).status == 200
        await server.create("pods", pod())
        await bind(server, "n2")
        foreign = await server.patch(P + "/status", {"status": {"phase": "Running"}}, by=kubelet)
        assert foreign.status == 403
        made = await server.create("pods", pod("q"), by=kubelet)
        assert made.status == 403

    api(scenario)


def test_a_kubelet_hears_of_its_own_pods_only(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        pods = core("pods")
        async with (
            server.watch(pods, {"fieldSelector": "spec.nodeName=n1"}) as first,
            server.watch(pods, {"fieldSelector": "spec.nodeName=n2"}) as second,
            server.watch(core("pods", "default"), {"fieldSelector": "metadata.name=q"}) as by_name,
        ):
            await server.create("pods", pod())
            await server.create("pods", pod("q"))
            await bind(server, "n1")
            assert await first.names(1) == [("ADDED", "p")]
            await server.delete(P, {"gracePeriodSeconds": 0})
            assert await first.names(2) == [("MODIFIED", "p"), ("DELETED", "p")]
            body = {"metadata": {"name": "q"}, "target": {"name": "n2"}}
            assert (await server.request("POST", core("pods", "default", "q") + "/binding", body)).status == 201
            assert await second.names(1) == [("ADDED", "q")]
            assert await by_name.names(2) == [("ADDED", "q"), ("MODIFIED", "q")]

    api(scenario)


@pytest.mark.parametrize(
    ("phase", "message"), [("Succeeded", "The pod has completed successfully."), ("Failed", "The pod failed.")]
)
def test_the_row_of_a_finished_pod_says_so(api: Api, phase: str, message: str) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        await server.create("pods", pod())
        table = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
        (row,) = (await server.get(P, **table)).tree["rows"]
        assert list(row) == ["cells", "object"]
        assert (await server.patch(P + "/status", {"status": {"phase": phase}})).status == 200
        (row,) = (await server.get(P, **table)).tree["rows"]
        assert list(row) == ["cells", "conditions", "object"]
        assert row["conditions"] == [{"type": "Completed", "status": "True", "reason": phase, "message": message}]

    api(scenario)


def test_a_status_is_warned_of(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_account(server)
        await server.create("pods", pod())
        answer = await server.patch(P + "/status", {"status": {"podIP": "FD00::1", "podIPs": [{"ip": "FD00::1"}]}})
        assert answer.status == 200
        (warning,) = answer.header("warning")
        assert r"status.podIPs[0].ip: IPv6 address \"FD00::1\" should be in RFC 5952 canonical format" in warning
        assert (await server.patch(P, {"metadata": {"labels": {"a": "b"}}})).header("warning") == []

    api(scenario)

"""What the server does to volumes, controllers and component statuses beside what their kinds say."""

from __future__ import annotations

from sampan.lib.clock import ManualClock, rfc3339, rfc3339_micro
from tests.component.conftest import Api, Served, Tree, core

PV = core("persistentvolumes", "", "disk")
VOLUME: Tree = {
    "metadata": {"name": "disk"},
    "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}},
}
STATUSES = core("componentstatuses")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
WARNING = '299 - "v1 ComponentStatus is deprecated in v1.19+"'


def test_a_volume_says_since_when_it_is_in_its_phase(api: Api) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        made = await server.create("persistentvolumes", VOLUME, namespace="")
        assert made.tree["status"] == {"phase": "Pending", "lastPhaseTransitionTime": rfc3339(clock.now())}
        await clock.advance(60)
        bound = await server.patch(PV + "/status", {"status": {"phase": "Bound"}})
        assert bound.tree["status"] == {"phase": "Bound", "lastPhaseTransitionTime": rfc3339(clock.now())}
        since = bound.tree["status"]["lastPhaseTransitionTime"]
        await clock.advance(60)
        bound.tree["status"] = {"phase": "Bound", "message": "still"}
        kept = await server.update("persistentvolumes", bound.tree, namespace="", subresource="status")
        assert kept.tree["status"] == {"phase": "Bound", "message": "still", "lastPhaseTransitionTime": since}
        told = {"status": {"phase": "Failed", "lastPhaseTransitionTime": "2020-01-01T00:00:00Z"}}
        failed = await server.patch(PV + "/status", told)
        assert failed.tree["status"]["lastPhaseTransitionTime"] == "2020-01-01T00:00:00Z"

    api(scenario, clock=clock)


def test_old_ways_are_warned_of(api: Api) -> None:
    async def scenario(server: Served) -> None:
        spec = VOLUME["spec"] | {"persistentVolumeReclaimPolicy": "Recycle"}
        made = await server.create("persistentvolumes", VOLUME | {"spec": spec}, namespace="")
        (warning,) = made.header("warning")
        assert "The Recycle reclaim policy is deprecated." in warning

    api(scenario)


def test_a_controller_is_scaled(api: Api) -> None:
    async def scenario(server: Served) -> None:
        template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        tree = {"metadata": {"name": "rc"}, "spec": {"template": template}}
        assert (await server.create("replicationcontrollers", tree)).status == 201
        path = core("replicationcontrollers", "default", "rc", "scale")
        scale = (await server.get(path)).tree
        assert (scale["kind"], scale["spec"], scale["status"]) == (
            "Scale",
            {"replicas": 1},
            {"replicas": 0, "selector": "app=a"},
        )
        scale["spec"]["replicas"] = 3
        assert (await server.request("PUT", path, scale)).status == 200
        assert (await server.get(core("replicationcontrollers", "default", "rc"))).tree["spec"]["replicas"] == 3

    api(scenario)


def healthy(tree: Tree) -> list[tuple[str, str, str]]:
    """(name, status, message) of each item."""
    return [(item["metadata"]["name"], c["status"], c["message"]) for item in tree["items"] for c in item["conditions"]]


def test_the_control_plane_is_as_well_as_its_leases_are_fresh(api: Api) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        assert healthy((await server.get(STATUSES)).tree) == [
            ("scheduler", "Unknown", "there is no lease kube-system/kube-scheduler"),
            ("controller-manager", "Unknown", "there is no lease kube-system/kube-controller-manager"),
            ("etcd-0", "True", "ok"),
        ]
        spec = {"holderIdentity": "one", "leaseDurationSeconds": 15, "renewTime": rfc3339_micro(clock.now())}
        made = await server.request("POST", LEASES, {"metadata": {"name": "kube-scheduler"}, "spec": spec})
        assert made.status == 201, made.tree
        one = await server.get(STATUSES + "/scheduler")
        assert one.tree["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
        await clock.advance(20)
        one = await server.get(STATUSES + "/scheduler")
        assert one.tree["conditions"][0]["message"] == "one has not renewed the lease kube-system/kube-scheduler for 20 seconds"
        assert one.header("warning") == [WARNING]
        assert (await server.patch(f"{LEASES}/kube-scheduler", {"spec": {"holderIdentity": ""}})).status == 200
        one = await server.get(STATUSES + "/scheduler")
        assert one.tree["conditions"][0]["message"] == "nobody holds the lease kube-system/kube-scheduler"

    api(scenario, clock=clock)


def test_component_statuses_are_only_read(api: Api) -> None:
    async def scenario(server: Served) -> None:
        listed = await server.get(STATUSES, query={"fieldSelector": "metadata.name=etcd-0"})
        assert listed.header("warning") == [WARNING]
        assert (listed.tree["kind"], listed.tree["metadata"]) == ("ComponentStatusList", {})
        assert healthy(listed.tree) == [("etcd-0", "True", "ok")]
        assert (await server.get(STATUSES + "/other")).status == 404
        for method, path in (("POST", STATUSES), ("DELETE", STATUSES), ("PUT", STATUSES + "/etcd-0")):
            assert (await server.request(method, path, {})).status == 405
        assert (await server.get(STATUSES, query={"watch": "true"})).status == 405
        accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
        table = (await server.get(STATUSES + "/etcd-0", accept=accept)).tree
        assert table["rows"][0]["cells"] == ["etcd-0", "Healthy", "ok", ""]

    api(scenario)

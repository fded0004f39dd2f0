"""Informers of the real client-go (`informers/main.go`) against our server, whose history and life are cut short under them."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.component.definitions import crd, version
from tests.etcdserver import BINARY, EtcdServer
from tests.etcdserver import MISSING as NO_ETCD
from tests.upstream.plane import DIRECTORY, NO_INFORMERS, Plane, Process, eventually, has

pytestmark = [
    pytest.mark.skipif(not has("informers"), reason=NO_INFORMERS),
    pytest.mark.timeout(300),
]
GROUP = "upstream.example.com"
SHIP = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"masts": {"type": "integer"}}}}}
PLACES = {
    "pods": "/api/v1/pods",
    "configmaps": "/api/v1/configmaps",
    "metadata/configmaps": "/api/v1/configmaps",
    "secrets": "/api/v1/secrets",
    "services": "/api/v1/services",
    "namespaces": "/api/v1/namespaces",
    "nodes": "/api/v1/nodes",
    "deployments": "/apis/apps/v1/deployments",
    "replicasets": "/apis/apps/v1/replicasets",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "jobs": "/apis/batch/v1/jobs",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "poddisruptionbudgets": "/apis/policy/v1/poddisruptionbudgets",
    "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ships": f"/apis/{GROUP}/v1/ships",
    "metadata/ships": f"/apis/{GROUP}/v1/ships",
}
SPACE = "/api/v1/namespaces/default"


class Informers(Process):
    """What the program says, line by line, and its answers."""

    def __init__(
        self, plane: Plane, *, streaming: bool, content_type: str = "", config: Path | None = None, **features: str
    ) -> None:
        gates = {"WatchListClient": str(streaming).lower(), **features}
        super().__init__(
            [str(DIRECTORY / "informers"), "watch", str(config or plane.admin), content_type],
            plane.directory / f"informers-{os.urandom(3).hex()}.log",
            environment={f"KUBE_FEATURE_{name}": value for name, value in gates.items()},
            pipes=True,
        )
        self.events: list[dict[str, Any]] = []
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._answer("synced")

    def _read(self) -> None:
        for line in self.stdout:
            said = json.loads(line)
            if said["what"] in ("synced", "stores"):
                self._answers.put(said)
            else:
                self.events.append(said)

    def _answer(self, what: str) -> dict[str, Any]:
        said = self._answers.get(timeout=60)
        assert said["what"] == what
        return said

    def stores(self) -> dict[str, dict[str, str]]:
        self.stdin.write("?\n")
        self.stdin.flush()
        stores: dict[str, dict[str, str]] = self._answer("stores")["stores"]
        return stores

    def said(self, *whats: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["what"] in whats]


@pytest.fixture(params=["SQLite", "etcd"])
def plane(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Plane]:
    with ExitStack() as stack:
        datastore = ""
        if request.param == "etcd":
            if not BINARY.exists():
                pytest.skip(NO_ETCD)
            etcd = EtcdServer(tmp_path / "etcd")
            stack.callback(etcd.stop)
            etcd.start()
            datastore = f"etcd://{etcd.endpoint}"
        running = stack.enter_context(Plane(tmp_path, datastore))
        furnish(running)
        yield running


def furnish(plane: Plane) -> None:
    """What all that changes needs."""
    plane.create(f"{SPACE}/serviceaccounts", {"metadata": {"name": "default"}})
    definition = crd("Ship", version(schema=SHIP), group=GROUP)
    plane.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    eventually("ships are served", lambda: "items" in plane.get(PLACES["ships"]))


def truth(plane: Plane) -> dict[str, dict[str, str]]:
    return {name: {_key(item): _version(item) for item in plane.items(path)} for name, path in PLACES.items()}


def _version(item: dict[str, Any]) -> str:
    return str(item["metadata"]["resourceVersion"])


def _key(item: dict[str, Any]) -> str:
    meta = item["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else str(meta["name"])


def converged(informers: Informers, plane: Plane) -> None:
    eventually("the stores hold the truth", lambda: informers.stores() == truth(plane), 30)


def change(plane: Plane, round_: str) -> None:
    """Make some of every sort, change some, delete some, of this round and of those before."""
    labels = {"app": round_}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    for number in range(20):
        name = f"{round_}-{number}"
        plane.create(f"{SPACE}/configmaps", {"metadata": {"name": name}, "data": {"a": "é<&>"}})
        plane.create(f"/apis/{GROUP}/v1/namespaces/default/ships", {**_ship(name), "spec": {"masts": number}})
    plane.create(f"{SPACE}/pods", {**template, "metadata": {"name": round_, "labels": labels}})
    plane.create(f"{SPACE}/services", {"metadata": {"name": round_}, "spec": {"ports": [{"port": 80}], "selector": labels}})
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    plane.create("/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": round_}, "spec": spec})
    plane.create("/api/v1/namespaces", {"metadata": {"name": round_}})
    for number in range(0, 20, 2):
        plane.patch(f"{SPACE}/configmaps/{round_}-{number}", {"data": {"b": "2"}})
        plane.patch(f"/apis/{GROUP}/v1/namespaces/default/ships/{round_}-{number}", {"spec": {"masts": 9}})
    for number in range(0, 20, 3):
        plane.delete(f"{SPACE}/configmaps/{round_}-{number}")
        plane.delete(f"/apis/{GROUP}/v1/namespaces/default/ships/{round_}-{number}")


def _ship(name: str) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Ship", "metadata": {"name": name}}


def restart(plane: Plane, *, compact: bool = False) -> None:
    plane.stop()
    if compact:
        plane.compact()
    plane.start()


WAYS = {
    "streaming lists": {"streaming": True},
    "lists in pages": {"streaming": False},
    "streaming lists in JSON": {"streaming": True, "content_type": "application/json"},
    "protobuf asked for": {"streaming": True, "content_type": "application/vnd.kubernetes.protobuf"},
    "CBOR preferred": {"streaming": True, "ClientsAllowCBOR": "true", "ClientsPreferCBOR": "true"},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_informers_see_what_is_there_and_what_changes(plane: Plane, way: dict[str, Any]) -> None:
    change(plane, "before")
    with Informers(plane, **way) as informers:
        converged(informers, plane)
        known = len(informers.events)
        assert not informers.said("update", "delete", "resync", "vanished")
        change(plane, "during")
        converged(informers, plane)
        assert {event["resource"] for event in informers.events[known:] if event["what"] == "delete"} >= {
            "configmaps",
            "ships",
            "metadata/ships",
        }
        assert not informers.said("resync", "vanished", "watch-error")
        assert informers.text() == ""


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming lists", "lists in pages"])
def test_informers_go_on_where_they_were_when_the_server_starts_again(plane: Plane, streaming: bool) -> None:
    change(plane, "before")
    with Informers(plane, streaming=streaming) as informers:
        converged(informers, plane)
        restart(plane)
        known = len(informers.events)
        change(plane, "after")
        converged(informers, plane)
        later = [event["what"] for event in informers.events[known:]]
        # Nothing is told twice: a store that was listed anew would say so of each object it has.
        assert "resync" not in later and "vanished" not in later
        assert unexpected(informers) == []


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming lists", "lists in pages"])
def test_informers_list_anew_when_what_they_missed_is_forgotten(plane: Plane, streaming: bool) -> None:
    change(plane, "before")
    with Informers(plane, streaming=streaming) as informers:
        converged(informers, plane)
        informers.handle.send_signal(signal.SIGSTOP)
        restart(plane)
        change(plane, "unseen")
        plane.delete(f"{SPACE}/configmaps/before-1")
        restart(plane, compact=True)
        informers.handle.send_signal(signal.SIGCONT)
        converged(informers, plane)
        assert "default/before-1" in {event["key"] for event in informers.said("vanished", "delete")}
        change(plane, "after")
        converged(informers, plane)
        assert unexpected(informers) == []


def unexpected(informers: Informers) -> list[str]:
    """Lines of the log, and watches' ends, that a server's restart does not explain."""
    return [*informers.text().splitlines(), *(event["error"] for event in informers.said("watch-error"))]

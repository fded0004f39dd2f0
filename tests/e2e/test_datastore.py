"""A cluster whose state is in an etcd of the user's: it lives through that one's crash, is backed up, and moves home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import etcdserver
from tests.e2e import residue
from tests.e2e.local import LocalCluster, eventually
from tests.e2e.space import Space, pod

pytestmark = pytest.mark.skipif(not etcdserver.BINARY.exists(), reason=etcdserver.MISSING)


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[etcdserver.EtcdServer]:
    server = etcdserver.EtcdServer(tmp_path / "etcd")
    server.start()
    yield server
    server.stop()


def test_a_cluster_lives_in_an_etcd_and_moves_home_with_all_it_has(
    new_cluster: Callable[..., LocalCluster], etcd: etcdserver.EtcdServer, tmp_path: Path
) -> None:
    before, url = residue.snapshot(), f"etcd://{etcd.endpoint}"
    cluster = new_cluster()
    space = Space(cluster, "default")
    assert f"state in {url}\n" in cluster.up("--datastore", url).stdout
    space.start(pod("steady"))
    container = space.state("steady")["containerID"]

    etcd.kill()
    assert space.kubectl("get", "pods", "--request-timeout=5s", check=False).returncode == 1
    etcd.start()
    eventually(lambda: space.kubectl("create", "cm", "written", check=False).returncode == 0, "writes go on")
    assert space.state("steady")["containerID"] == container

    backup = tmp_path / "backup.gz"
    assert cluster.sampan("datastore", "backup", "--datastore", url, str(backup)).stdout.startswith("backed up ")
    home = f"sqlite:///var/lib/sampan/{cluster.name}/store/state.db"
    moved = cluster.up("--datastore", home, check=False)
    assert moved.stderr.startswith(
        f"sampan: cluster {cluster.name} has its state in {url}: to move it, run sampan down --keep-data "
    )
    refused = cluster.sampan("datastore", "migrate", "--from", url, "--to", home, check=False)
    assert "an API server runs on it" in refused.stderr

    cluster.down("--keep-data")
    assert "read back, nothing is missing" in eventually(lambda: migrated(cluster, url, home), "the servers' leases are over")
    cluster.up("--datastore", home)
    assert cluster.get("configmap", "written")["metadata"]["name"] == "written"
    space.wait_ready("steady")
    cluster.kubectl("create", "cm", "at-home")
    cluster.down("--keep-data")

    cluster.sampan("datastore", "restore", "--force", "--datastore", home, str(backup))
    cluster.up()
    assert (
        cluster.kubectl("get", "cm", "written", "at-home", "--ignore-not-found", "-o", "name").stdout == "configmap/written\n"
    )
    assert "its state stays" not in cluster.down().stdout
    assert residue.added(before, residue.snapshot(), cluster.name) == []


def migrated(cluster: LocalCluster, source: str, target: str) -> str:
    return cluster.sampan("datastore", "migrate", "--from", source, "--to", target, check=False).stdout

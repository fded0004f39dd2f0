"""What programs ask of the real client-go besides informers, against a cluster in this process."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from sampan.testing import Cluster
from tests.component.definitions import crd, version
from tests.upstream.plane import DIRECTORY, NO_INFORMERS, has

pytestmark = [pytest.mark.skipif(not has("informers"), reason=NO_INFORMERS), pytest.mark.timeout(300)]
SHIP = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"masts": {"type": "integer"}}}}}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "app", "annotations": {"sampan.dev/logs": "listening on :8080"}},
    "spec": {"containers": [{"name": "app", "image": "app:1"}]},
}
FEATURES = {
    "as it comes": {},
    "without streaming lists": {"WatchListClient": "false"},
    "with CBOR allowed": {"ClientsAllowCBOR": "true"},
}


@pytest.mark.parametrize("features", FEATURES.values(), ids=FEATURES)
def test_every_face_of_the_client_works(features: dict[str, str]) -> None:
    with Cluster() as cluster:
        cluster.apply(crd("Ship", version(schema=SHIP), group="upstream.example.com"))
        cluster.wait_for("customresourcedefinition/ships.upstream.example.com", "Established")
        cluster.apply(POD)
        cluster.wait_for("pod/app")
        said = subprocess.run(
            [DIRECTORY / "informers", "calls", cluster.kubeconfig, "default", "app"],
            env={**os.environ, **{f"KUBE_FEATURE_{name}": value for name, value in features.items()}},
            capture_output=True,
            text=True,
            timeout=250,
            check=True,
        )
        lines: list[dict[str, Any]] = [json.loads(line) for line in said.stdout.splitlines()]
        assert len(lines) > 20
        assert {line["call"]: line["error"] for line in lines if line["error"]} == {}

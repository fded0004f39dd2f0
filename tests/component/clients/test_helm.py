"""Helm: what its releases make, change, take back and leave behind.

Every helm that is found (`helm`, `helm3`, `helm4` on the PATH) goes through the same; the chart is in `charts/boat`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sampan.api.errors import StatusError
from sampan.testing import Cluster

Tree = dict[str, Any]

SECONDS = 60
CHART = str(Path(__file__).with_name("charts") / "boat")
MADE = ("cm", "sa", "svc", "deploy", "ingress", "pdb", "hpa", "role", "rolebinding", "buoy")


def helms() -> list[str]:
    """The helms on the PATH, each once."""
    found = [shutil.which(name) for name in ("helm", "helm3", "helm4")]
    return sorted({str(Path(path).resolve()) for path in found if path})


class Helm:
    """One helm, at work in one namespace as administrator."""

    def __init__(self, program: str, cluster: Cluster, namespace: str, home: Path) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._command = [program, f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}"]
        self._env = {**{key: value for key, value in os.environ.items() if not key.startswith("HELM_")}, "HOME": str(home)}
        version = self.ok("version", "--template={{.Version}}")
        # Since its fourth version Helm applies on the server, where fields that others changed are conflicts.
        self.insists = () if version.startswith("v3.") else ("--force-conflicts",)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *words]
        return subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=SECONDS, check=False)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def history(self) -> list[tuple[int, str]]:
        """Revisions and how they stand."""
        return [(entry["revision"], entry["status"]) for entry in json.loads(self.ok("history", "boat", "--output=json"))]

    def get(self, what: str) -> Tree:
        return self.cluster.get(what, namespace=self.namespace)

    def is_there(self, what: str) -> bool:
        try:
            self.get(what)
        except StatusError as error:
            if error.code != 404:
                raise
            return False
        return True

    def made(self) -> dict[str, Tree]:
        """What the release made, without what controllers write into it."""
        trees = {kind: self.get(f"{kind}/boat") for kind in MADE}
        for kind in ("deploy", "ingress", "pdb", "hpa"):
            trees[kind].pop("status", None)
            for field in ("resourceVersion", "managedFields"):
                trees[kind]["metadata"].pop(field, None)
        return trees

    def revision(self, what: str) -> int:
        return int(self.get(what)["metadata"]["resourceVersion"])


@pytest.fixture(params=helms() or ["none"], ids=lambda path: Path(path).name)
def helm(request: pytest.FixtureRequest, shared: Cluster, space: str, tmp_path: Path) -> Helm:
    if request.param == "none":
        pytest.skip("no helm on the PATH")
    return Helm(request.param, shared, space, tmp_path)


def _image(helm: Helm) -> str:
    image: str = helm.get("deploy/boat")["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def test_a_release_is_installed_with_its_definitions_and_hooks_in_order(helm: Helm) -> None:
    helm.ok("install", "boat", CHART, "--wait")
    assert helm.get("deploy/boat")["status"]["readyReplicas"] == 1
    assert helm.get("buoy/boat")["spec"] == {"depth": 1, "colour": "red"}
    seen = helm.get("cm/boat")["data"]
    assert seen.pop("kube").startswith("v1.33.")
    assert seen == {"kinds": "true false", "nodes": "1"}
    order = [f"cm/boat-pre-install-{which}" for which in ("first", "second")] + ["cm/boat"]
    order += [f"cm/boat-post-install-{which}" for which in ("first", "second")]
    revisions = [helm.revision(what) for what in order]
    assert revisions == sorted(revisions)
    for hook in ("pre-install", "post-install"):
        helm.cluster.wait_for(f"pod/boat-{hook}", "delete", namespace=helm.namespace)
    assert not helm.is_there("cm/boat-pre-upgrade-first")
    assert [(entry["name"], entry["status"]) for entry in json.loads(helm.ok("list", "--output=json"))] == [
        ("boat", "deployed")
    ]
    assert "she floats" in helm.ok("test", "boat", "--logs")


def test_a_release_is_upgraded_rolled_back_and_taken_away(helm: Helm) -> None:
    helm.ok("install", "boat", CHART)
    before = helm.made()
    helm.ok("upgrade", "boat", CHART, "--wait")
    assert helm.made() == before, "what stays the same is not written"
    helm.ok("upgrade", "--install", "boat", CHART, "--wait", "--set=tag=2,replicas=2")
    assert (_image(helm), helm.get("buoy/boat")["spec"]["depth"]) == ("app:2", 2)
    assert helm.is_there("cm/boat-post-upgrade-second")
    helm.ok("rollback", "boat", "1", "--wait")
    assert (_image(helm), helm.get("buoy/boat")["spec"]["depth"]) == ("app:1", 1)
    assert helm.is_there("cm/boat-post-rollback-second")
    assert helm.history() == [(1, "superseded"), (2, "superseded"), (3, "superseded"), (4, "deployed")]
    assert "[ConfigMap] boat-kept" in helm.ok("uninstall", "boat", "--wait")
    assert not any(helm.is_there(f"{kind}/boat") for kind in MADE)
    assert helm.is_there("cm/boat-kept") and helm.is_there("cm/boat-post-delete-second")
    assert helm.is_there("customresourcedefinition/buoys.helm.example.com")
    assert helm.cluster.list("secrets", namespace=helm.namespace, labels="owner=helm") == []


def test_an_upgrade_wins_the_chart_s_fields_back_and_leaves_others(helm: Helm) -> None:
    helm.ok("install", "boat", CHART, "--no-hooks")
    containers = [{"name": "app", "image": "app:theirs"}]
    helm.cluster.patch("deploy/boat", {"spec": {"template": {"spec": {"containers": containers}}}}, namespace=helm.namespace)
    helm.cluster.patch("svc/boat", {"metadata": {"labels": {"theirs": "yes"}}}, namespace=helm.namespace)
    helm.cluster.delete("pdb/boat", namespace=helm.namespace)
    if helm.insists:
        assert '.spec.template.spec.containers[name="app"].image' in helm.refused("upgrade", "boat", CHART, "--no-hooks")
    helm.ok("upgrade", "boat", CHART, "--no-hooks", *helm.insists)
    assert _image(helm) == "app:1"
    assert helm.get("svc/boat")["metadata"]["labels"]["theirs"] == "yes"
    assert helm.is_there("pdb/boat")


def _of_somebody_else(helm: Helm) -> None:
    helm.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "boat"}}, namespace=helm.namespace)


REFUSED: list[tuple[Callable[[Helm], None], str, str]] = [
    (_of_somebody_else, "tag=1", 'ConfigMap "boat" in namespace "{}" exists and cannot be imported into the current release'),
    (lambda helm: None, "replicas=-1", 'spec.replicas: Invalid value: -1: must be greater than or equal to 0'),
    (lambda helm: None, "failing=pre-install", "pod boat-pre-install failed"),
    (lambda helm: None, "cargo=800000", 'Secret "sh.helm.release.v1.boat.v1" is invalid: data: Too long'),
]  # fmt: skip


@pytest.mark.parametrize(("prepare", "values", "message"), REFUSED, ids=["ownership", "validation", "hook", "size"])
def test_an_install_that_fails_says_why(helm: Helm, prepare: Callable[[Helm], None], values: str, message: str) -> None:
    prepare(helm)
    assert message.format(helm.namespace) in helm.refused("install", "boat", CHART, f"--set={values}")
    if helm.is_there("cm/boat"):
        helm.cluster.delete("cm/boat", namespace=helm.namespace)
    helm.ok("upgrade", "--install", "boat", CHART, "--set=cargo=500000", "--no-hooks", *helm.insists)


def test_an_upgrade_that_fails_is_rolled_back(helm: Helm) -> None:
    helm.ok("install", "boat", CHART, "--no-hooks")
    undo = "--rollback-on-failure" if helm.insists else "--atomic"
    why = helm.refused("upgrade", "boat", CHART, "--wait", undo, "--set=tag=2,failing=post-upgrade")
    assert "pod boat-post-upgrade failed" in why and "has been rolled back" in why
    assert helm.history() == [(1, "superseded"), (2, "failed"), (3, "deployed")]
    assert _image(helm) == "app:1"


def test_a_dry_run_on_the_server_leaves_no_trace(helm: Helm) -> None:
    assert 'kube: "v1.33.' in helm.ok("install", "boat", CHART, "--dry-run=server", "--skip-crds", "--create-namespace")
    assert not helm.is_there("cm/boat") and json.loads(helm.ok("list", "--output=json")) == []

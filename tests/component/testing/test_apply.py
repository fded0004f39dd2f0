"""`Cluster.apply`: manifests in every form, and what applying again does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.testing import Cluster, StatusError
from tests.component.testing.conftest import config_map, deployment, pod

TWO = """
# A comment of its own is no object.
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
---
"""


def forms(directory: Path) -> dict[str, Any]:
    objects = [config_map("a"), config_map("b")]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    (directory / "two.yaml").write_text(TWO)
    (directory / "many").mkdir()
    for tree in objects:
        (directory / "many" / f"{tree['metadata']['name']}.json").write_text(json.dumps(tree))
    (directory / "many" / "notes.txt").write_text("no manifest")
    return {
        "yaml": TWO,
        "json": json.dumps(listed),
        "path": directory / "two.yaml",
        "path as text": str(directory / "two.yaml"),
        "directory": directory / "many",
        "list": objects,
        "iterator": iter(objects),
        "List": listed,
        "typed List": {"apiVersion": "v1", "kind": "ConfigMapList", "items": objects},
    }


@pytest.mark.parametrize(
    "form", ["yaml", "json", "path", "path as text", "directory", "list", "iterator", "List", "typed List"]
)
def test_a_manifest_may_come_in_any_form(shared: Cluster, space: str, tmp_path: Path, form: str):
    applied = shared.apply(forms(tmp_path)[form], namespace=space)

    assert [tree["metadata"]["name"] for tree in applied] == ["a", "b"]
    assert {"a", "b"} <= {tree["metadata"]["name"] for tree in shared.list("configmaps", namespace=space)}


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("just: text", "apiVersion not set in {'just': 'text'}"),
        ("apiVersion: v1\nmetadata: {name: a}", "kind not set"),
        ("apiVersion: v1\nkind: Pod", r"metadata\.name not set"),
        ("- 1\n- 2", r"has no object but \[1, 2\]"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_no_manifest_is_named(shared: Cluster, manifest: str, message: str):
    with pytest.raises(ValueError, match=message):
        shared.apply(manifest)


def test_a_file_that_is_not_there_is_an_error_of_its_own(shared: Cluster):
    with pytest.raises(FileNotFoundError, match="deplyo"):
        shared.apply("deplyo")


def test_the_api_says_what_it_does_not_take(shared: Cluster):
    with pytest.raises(StatusError, match=r'no matches for kind "Boat" in version "example\.com/v1"'):
        shared.apply({"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "a"}})
    with pytest.raises(StatusError, match="Invalid value"):
        shared.apply(config_map("Not_A_Name"))


def test_fields_that_leave_the_manifest_leave_the_object_and_others_stay(shared: Cluster, space: str):
    shared.apply(config_map("a", kept="1", dropped="1"), namespace=space)
    shared.patch("configmap/a", {"data": {"foreign": "1"}}, namespace=space)

    (after,) = shared.apply(config_map("a", kept="2"), namespace=space)

    assert after["data"] == {"kept": "2", "foreign": "1"}


def test_applying_the_same_again_writes_nothing(shared: Cluster, space: str):
    before = shared.apply([deployment("web"), config_map("a", x="1")], namespace=space)
    shared.wait_for("deploy/web", "rollout", namespace=space)
    settled = shared.get("deploy/web", namespace=space)

    after = shared.apply([deployment("web"), config_map("a", x="1")], namespace=space)

    assert after[0]["metadata"]["resourceVersion"] == settled["metadata"]["resourceVersion"]
    assert after[1] == before[1]


def test_lists_merge_by_their_keys(shared: Cluster, space: str):
    first = deployment("web", replicas=0)
    containers = first["spec"]["template"]["spec"]["containers"]
    containers[0]["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    containers.append({"name": "sidecar", "image": "sidecar:1"})
    shared.apply(first, namespace=space)
    injected = {"spec": {"template": {"spec": {"containers": [*containers, {"name": "injected", "image": "mesh:1"}]}}}}
    shared.patch("deploy/web", injected, namespace=space)

    second = deployment("web", replicas=0, image="app:2")
    second["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "B", "value": "2"}]
    (after,) = shared.apply(second, namespace=space)

    found = after["spec"]["template"]["spec"]["containers"]
    assert [(c["name"], c["image"]) for c in found] == [("app", "app:2"), ("injected", "mesh:1")]
    assert found[0]["env"] == [{"name": "B", "value": "2"}]


def test_a_strategy_changes_with_all_that_belongs_to_it(shared: Cluster, space: str):
    shared.apply(deployment("web", replicas=0), namespace=space)  # the server adds rollingUpdate to the default

    (after,) = shared.apply(deployment("web", replicas=0, strategy={"type": "Recreate"}), namespace=space)

    assert after["spec"]["strategy"] == {"type": "Recreate"}


def test_a_running_pod_can_be_applied_again(shared: Cluster, space: str):
    shared.apply(pod("a"), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    changed = pod("a", annotations={"note": "seen"}, image="app:2")
    (after,) = shared.apply(changed, namespace=space)

    assert after["spec"]["containers"][0]["image"] == "app:2"
    assert after["spec"]["containers"][0]["volumeMounts"], "what admission added stays"
    assert after["metadata"]["annotations"]["note"] == "seen"


def test_kubectl_and_apply_know_of_each_other(shared: Cluster, space: str):
    text = yaml.safe_dump(config_map("a", x="1", y="1"))
    shared.kubectl("apply", f"--namespace={space}", "-f", "-", input=text)

    (after,) = shared.apply(config_map("a", x="2"), namespace=space)
    assert after["data"] == {"x": "2"}

    told = shared.kubectl("apply", f"--namespace={space}", "-f", "-", input=yaml.safe_dump(config_map("a", z="3")))
    assert told == "configmap/a configured\n"
    assert shared.get("configmap/a", namespace=space)["data"] == {"z": "3"}


def test_a_generated_name_makes_a_new_object_each_time(shared: Cluster, space: str):
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}

    names = {shared.apply(tree, namespace=space)[0]["metadata"]["name"] for _ in range(2)}

    assert len(names) == 2


def test_a_stale_resource_version_conflicts(shared: Cluster, space: str):
    (old,) = shared.apply(config_map("a", x="1"), namespace=space)
    shared.patch("configmap/a", {"data": {"x": "2"}}, namespace=space)

    with pytest.raises(StatusError, match="the object has been modified"):
        shared.apply({**old, "data": {"x": "3"}})

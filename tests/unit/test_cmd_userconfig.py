"""The user's kubeconfig: which file, whose, and that nothing else in it changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from sampan.client.config import ClientConfig
from sampan.client.kubeconfig import dump
from sampan.cmd.cluster import userconfig
from sampan.cmd.cluster.plan import ClusterPlan
from sampan.cmd.cluster.shell import ClusterError


@pytest.fixture
def plan(tmp_path: Path) -> ClusterPlan:
    made = ClusterPlan("dev", tmp_path / "data", node_count=0)
    made.kubeconfig_dir.mkdir(parents=True)
    made.admin_kubeconfig.write_text(dump(ClientConfig(made.server, ca_pem=b"ca", cert_pem=b"c", key_pem=b"k"), made.context))
    return made


def test_kubeconfig_is_where_kubectl_looks() -> None:
    user = userconfig.User(Path("/home/ann"), 1000, 1000)
    assert userconfig.files({}, user) == [Path("/home/ann/.kube/config")]
    assert userconfig.files({"KUBECONFIG": "/a:/b"}, user) == [Path("/a"), Path("/b")]


def test_through_sudo_the_file_is_that_of_the_user_who_typed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    user = userconfig.invoking_user({"SUDO_USER": "nobody", "HOME": "/root"})
    assert user.uid == 65534
    assert userconfig.invoking_user({"HOME": "/root"}).home == Path("/root")
    assert userconfig.invoking_user({"HOME": "/root", "SUDO_USER": "no-such-user"}).home == Path("/root")


def test_the_context_is_added_beside_others_and_taken_out_again(plan: ClusterPlan, tmp_path: Path) -> None:
    file = tmp_path / "config"
    other = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "prod", "cluster": {"server": "https://prod:6443"}}],
        "users": [{"name": "prod", "user": {"token": "t"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "prod", "namespace": "web"}}],
        "current-context": "prod",
    }
    file.write_text(yaml.safe_dump(other))
    environment = {"KUBECONFIG": str(file)}
    assert userconfig.add_context(plan, environment) == file
    merged = yaml.safe_load(file.read_text())
    assert merged["current-context"] == "sampan-dev"
    assert merged["contexts"][0] == other["contexts"][0]
    assert {entry["name"] for entry in merged["clusters"]} == {"prod", "sampan-dev"}
    userconfig.remove_context(plan.context, environment)
    after = yaml.safe_load(file.read_text())
    assert (after["contexts"], after["clusters"], after["users"]) == (other["contexts"], other["clusters"], other["users"])


def test_a_new_file_is_its_owners_alone(plan: ClusterPlan, tmp_path: Path) -> None:
    file = userconfig.add_context(plan, {"HOME": str(tmp_path)})
    assert file == tmp_path / ".kube" / "config"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_broken_file_stops_up_with_its_name_and_is_left_by_down(plan: ClusterPlan, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("sampan-dev: [")
    with pytest.raises(ClusterError, match="cannot take the context sampan-dev"):
        userconfig.add_context(plan, {"KUBECONFIG": str(file)})
    userconfig.remove_context(plan.context, {"KUBECONFIG": str(file)})
    assert file.read_text() == "sampan-dev: ["

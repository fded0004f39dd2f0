from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from sampan.client import kubeconfig
from sampan.client.config import ClientConfig

CONFIG = ClientConfig(server="https://127.0.0.1:6443", ca_pem=b"CA", cert_pem=b"CERT", key_pem=b"KEY")

FOREIGN = """
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: work
clusters:
- name: work
  cluster: {server: "https://work:443", certificate-authority: ca.crt}
users:
- name: me
  user: {tokenFile: token}
contexts:
- name: work
  context: {cluster: work, user: me, namespace: team}
"""


def test_what_is_dumped_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(kubeconfig.dump(CONFIG))
    assert kubeconfig.load(path) == CONFIG


def test_a_merged_context_becomes_current_and_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(FOREIGN)
    path.chmod(0o644)
    kubeconfig.merge(path, "sampan-a", CONFIG)
    kubeconfig.merge(path, "sampan-a", CONFIG)
    tree = yaml.safe_load(path.read_text())
    assert tree["current-context"] == "sampan-a"
    assert [c["name"] for c in tree["contexts"]] == ["work", "sampan-a"]
    assert tree["contexts"][0] == yaml.safe_load(FOREIGN)["contexts"][0]
    assert tree["preferences"] == {"colors": True}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["config"]


def test_removing_a_context_takes_only_its_own_away(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(FOREIGN)
    kubeconfig.merge(path, "sampan-a", CONFIG)
    kubeconfig.remove(path, "sampan-a")
    expected = {**yaml.safe_load(FOREIGN), "current-context": ""}
    assert yaml.safe_load(path.read_text()) == expected


def test_merging_makes_the_file_and_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".kube" / "config"
    kubeconfig.merge(path, "sampan-a", CONFIG, make_current=False)
    assert kubeconfig.load(path, "sampan-a") == CONFIG
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"THEIR CA")
    path = tmp_path / "config"
    path.write_text(FOREIGN)
    loaded = kubeconfig.load(path)
    assert loaded.ca_pem == b"THEIR CA"
    assert loaded.token_file == str(tmp_path / "token")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "not a kubeconfig"),
        ("{}", "no current-context"),
        ("current-context: x", "context 'x' does not exist"),
        ("a: [", "config"),
        (FOREIGN.replace("tokenFile: token", "exec: {command: x}").replace("certificate-authority: ca.crt", ""), "needs exec"),
        (FOREIGN.replace("certificate-authority: ca.crt", "certificate-authority-data: '*'"), "is not base64"),
    ],
)
def test_what_cannot_be_used_is_said_with_the_files_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        kubeconfig.load(path)
    assert str(path) in str(caught.value)

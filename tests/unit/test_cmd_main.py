"""The `sampan` command: what it imports, how it fails, what its options mean."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

import sampan
from sampan.cmd import agent, apiserver, logs, main, status
from sampan.cmd.cluster.plan import ClusterPlan
from sampan.cmd.cluster.shell import ClusterError
from sampan.pki.certificates import new_key_pem


def test_the_version_is_told_without_importing_a_component() -> None:
    script = (
        "import sys; from sampan.cmd.main import main; main(['version']); "
        "print([m for m in ('uvloop', 'numpy', 'grpc', 'yaml', 'msgspec') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out == f"sampan {sampan.__version__} (Kubernetes {sampan.GIT_VERSION})\n[]\n"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in main.COMMANDS)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main.main([name, "--help"])
    assert leaving.value.code == 0
    assert f"usage: sampan {name}" in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["sink"]) == 2
    assert capsys.readouterr().err == "sampan: there is no command 'sink': see sampan --help\n"


def test_without_root_up_says_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main.main(["up"]) == 1
    assert capsys.readouterr().err == "sampan: namespaces, mounts and cgroups need root: run sudo sampan up\n"


def test_a_file_of_several_keys_gives_each_of_them(tmp_path: Path) -> None:
    first, second = new_key_pem(), new_key_pem()
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    file = tmp_path / "sa.keys"
    file.write_bytes(parameters + first + b"# the next one\n" + second)
    assert apiserver.keys_of(str(file)) == [first, second]
    file.write_bytes(parameters)
    with pytest.raises(ClusterError, match="holds no key"):
        apiserver.keys_of(str(file))


@pytest.mark.parametrize(("text", "ports"), [("30000-32767", (30000, 32767)), ("1-65535", (1, 65535))])
def test_a_node_port_range_is_two_ports(text: str, ports: tuple[int, int]) -> None:
    assert apiserver.port_range(text) == ports


@pytest.mark.parametrize("text", ["", "30000", "2-1", "0-5", "1-65536", "a-b"])
def test_a_broken_node_port_range_is_refused(text: str) -> None:
    with pytest.raises(ClusterError, match="not FIRST-LAST"):
        apiserver.port_range(text)


def test_node_labels_are_pairs() -> None:
    assert agent.labels("") == {}
    assert agent.labels("a=b,zone/x=") == {"a": "b", "zone/x": ""}
    with pytest.raises(ClusterError, match="'c' is not KEY=VALUE"):
        agent.labels("a=b,c")


def test_the_runtime_is_a_unix_socket() -> None:
    assert agent.socket_path("unix:///run/x.sock") == "/run/x.sock"
    with pytest.raises(ClusterError, match="is not unix:///PATH"):
        agent.socket_path("tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("component", "file"),
    [
        ("apiserver", "apiserver.log"),
        ("supervisor", "supervisor.log"),
        ("agent", "agent-node-1.log"),
        ("agent-node-2", "agent-node-2.log"),
        ("containerd", "containerd-node-1.log"),
    ],
)
def test_logs_are_found_by_component(component: str, file: str) -> None:
    plan = ClusterPlan("x", Path("/data"), node_count=2)
    assert logs.log_file(plan, component) == Path("/data/logs") / file


def test_logs_of_an_unknown_component_name_the_known_ones() -> None:
    with pytest.raises(ClusterError, match=r"choose one of supervisor, apiserver, controller-manager, scheduler$"):
        logs.log_file(ClusterPlan("x", Path("/data"), node_count=0), "etcd")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (59, "59s"), (60, "1m"), (187, "3m7s"), (18120, "5h2m"), (3600, "1h"), (356400, "4d3h")],
)
def test_durations_read_as_kubectl_writes_ages(seconds: float, text: str) -> None:
    assert status.duration(seconds) == text


def test_a_table_pads_its_columns() -> None:
    assert status.table(("A", "LONG"), [("wide", "x"), ("y", "z")]) == ["A      LONG", "wide   x", "y      z"]


def test_a_component_reads_its_files_or_says_which_it_cannot(tmp_path: Path) -> None:
    from sampan.cmd import process

    (tmp_path / "ca.crt").write_bytes(b"pem")
    assert process.read_file(str(tmp_path / "ca.crt"), "--client-ca-file") == b"pem"
    assert process.read_file("", "--client-ca-file") == b""
    with pytest.raises(ClusterError, match=r"--client-ca-file .*missing cannot be read: No such file"):
        process.read_file(str(tmp_path / "missing"), "--client-ca-file")


def test_a_kubeconfig_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    from sampan.cmd import process

    arguments = argparse.Namespace(kubeconfig=str(tmp_path / "none.conf"))
    with pytest.raises(ClusterError, match=r"--kubeconfig .*none.conf cannot be used"):
        process.client_config(arguments, "scheduler")

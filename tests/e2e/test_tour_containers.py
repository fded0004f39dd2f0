"""What the tour of README shows of single containers: run, logs, exec, attach, files copied both ways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.local import TODAYS_KUBECTL, eventually
from tests.e2e.space import BUSYBOX, Space, in_terminal, pod, shell


def test_run_gives_back_output_input_and_exit_code(space: Space) -> None:
    run = ("run", "--restart=Never", "--rm", "-i", "--quiet", f"--image={BUSYBOX}")
    assert space.kubectl(*run, "reads", "--", "cat", input_text="piped\n").stdout == "piped\n"
    failed = space.kubectl(*run, "fails", "--", "sh", "-c", "exit 5", check=False)
    assert failed.returncode == 5 and "terminated (Error)" in failed.stderr
    assert space.out("get", "pods", "reads", "fails", "--ignore-not-found") == ""


@pytest.fixture(scope="module")
def talker(space: Space) -> str:
    """A pod of two containers that have said something; the first has been restarted once."""
    first = shell(
        "echo run >> /shared/runs; echo one from $(wc -l < /shared/runs); test $(wc -l < /shared/runs) -gt 1 && sleep 3600"
    )
    second = shell("for i in 1 2 3; do echo two $i; done; exec sleep 3600", name="second")
    for each in (first, second):
        each["volumeMounts"] = [{"name": "shared", "mountPath": "/shared"}]
    space.apply(pod("talker", first, second, volumes=[{"name": "shared", "emptyDir": {}}]))
    # Without a probe it is ready while its first run still lasts, too.
    eventually(lambda: restarts(space, "talker") == 1 and space.is_ready("talker"), "the first container runs again")
    return "talker"


def restarts(space: Space, name: str) -> int:
    count: int = space.state(name).get("restartCount", 0)
    return count


@TODAYS_KUBECTL
def test_logs_are_shown_in_every_way(space: Space, talker: str) -> None:
    assert space.out("logs", talker) == "one from 2\n"
    assert space.kubectl("logs", talker).stderr == 'Defaulted container "main" out of: main, second\n'
    assert space.out("logs", talker, "--previous") == "one from 1\n"
    assert space.out("logs", talker, "-c", "second", "--tail=1") == "two 3\n"
    assert space.out("logs", talker, "-c", "second", "--tail=0") == ""
    assert space.out("logs", talker, "-c", "second", "--limit-bytes=4") == "two "
    stamped = space.out("logs", talker, "-c", "second", "--timestamps", "--tail=1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z two 3\n", stamped)
    assert space.out("logs", talker, "--since=1h") == "one from 2\n"
    assert space.out("logs", talker, "--since-time=2999-01-01T00:00:00Z") == ""
    together = space.out("logs", talker, "--all-containers", "--prefix")
    assert sorted(together.splitlines())[:2] == ["[pod/talker/main] one from 2", "[pod/talker/second] two 1"]
    assert "two 2" in space.out("logs", "-l", "app=talker", "--all-containers")
    missing = space.kubectl("logs", talker, "-c", "third", check=False)
    assert missing.stderr == "error: container third is not valid for pod talker\n"
    none = space.kubectl("logs", talker, "-c", "second", "--previous", check=False)
    assert none.stderr == 'Error from server (BadRequest): previous terminated container "second" in pod "talker" not found\n'


def test_logs_follow_until_the_container_ends(space: Space) -> None:
    space.start(
        pod("counter", shell("echo started; while [ ! -e /tmp/stop ]; do sleep 0.05; done; echo over"), restartPolicy="Never")
    )
    with space.background("logs", "-f", "counter") as following:
        following.wait_for("started\n")
        space.exec("counter", "touch", "/tmp/stop")
        following.wait_for("started\nover\n")
        assert following.process.wait(timeout=10) == 0


def test_exec_passes_arguments_input_and_exit_codes(space: Space, talker: str) -> None:
    assert space.exec(talker, "echo", "two words", "") == "two words \n"
    assert (
        space.kubectl("exec", "-i", talker, "-c", "second", "--", "wc", "-c", input_text="x" * 200_000).stdout.strip()
        == "200000"
    )
    both = space.kubectl("exec", talker, "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (both.returncode, both.stdout) == (7, "out\n")
    assert "err\n" in both.stderr and both.stderr.endswith("command terminated with exit code 7\n")
    missing = space.kubectl("exec", talker, "--", "nosuch", check=False)
    assert missing.returncode == 126 or missing.returncode == 1
    assert "nosuch" in missing.stderr
    assert len(space.exec(talker, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' a")) == 3_000_000


def test_short_commands_never_fail(space: Space, talker: str) -> None:
    said = [space.exec(talker, "sh", "-c", "echo out; echo err >&2") for _ in range(20)]
    assert said == ["out\n"] * 20


def test_exec_in_a_terminal_has_its_size_and_echo(space: Space, talker: str) -> None:
    typed = b"stty size; tty; exit 3\n"
    shown, code = in_terminal(space.argv("exec", "-it", talker, "-c", "second", "--", "sh"), space.cluster.environment, typed)
    assert "31 97" in shown and "/dev/pts/" in shown
    assert code == 3


def test_attach_reaches_the_first_process(space: Space) -> None:
    reader = shell("while read line; do echo got $line; done", stdin=True, stdinOnce=True)
    space.start(pod("reader", reader, restartPolicy="Never"))
    assert "got this\n" in space.kubectl("attach", "-i", "reader", input_text="this\n").stdout
    space.wait_phase("reader", "Succeeded")


def test_files_are_copied_both_ways(space: Space, talker: str, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "text").write_text("words\n")
    (there / "zeros").write_bytes(bytes(1_000_000))
    space.kubectl("cp", str(there), f"{talker}:/tmp/copied", "-c", "second")
    assert space.kubectl("exec", talker, "-c", "second", "--", "cat", "/tmp/copied/text").stdout == "words\n"
    space.kubectl("cp", f"{talker}:/tmp/copied", str(tmp_path / "back"), "-c", "second")
    assert (tmp_path / "back" / "text").read_text() == "words\n"
    assert (tmp_path / "back" / "zeros").stat().st_size == 1_000_000

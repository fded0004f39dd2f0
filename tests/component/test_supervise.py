"""The supervisor as a process of its own, over processes that do nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sampan.cmd import supervise

DEADLINE_SECONDS = 15.0


class Supervised:
    """A supervisor in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def want(self, **commands: list[str]) -> None:
        specs = [{"name": name, "argv": argv, "log": str(self.directory / f"{name}.log")} for name, argv in commands.items()]
        (self.directory / "processes.json").write_text(json.dumps({"processes": specs}))

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-I", "-S", supervise.__file__, str(self.directory)])

    def state(self, name: str) -> dict[str, Any]:
        try:
            document = json.loads((self.directory / "supervisor.json").read_text())
        except FileNotFoundError:
            return {"pid": 0, "restarts": 0}
        if self.process is None or document["pid"] != self.process.pid:
            return {"pid": 0, "restarts": 0}
        found: dict[str, Any] = document["processes"].get(name, {"pid": 0, "restarts": 0})
        return found

    def running(self, name: str) -> int:
        wait_until(lambda: self.state(name)["pid"] != 0)
        return int(self.state(name)["pid"])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    made.want()
    if made.process is not None:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()
        for state in json.loads((tmp_path / "supervisor.json").read_text())["processes"].values():
            if state["pid"] and supervise.start_time_of(state["pid"]) == state["start_time"]:
                os.kill(state["pid"], signal.SIGKILL)


def test_a_killed_process_comes_back(supervised: Supervised) -> None:
    supervised.want(sleeper=["sleep", "300"])
    supervised.start()
    first = supervised.running("sleeper")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: supervised.state("sleeper")["pid"] not in (0, first))
    state = supervised.state("sleeper")
    assert (state["restarts"], state["last_exit"]) == (1, "killed by SIGKILL")


def test_a_process_that_keeps_ending_waits_longer_each_time(supervised: Supervised) -> None:
    supervised.want(failing=["sh", "-c", "date +%s.%N; exit 3"])
    supervised.start()
    wait_until(lambda: supervised.state("failing")["restarts"] >= 4)
    times = [float(line) for line in (supervised.directory / "failing.log").read_text().split()]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert supervised.state("failing")["last_exit"] == "exit code 3"
    assert gaps[1] > gaps[0] * 1.5
    assert gaps[2] > gaps[1] * 1.5


def test_a_program_that_is_not_there_does_not_stop_the_others(supervised: Supervised) -> None:
    supervised.want(missing=["/no/such/program"], sleeper=["sleep", "300"])
    supervised.start()
    assert supervised.running("sleeper")
    wait_until(lambda: "No such file" in supervised.state("missing").get("last_exit", ""))


def test_children_outlive_the_supervisor_and_the_next_one_adopts_them(supervised: Supervised) -> None:
    supervised.want(sleeper=["sleep", "300"])
    supervised.start()
    pid = supervised.running("sleeper")
    assert supervised.process is not None
    supervised.process.kill()
    supervised.process.wait()
    assert supervise.start_time_of(pid)
    supervised.start()
    assert supervised.running("sleeper") == pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: supervised.state("sleeper")["pid"] not in (0, pid))


def test_a_reload_starts_what_is_new_stops_what_is_gone_and_leaves_the_rest(supervised: Supervised) -> None:
    supervised.want(stays=["sleep", "300"], goes=["sleep", "300"])
    supervised.start()
    stays, goes = supervised.running("stays"), supervised.running("goes")
    supervised.want(stays=["sleep", "300"], comes=["sleep", "300"])
    assert supervised.process is not None
    supervised.process.send_signal(signal.SIGHUP)
    supervised.running("comes")
    wait_until(lambda: not supervise.start_time_of(goes))
    assert supervised.state("stays")["pid"] == stays


def test_a_second_supervisor_of_the_same_cluster_leaves(supervised: Supervised) -> None:
    supervised.want(sleeper=["sleep", "300"])
    supervised.start()
    supervised.running("sleeper")
    second = subprocess.run(
        [sys.executable, "-I", "-S", supervise.__file__, str(supervised.directory)], capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stderr) == (0, "another supervisor runs this cluster\n")


def test_the_supervisor_is_small(supervised: Supervised) -> None:
    supervised.want(sleeper=["sleep", "300"])
    supervised.start()
    supervised.running("sleeper")
    assert supervised.process is not None
    resident_pages = int(Path(f"/proc/{supervised.process.pid}/statm").read_text().split()[1])
    assert resident_pages * os.sysconf("SC_PAGE_SIZE") <= 15 * 2**20


def test_a_log_that_grew_large_is_cut_and_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LOG_LIMIT_BYTES", 100)
    log = tmp_path / "x.log"
    log.write_bytes(b"a" * 99)
    supervise.rotate(str(log))
    assert log.stat().st_size == 99
    with open(log, "ab") as writer:
        writer.write(b"b")
        writer.flush()
        supervise.rotate(str(log))
        writer.write(b"c")
    assert (log.read_bytes(), (tmp_path / "x.log.1").read_bytes()) == (b"c", b"a" * 99 + b"b")

"""Finding and ending the processes of a cluster."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest

from sampan.cmd.cluster import processes


@pytest.mark.parametrize("number", [errno.ESRCH, errno.EINVAL])
def test_a_process_that_goes_while_it_is_ended_is_gone(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel says EINVAL, too, of a process that is just being reaped."""
    cluster = f"unit-{os.getpid()}"
    script = ["sh", "-c", "echo started; exec sleep 60"]
    child = subprocess.Popen(script, env={**os.environ, processes.MARK: cluster}, stdout=subprocess.PIPE, text=True)

    def opening(pid: int, flags: int = 0) -> int:
        assert pid == child.pid
        child.kill()
        child.wait()
        raise OSError(number, os.strerror(number))

    try:
        assert child.stdout is not None and child.stdout.readline() == "started\n"  # until then it may show no environment
        assert set(processes.marked(cluster)) == {child.pid}
        monkeypatch.setattr(os, "pidfd_open", opening)
        assert processes.end(cluster, grace_seconds=1.0) == 1
        assert not processes.marked(cluster)
    finally:
        child.kill()
        child.communicate()

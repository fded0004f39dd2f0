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
    child = subprocess.Popen(["sleep", "60"], env={**os.environ, processes.MARK: cluster})

    def opening(pid: int, flags: int = 0) -> int:
        assert pid == child.pid
        child.kill()
        child.wait()
        raise OSError(number, os.strerror(number))

    try:
        assert set(processes.marked(cluster)) == {child.pid}
        monkeypatch.setattr(os, "pidfd_open", opening)
        assert processes.end(cluster, grace_seconds=1.0) == 1
        assert not processes.marked(cluster)
    finally:
        child.kill()
        child.wait()

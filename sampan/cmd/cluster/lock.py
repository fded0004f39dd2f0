"""One `up` or `down` at a time: on a cluster, and, while a new one chooses its network, on the machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sampan.cmd.cluster.plan import RUN_ROOT, make_private

FILE = RUN_ROOT / ".lock"  # no name of a cluster


@contextmanager
def machine() -> Iterator[None]:
    """Held by whoever makes or removes a cluster of this machine; the next one waits."""
    descriptor = _acquire()
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire() -> int:
    while True:
        make_private(RUN_ROOT)
        # Close-on-exec, or the supervisor would inherit the lock and keep it.
        descriptor = os.open(FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(FILE)):
                return descriptor
        except FileNotFoundError:
            pass
        # The last `down` removed the file while we waited for it: what we hold is no lock any more.
        os.close(descriptor)


def remove_if_last() -> None:
    """With the last cluster the run directory goes. To be called with the lock held."""
    if set(os.listdir(RUN_ROOT)) <= {FILE.name}:
        FILE.unlink(missing_ok=True)
        RUN_ROOT.rmdir()

"""The supervisor of a cluster: keeps each process of `processes.json` running, and nothing else.

    python -I -S supervise.py RUN_DIR

It is run as a file, imports the standard library only and stays small, so that the one process nobody watches has little to
fail with. Its children are leaders of sessions of their own and outlive it: `kill -9` of the supervisor stops nothing, and the
next one finds them again in `supervisor.json` by process id and start time. SIGHUP makes it read `processes.json` again;
SIGTERM makes it leave, its children running; `sampan down` stops those itself.

A process that ends is started again: at once when it had run for ten seconds, else after a wait that doubles up to ten seconds.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

STEADY_SECONDS = 10.0
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 10.0
STOP_SECONDS = 10.0
PRIVATE_UMASK = 0o077
OPEN_FILES = 65536
"""A login shell allows 1,024 open files, which is too few for a server of watches and for containers."""
LOG_LIMIT_BYTES = 16 * 1024 * 1024
HOUSEKEEPING_SECONDS = 5.0


class Process:
    """One process to keep running: what it is, and the life it has now."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.pid = 0
        self.start_time = ""
        """Field 22 of /proc/PID/stat: with the pid it names a process for good."""
        self.descriptor = -1
        self.started = 0.0
        self.restarts = 0
        self.wait_seconds = 0.0
        self.start_at = 0.0
        self.last_exit = ""

    def start(self) -> None:
        spec = self.spec
        log = [(os.POSIX_SPAWN_OPEN, fd, spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for fd in (1, 2)]
        quiet = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        environment = {**os.environ, **spec.get("environment", {})}
        defaults = [signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE]
        umask = os.umask(spec.get("umask", PRIVATE_UMASK))
        try:
            self.pid = os.posix_spawnp(
                spec["argv"][0],
                spec["argv"],
                environment,
                file_actions=[quiet, *log],
                setsid=True,
                setsigdef=defaults,
                setsigmask=[],
            )
        finally:
            os.umask(umask)
        self._watch()

    def adopt(self, pid: int, start_time: str) -> bool:
        """Take over a process of an earlier supervisor, if it is still that one."""
        if not pid or start_time_of(pid) != start_time:
            return False
        self.pid = pid
        try:
            self._watch()
        except ProcessLookupError:
            self.pid = 0
            return False
        return self.start_time == start_time

    def _watch(self) -> None:
        self.descriptor = pidfd_of(self.pid)
        self.start_time = start_time_of(self.pid)
        self.started = time.time()

    def ended(self) -> None:
        """Note its end and when to start it again."""
        self.last_exit = exit_of(self.pid)
        os.close(self.descriptor)
        ran_seconds = time.time() - self.started
        self.pid, self.descriptor, self.start_time = 0, -1, ""
        if ran_seconds >= STEADY_SECONDS:
            self.wait_seconds = 0.0
        else:
            self.wait_seconds = min(max(self.wait_seconds * 2, FIRST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
        self.restarts += 1
        self.start_at = time.monotonic() + self.wait_seconds

    def state(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "start_time": self.start_time,
            "started": self.started,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
        }


def pidfd_of(pid: int) -> int:
    """Raises ProcessLookupError when there is no such process."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        # What older kernels, of Debian 12 too, say of a process that is being reaped this very moment.
        if error.errno == errno.EINVAL:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from None
        raise


def start_time_of(pid: int) -> str:
    """Ticks after boot at which the process started; "" when there is none. The name in parentheses may hold anything."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def exit_of(pid: int) -> str:
    """How a child ended, in words; an adopted process is no child, and its end is not told."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return "ended"
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def rotate(path: str) -> None:
    """Keep one older log. The processes hold the file open for appending, so it is copied and cut, not renamed."""
    try:
        if os.stat(path).st_size < LOG_LIMIT_BYTES:
            return
    except FileNotFoundError:
        return
    with open(path, "r+b") as live, open(os.open(path + ".1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as old:
        size = os.fstat(live.fileno()).st_size
        done = 0
        while done < size:
            done += os.sendfile(old.fileno(), live.fileno(), done, size - done)
        live.truncate(0)


class Supervisor:
    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.processes: dict[str, Process] = {}
        self.started = time.time()
        self.leaving = False
        self.reload = True
        self.stopping: list[tuple[Process, float]] = []
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, self._leave)
        signal.signal(signal.SIGHUP, self._reload)
        earlier = self._read("supervisor.json").get("processes", {})
        housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
        while not self.leaving:
            if self.reload:
                self.reload = False
                self._apply(earlier)
                earlier = {}
            self._start_what_is_due()
            self._wait()
            if time.monotonic() > housekeeping:
                housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
                for process in self.processes.values():
                    rotate(process.spec["log"])

    def _leave(self, *_: object) -> None:
        self.leaving = True

    def _reload(self, *_: object) -> None:
        self.reload = True

    def _apply(self, earlier: dict[str, Any]) -> None:
        """Bring the set of processes to what processes.json says, leaving alone what runs and stays."""
        wanted = {spec["name"]: spec for spec in self._read("processes.json").get("processes", [])}
        for name in [name for name in self.processes if name not in wanted]:
            process = self.processes.pop(name)
            if process.pid:
                os.kill(process.pid, signal.SIGTERM)
                self.stopping.append((process, time.monotonic() + STOP_SECONDS))
        for name, spec in wanted.items():
            if name in self.processes:
                self.processes[name].spec = spec
                continue
            process = self.processes[name] = Process(spec)
            known = earlier.get(name, {})
            if process.adopt(known.get("pid", 0), known.get("start_time", "")):
                process.started, process.restarts = known["started"], known["restarts"]
        self._write()

    def _start_what_is_due(self) -> None:
        now = time.monotonic()
        started = False
        for process in self.processes.values():
            if not process.pid and now >= process.start_at:
                try:
                    process.start()
                except OSError as error:
                    process.last_exit = f"did not start: {error.strerror}"
                    process.wait_seconds = min(max(process.wait_seconds * 2, FIRST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
                    process.start_at = now + process.wait_seconds
                started = True
        if started:
            self._write()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self.wake_read, select.POLLIN)
        by_descriptor = {process.descriptor: process for process in self.processes.values() if process.pid}
        by_descriptor |= {process.descriptor: process for process, _ in self.stopping}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        now = time.monotonic()
        due = [process.start_at for process in self.processes.values() if not process.pid]
        due += [deadline for _, deadline in self.stopping]
        timeout = max(0.0, min([HOUSEKEEPING_SECONDS, *(moment - now for moment in due)]))
        changed = False
        for descriptor, _ in poll.poll(timeout * 1000 + 1):
            if descriptor == self.wake_read:
                os.read(self.wake_read, 512)
            else:
                by_descriptor[descriptor].ended()
                changed = True
        self._press_the_slow()
        if changed:
            self._write()

    def _press_the_slow(self) -> None:
        """Kill what was asked to stop and has not."""
        now = time.monotonic()
        self.stopping = [(process, deadline) for process, deadline in self.stopping if process.pid]
        for process, deadline in self.stopping:
            if now > deadline:
                os.kill(process.pid, signal.SIGKILL)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            with open(os.path.join(self.directory, name)) as file:
                document: dict[str, Any] = json.load(file)
                return document
        except (FileNotFoundError, ValueError):
            return {}

    def _write(self) -> None:
        path = os.path.join(self.directory, "supervisor.json")
        document = {
            "pid": os.getpid(),
            "start_time": start_time_of(os.getpid()),
            "started": self.started,
            "processes": {name: process.state() for name, process in self.processes.items()},
        }
        with open(path + ".new", "w") as file:
            json.dump(document, file)
        os.replace(path + ".new", path)


def main(directory: str) -> int:
    os.umask(PRIVATE_UMASK)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard, OPEN_FILES) if hard != resource.RLIM_INFINITY else OPEN_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    lock = os.open(os.path.join(directory, "supervisor.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another supervisor runs this cluster", file=sys.stderr)
        return 0
    os.chdir("/")
    Supervisor(directory).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

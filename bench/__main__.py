"""`make bench`: what the control plane does a second, and how that compares with bare code on this machine, now.

    python -m bench                 # a table
    python -m bench --json          # the same as JSON
    python -m bench --only get list # some of it
    python -m bench --seconds 5     # longer runs
    python -m bench --only create --profile profiles    # a flame graph of each, drawn by py-spy

Rates differ from machine to machine, so next to each stands its ratio to something bare measured in the same run: a TLS
server on uvloop and httptools that answers a fixed body, and a loop that commits rows to SQLite. Load comes from `wrk` with
32 connections on the same cores, over TLS, with a bearer token, through RBAC and admission, to a store on disk.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.report import Row, table
from bench.suites import SUITES, Bench


@contextmanager
def profiled(pid: int, directory: Path | None, name: str) -> Iterator[None]:
    """Sample the process meanwhile, into DIRECTORY/NAME.svg; nothing without a directory."""
    if directory is None:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    command = ["py-spy", "record", "--pid", str(pid), "--rate", "200", "--output", str(directory / f"{name}.svg")]
    sampler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        sampler.send_signal(signal.SIGINT)  # it draws what it has and ends
        sampler.wait(60)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", nargs="+", choices=list(SUITES), help="run only these")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement (default 4)")
    parser.add_argument("--pods", type=int, default=9000, help="Pods in the list (default 9000)")
    parser.add_argument("--nodes", type=int, default=1000, help="Nodes to schedule on (default 1000)")
    parser.add_argument("--profile", type=Path, metavar="DIRECTORY", help="where to put a flame graph of the API server")
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        print("bench: wrk is not installed; install it with: apt-get install wrk", file=sys.stderr)
        return 1
    rows: list[Row] = []
    with Bench(seconds=arguments.seconds, pods=arguments.pods, nodes=arguments.nodes) as bench:
        for name, suite in SUITES.items():
            if not arguments.only or name in arguments.only:
                print(f"measuring: {name}", file=sys.stderr, flush=True)
                with profiled(bench.target.server.pid, arguments.profile, name):
                    rows += suite(bench)
    print(json.dumps([row._asdict() for row in rows], indent=2) if arguments.json else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

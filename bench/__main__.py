"""`make bench`: what the control plane does a second, and how that compares with bare code on this machine, now.

    python -m bench                 # a table
    python -m bench --json          # the same as JSON
    python -m bench --only get list # some of it
    python -m bench --seconds 5     # longer runs

Rates differ from machine to machine, so next to each stands its ratio to something bare measured in the same run: a TLS
server on uvloop and httptools that answers a fixed body, and a loop that commits rows to SQLite. Load comes from `wrk` with
32 connections on the same cores, over TLS, with a bearer token, through RBAC and admission, to a store on disk.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys

from bench.report import Row, table
from bench.suites import SUITES, Bench


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", nargs="+", choices=list(SUITES), help="run only these")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement (default 4)")
    parser.add_argument("--pods", type=int, default=9000, help="Pods in the list (default 9000)")
    parser.add_argument("--nodes", type=int, default=1000, help="Nodes to schedule on (default 1000)")
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        print("bench: wrk is not installed; install it with: apt-get install wrk", file=sys.stderr)
        return 1
    rows: list[Row] = []
    with Bench(seconds=arguments.seconds, pods=arguments.pods, nodes=arguments.nodes) as bench:
        for name, suite in SUITES.items():
            if not arguments.only or name in arguments.only:
                print(f"measuring: {name}", file=sys.stderr, flush=True)
                rows += suite(bench)
    print(json.dumps([row._asdict() for row in rows], indent=2) if arguments.json else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Show the log of a component: apiserver, controller-manager, scheduler, agent-NODE, containerd-NODE or supervisor.

`agent` and `containerd` alone mean those of the first node.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

from sampan.cmd import status
from sampan.cmd.cluster import processes
from sampan.cmd.cluster.plan import DEFAULT_NAME, ClusterPlan
from sampan.cmd.cluster.shell import ClusterError

POLL_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("component", metavar="COMPONENT", help="whose log")
    parser.add_argument("--name", default=DEFAULT_NAME, metavar="N", help="the cluster's name (%(default)s)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as the log grows, until interrupted")
    parser.add_argument("-n", "--tail", type=int, default=-1, metavar="LINES", help="only the last lines")


def run(arguments: argparse.Namespace) -> int:
    plan = status.find(arguments.name, "logs")
    file = log_file(plan, arguments.component)
    try:
        with open(file, "rb") as log:
            lines = deque(log, arguments.tail) if arguments.tail >= 0 else log
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.flush()
            if arguments.follow:
                follow(log)
    except FileNotFoundError:
        raise ClusterError(f"{arguments.component} has written no log yet: see sampan status --name {plan.name}") from None
    return 0


def log_file(plan: ClusterPlan, component: str) -> Path:
    """Raises ClusterError for a component the cluster does not have."""
    known = ["supervisor", *(spec.name for spec in processes.all_processes(plan))]
    name = component
    if component in ("agent", "containerd") and plan.node_count:
        name = f"{component}-{plan.nodes[0].name}"
    if name not in known:
        raise ClusterError(f"cluster {plan.name} has no component {component}: choose one of {', '.join(known)}")
    return plan.log_dir / f"{name}.log"


def follow(log: BinaryIO) -> None:
    """Write what comes; start over when the log was cut."""
    while True:
        if os.fstat(log.fileno()).st_size < log.tell():
            log.seek(0)
        if new := log.read():
            sys.stdout.buffer.write(new)
            sys.stdout.flush()
        else:
            time.sleep(POLL_SECONDS)

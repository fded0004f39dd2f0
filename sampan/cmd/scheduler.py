"""Run the scheduler alone: it gives each new Pod a node.

Flags have kube-scheduler's names where it has them.
"""

from __future__ import annotations

import argparse
import os
import socket

from sampan.cmd import process


def add_arguments(parser: argparse.ArgumentParser) -> None:
    process.add_client_arguments(parser)
    parser.add_argument(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="work only while holding the lease kube-system/kube-scheduler (no)",
    )
    process.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from sampan.client.leader import LeaderElector
    from sampan.client.rest import Client
    from sampan.client.transport import Transport
    from sampan.scheduler.loop import Scheduler

    config = process.client_config(arguments, "kube-scheduler")

    async def work() -> None:
        async with Transport(config) as transport:
            client = Client(transport)
            scheduler = Scheduler(client)
            process.settle()
            if not arguments.leader_elect:
                await scheduler.run()
                return
            elector = LeaderElector(client, "kube-scheduler", identity=f"{socket.gethostname()}_{os.getpid()}")
            await elector.run(scheduler.run)

    return process.serve("scheduler", arguments, work)

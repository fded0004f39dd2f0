"""How a cluster is: its processes with their memory, and its nodes. The exit code is 0 only when all of it is healthy."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sampan.cmd.cluster import preflight, processes
from sampan.cmd.cluster.plan import DEFAULT_NAME, ClusterPlan, load, names
from sampan.cmd.cluster.shell import ClusterError

API_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ProcessRow:
    name: str
    pid: int
    state: str
    uptime_seconds: float
    restarts: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class NodeRow:
    name: str
    ready: bool
    address: str
    message: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=DEFAULT_NAME, metavar="N", help="the cluster's name (%(default)s)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="(%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    plan = find(arguments.name, "status")
    rows = process_rows(plan, time.time())
    nodes, trouble = asyncio.run(node_rows(plan))
    healthy = not trouble and all(row.state == "running" for row in rows) and all(node.ready for node in nodes)
    if arguments.output == "json":
        document = {
            "name": plan.name,
            "healthy": healthy,
            "server": plan.server,
            "trouble": trouble,
            "processes": [asdict(row) for row in rows],
            "nodes": [asdict(node) for node in nodes],
        }
        print(json.dumps(document, indent=2))
    else:
        print(report(plan, rows, nodes, trouble))
    return 0 if healthy else 1


def find(name: str, command: str) -> ClusterPlan:
    """The cluster's plan. Raises ClusterError when there is none, or one may not look."""
    preflight.require_root(command)
    plan = load(name)
    if plan is None:
        others = f" (there is {', '.join(names())})" if names() else ""
        raise ClusterError(f"there is no cluster {name}{others}: start it with sampan up --name {name}")
    return plan


def process_rows(plan: ClusterPlan, now: float) -> list[ProcessRow]:
    pid = processes.supervisor_pid(plan)
    rows = [
        ProcessRow("supervisor", pid, "running" if pid else "not running", 0.0, 0, processes.resident_bytes(pid) if pid else 0)
    ]
    states = processes.states(plan)
    for spec in processes.all_processes(plan):
        state = states.get(spec.name)
        if state is None:
            rows.append(ProcessRow(spec.name, 0, "not started", 0.0, 0, 0))
        elif not state.running:
            rows.append(ProcessRow(spec.name, 0, f"down: {state.last_exit}", 0.0, state.restarts, 0))
        else:
            memory = processes.resident_bytes(state.pid)
            rows.append(ProcessRow(spec.name, state.pid, "running", now - state.started, state.restarts, memory))
    return rows


async def node_rows(plan: ClusterPlan) -> tuple[list[NodeRow], str]:
    """The nodes as the API server knows them, and what is wrong with asking it."""
    from sampan.api.errors import StatusError
    from sampan.api.types.core_v1 import Node
    from sampan.client.kubeconfig import load as load_kubeconfig
    from sampan.client.rest import Client
    from sampan.client.transport import Transport

    try:
        async with asyncio.timeout(API_SECONDS), Transport(load_kubeconfig(plan.admin_kubeconfig)) as transport:
            listed = await Client(transport).list(Node)
    except (OSError, TimeoutError, ValueError, StatusError) as error:
        return [], f"the API server does not answer: {str(error) or 'no answer in time'}"
    rows = []
    for node in listed.items:
        ready = next((condition for condition in node.status.conditions if condition.type == "Ready"), None)
        address = next((entry.address for entry in node.status.addresses if entry.type == "InternalIP"), "")
        is_ready = ready is not None and ready.status == "True"
        rows.append(NodeRow(node.metadata.name, is_ready, address, "" if is_ready or ready is None else ready.message))
    missing = {node.name for node in plan.nodes} - {row.name for row in rows}
    return rows, f"not registered: {', '.join(sorted(missing))}" if missing else ""


def report(plan: ClusterPlan, rows: Sequence[ProcessRow], nodes: Sequence[NodeRow], trouble: str) -> str:
    state = f", state in {plan.store_url}" if plan.store_url else ""
    lines = [f"cluster {plan.name}, {plan.server}, data in {plan.data_dir}{state}", ""]
    lines += table(
        ("COMPONENT", "PID", "STATE", "UPTIME", "RESTARTS", "MEMORY"),
        [
            (
                row.name,
                str(row.pid or "-"),
                row.state,
                duration(row.uptime_seconds) if row.uptime_seconds else "-",
                str(row.restarts),
                f"{row.resident_bytes / 2**20:.0f} MiB" if row.pid else "-",
            )
            for row in rows
        ],
    )
    if nodes:
        lines += ["", *table(("NODE", "STATE", "ADDRESS", ""), [node_cells(node) for node in nodes])]
    if trouble:
        lines += ["", trouble]
    return "\n".join(lines)


def node_cells(node: NodeRow) -> tuple[str, str, str, str]:
    return node.name, "Ready" if node.ready else "NotReady", node.address, node.message


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns padded to their widest cell, three spaces apart, as kubectl has them."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (header, *rows)]


def duration(seconds: float) -> str:
    """As kubectl writes ages: 42s, 3m7s, 5h2m, 4d3h."""
    whole = int(seconds)
    for unit, size, next_unit, next_size in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size}{unit}{rest}{next_unit}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"

"""Waiting until a cluster answers: the API server, the nodes, DNS; and saying why not when it does not."""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import socket
import struct
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Node, NodeCondition
from sampan.client.rest import Client
from sampan.cmd.cluster import processes
from sampan.cmd.cluster.plan import CLUSTER_DNS, CLUSTER_DOMAIN, ClusterPlan, NodePlan
from sampan.cmd.cluster.shell import ClusterError
from sampan.lib.clock import parse_rfc3339

POLL_SECONDS = 0.05
TOO_MANY_RESTARTS = 3
LINE_LIMIT = 400
"""Of a log line shown in an error; its end is kept, where a traceback says what happened."""
CLONE_NEWNET = 0x40000000


class Deadline:
    """The time `--wait` allows, for all waits together."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def passed(self) -> bool:
        return asyncio.get_running_loop().time() > self._end


async def until(
    what: str, plan: ClusterPlan, deadline: Deadline, check: Callable[[], Awaitable[str]], watched: tuple[str, ...]
) -> None:
    """Poll `check` until it returns "", which is success; otherwise it says what it waits for. Raises ClusterError at the
    deadline, and at once when one of the processes `watched` keeps ending."""
    restarts_before = {name: state.restarts for name, state in processes.states(plan).items()}
    while True:
        reason = await check()
        if not reason:
            return
        for name, state in processes.states(plan).items():
            if name in watched and state.restarts - restarts_before.get(name, 0) >= TOO_MANY_RESTARTS:
                raise ClusterError(
                    f"{name} does not stay up ({state.last_exit}): see sampan logs {name} --name {plan.name}"
                    + _indented(last_lines(plan.log_dir / f"{name}.log"))
                )
        if deadline.passed:
            raise ClusterError(
                f"{what} within {deadline.seconds:.0f} s ({reason}): see sampan status and "
                f"sampan logs {watched[0]} --name {plan.name}, or allow more with --wait"
            )
        await asyncio.sleep(POLL_SECONDS)


def last_lines(file: Path, count: int = 3) -> list[str]:
    try:
        with open(file, errors="replace") as lines:
            return [line.rstrip() for line in deque(lines, count)]
    except FileNotFoundError:
        return []


def _indented(lines: list[str]) -> str:
    return "".join(f"\n    {line if len(line) <= LINE_LIMIT else '…' + line[-LINE_LIMIT:]}" for line in lines)


async def api_server(client: Client, plan: ClusterPlan, deadline: Deadline) -> None:
    async def check() -> str:
        try:
            answer = await client.transport.request("GET", "/readyz", deadline_seconds=5.0)
        except (OSError, TimeoutError) as error:
            return str(error) or "no answer"
        return "" if answer.status == 200 else f"/readyz says {answer.status}"

    await until("the API server did not answer", plan, deadline, check, ("apiserver",))


async def nodes(client: Client, plan: ClusterPlan, deadline: Deadline, ready: Callable[[NodePlan], None]) -> None:
    """Wait for each node; `ready` is told as each gets there."""
    waiting = {node.name: node for node in plan.nodes}

    async def check() -> str:
        try:
            listed = await client.list(Node)
        except (OSError, TimeoutError, StatusError) as error:
            return str(error)
        agents = processes.states(plan)
        for node in listed.items:
            agent = agents.get(f"agent-{node.metadata.name}")
            if node.metadata.name in waiting and agent and agent.running and is_ready(node, since=agent.started):
                ready(waiting.pop(node.metadata.name))
        there = {node.metadata.name: node for node in listed.items}
        return "; ".join(f"{name}: {_why_not(there.get(name))}" for name in waiting)

    watched = tuple(name for node in plan.nodes for name in (f"agent-{node.name}", f"containerd-{node.name}"))
    await until("the nodes did not become Ready", plan, deadline, check, watched)


def is_ready(node: Node, *, since: float) -> bool:
    """Whether the agent that was started at `since` has said so: what an earlier one said may not hold any more."""
    ready = _ready_condition(node)
    if ready is None or ready.status != "True" or not ready.lastHeartbeatTime:
        return False
    return parse_rfc3339(ready.lastHeartbeatTime) >= int(since)


def _ready_condition(node: Node) -> NodeCondition | None:
    return next((condition for condition in node.status.conditions if condition.type == "Ready"), None)


def _why_not(node: Node | None) -> str:
    if node is None:
        return "not registered"
    ready = _ready_condition(node)
    if ready is None:
        return "no status yet"
    return ready.message if ready.status != "True" else "its agent has only just started"


async def dns(plan: ClusterPlan, deadline: Deadline) -> None:
    """Ask each node's cluster DNS at its Service address, from within the node, for the API server."""
    name = f"kubernetes.default.svc.{CLUSTER_DOMAIN}"
    for node in plan.nodes:

        async def check(node: NodePlan = node) -> str:
            return "" if await resolves(node, CLUSTER_DNS, name) else f"no answer for {name} on {node.name}"

        await until("DNS did not answer", plan, deadline, check, (f"agent-{node.name}",))


async def resolves(node: NodePlan, server: str, name: str, *, timeout_seconds: float = 0.5) -> bool:
    """Whether the DNS server has an address for `name`, asked over UDP from the node's namespace."""
    try:
        probe = socket_in(node.netns_path)
    except OSError:
        return False
    identifier = secrets.token_bytes(2)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = identifier + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    loop = asyncio.get_running_loop()
    with probe:
        probe.setblocking(False)
        try:
            probe.connect((server, 53))
            async with asyncio.timeout(timeout_seconds):
                await loop.sock_sendall(probe, query)
                answer = await loop.sock_recv(probe, 4096)
        except (OSError, TimeoutError):
            return False
    flags, _, answers = struct.unpack("!HHH", answer[2:8])
    return answer[:2] == identifier and flags & 0xF == 0 and answers > 0


def socket_in(netns: Path) -> socket.socket:
    """A UDP socket of another network namespace. A socket belongs to the namespace its thread was in when making it, and a
    thread can move alone; this one ends there. Raises OSError."""
    made: list[socket.socket] = []
    failures: list[OSError] = []

    def make() -> None:
        try:
            descriptor = os.open(netns, os.O_RDONLY)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {netns}")
                made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            finally:
                os.close(descriptor)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=make, name=f"enter-{netns.name}")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return made[0]

"""How the server stands when it is full: 150,000 Pods, 5,000 Nodes, then single requests at a steady pace."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.report import Row
from bench.target import NAMESPACE, Target, resident_mib

if TYPE_CHECKING:
    from sampan.client.rest import Client

PODS, NODES = 150_000, 5_000
RATE, SECONDS = 1_000, 10
_CONNECTIONS = 64


def growth(pod: dict[str, Any], pods: int = PODS, nodes: int = NODES) -> list[Row]:
    """`pod` is the body of each; its name is put in."""
    target = Target()
    try:
        target.call(lambda client: fill(client, "/api/v1/nodes", {"metadata": {"name": ""}}, "node", nodes))
        before = resident_mib(target.server.pid)
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        target.call(lambda client: fill(client, path, pod, "full", pods))
        used = resident_mib(target.server.pid) - before
        filled = f"{pods:,} Pods, {nodes:,} Nodes"
        rows = [Row(f"memory per Pod ({filled})", used * 1024 / pods, "KiB", "≤ 6")]
        for verb in ("get", "create"):
            asked, p99_ms = _paced(target, path, verb, json.dumps(pod), pods)
            rows.append(Row(f"{verb} one Pod, {RATE:,}/s asked for ({filled})", asked, "/s", "p99 ≤ 10", p99_ms=p99_ms))
        return rows
    finally:
        target.close()


async def fill(client: Client, path: str, tree: dict[str, Any], prefix: str, count: int) -> None:
    """As many objects, made by several connections at once."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            named = {**tree, "metadata": {**tree["metadata"], "name": f"{prefix}-{number}"}}
            await client.request("POST", path, body=json.dumps(named).encode())

    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))


def _paced(target: Target, path: str, verb: str, body: str, pods: int) -> tuple[float, float]:
    """(requests a second, p99 in milliseconds) of a process that asks at a fixed pace, come what may."""
    command = [
        sys.executable, "-m", "bench.paced", "127.0.0.1", str(target.port), target.token, path, verb, body, str(pods),
        str(RATE), str(SECONDS),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 120, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    measured = json.loads(done.stdout)
    return float(measured["per_second"]), float(measured["p99_ms"])

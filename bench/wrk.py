"""Running `wrk`, and reading what it measured."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32

REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n@@{"requests":%d,"microseconds":%d,"bytes":%d,"errors":%d,"p99":%f}\\n',
    summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99)))
end
"""
COUNTED = """
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
local count = 0
request = function()
  count = count + 1
  return wrk.format(%(method)s, %(path)s, nil, (string.gsub(body, "@@", id .. "-" .. count)))
end
"""


@dataclass(frozen=True)
class Load:
    requests: int
    seconds: float
    bytes: int
    errors: int
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def mib_per_second(self) -> float:
        return self.bytes / self.seconds / (1 << 20)


def run(
    url: str,
    *,
    seconds: float,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: str = "",
    connections: int = CONNECTIONS,
) -> Load:
    """Load on one URL. In a body, "@@" becomes a number that differs from request to request. Raises where answers fail."""
    lines = [REPORT]
    lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in (headers or {}).items()]
    if body:
        path = "/" + url.split("/", 3)[3]
        lines.append(f"body = [==[{body}]==]")
        lines.append(COUNTED % {"method": json.dumps(method), "path": json.dumps(path)})
    with tempfile.TemporaryDirectory(prefix="sampan-bench-") as directory:
        script = Path(directory) / "load.lua"
        script.write_text("\n".join(lines))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if done.returncode or "@@" not in done.stdout:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    measured = json.loads(done.stdout.partition("@@")[2])
    load = Load(
        measured["requests"], measured["microseconds"] / 1e6, measured["bytes"], measured["errors"], measured["p99"] / 1000
    )  # fmt: skip
    if load.errors > load.requests // 1000:
        raise RuntimeError(f"{load.errors} of {load.requests} requests failed: {method} {url}")
    return load

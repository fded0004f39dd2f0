"""One try of a probe or of a hook's request: run a command, ask over HTTP, TCP or gRPC. Worded as the kubelet words it.

After k8s.io/kubernetes/pkg/probe.
"""

from __future__ import annotations

import asyncio
import enum
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from sampan import KUBERNETES_MAJOR, KUBERNETES_MINOR
from sampan.api.types.core_v1 import GRPCAction, HTTPGetAction, HTTPHeader, TCPSocketAction

from .labels import AnyContainer
from .runtime.base import Runtime, RuntimeFailure

MAX_BODY_BYTES = 10 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_REDIRECTS = 10


class Result(enum.Enum):
    SUCCESS = "Success"
    FAILURE = "Failure"
    UNKNOWN = "Unknown"
    """The try itself failed; it counts neither way."""


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Result
    output: str = ""


def port_of(port: int | str, container: AnyContainer) -> int:
    """A number, or the name of one of the container's ports. Raises ValueError."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for declared in container.ports:
        if declared.name == port:
            return declared.containerPort
    raise ValueError(f"couldn't find port: {port!r} in container {container.name}")


async def run_exec(runtime: Runtime, container_id: str, command: Sequence[str], timeout_seconds: int) -> Outcome:
    try:
        answer = await runtime.exec_sync(container_id, command, timeout_seconds)
    except RuntimeFailure as failure:
        if failure.code == "DeadlineExceeded":
            return Outcome(Result.FAILURE, f'command timed out: "{" ".join(command)}" timed out after {timeout_seconds}s')
        return Outcome(Result.UNKNOWN, str(failure))
    text = (answer.stdout + answer.stderr)[:MAX_BODY_BYTES].decode(errors="replace")
    return Outcome(Result.SUCCESS if answer.exit_code == 0 else Result.FAILURE, text)


async def run_tcp(action: TCPSocketAction, container: AnyContainer, ip: str, timeout_seconds: float) -> Outcome:
    try:
        port = port_of(action.port, container)
    except ValueError as error:
        return Outcome(Result.UNKNOWN, str(error))
    host = action.host or ip
    problem = await _try_connect(host, port, timeout_seconds)
    return Outcome(Result.FAILURE, problem) if problem else Outcome(Result.SUCCESS)


async def _try_connect(host: str, port: int, timeout_seconds: float) -> str:
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"dial tcp {_address(host, port)}: i/o timeout"
    except OSError as error:
        return _dial_problem(host, port, error)
    writer.close()
    return ""


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _dial_problem(host: str, port: int, error: OSError) -> str:
    words = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
    return f"dial tcp {_address(host, port)}: connect: {words}"


async def run_http(action: HTTPGetAction, container: AnyContainer, ip: str, timeout_seconds: float) -> Outcome:
    try:
        port = port_of(action.port, container)
    except ValueError as error:
        return Outcome(Result.UNKNOWN, str(error))
    scheme = (action.scheme or "HTTP").lower()
    path = action.path if action.path.startswith("/") else "/" + action.path
    url = f"{scheme}://{_address(action.host or ip, port)}{path}"
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _get(url, action.httpHeaders)
    except TimeoutError:
        detail = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(Result.FAILURE, f'Get "{url}": {detail}')


async def _get(url: str, headers: Sequence[HTTPHeader]) -> Outcome:
    first_host = urlsplit(url).hostname
    for _ in range(MAX_REDIRECTS):
        try:
            status, location = await _exchange(url, headers)
        except OSError as error:
            parts = urlsplit(url)
            return Outcome(Result.FAILURE, f'Get "{url}": {_dial_problem(parts.hostname or "", _port(url), error)}')
        except (ValueError, asyncio.IncompleteReadError):
            return Outcome(Result.FAILURE, f'Get "{url}": malformed HTTP response')
        if status in (301, 302, 303, 307, 308) and location:
            target = urljoin(url, location)
            if urlsplit(target).hostname != first_host:
                # A redirect to another host proves that this one answers.
                return Outcome(Result.SUCCESS, f"Probe terminated redirects, Response body: {location}")
            url = target
            continue
        if 200 <= status < 400:
            return Outcome(Result.SUCCESS)
        return Outcome(Result.FAILURE, f"HTTP probe failed with statuscode: {status}")
    return Outcome(Result.FAILURE, f'Get "{url}": stopped after {MAX_REDIRECTS} redirects')


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _request(url: str, headers: Sequence[HTTPHeader]) -> bytes:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = {h.name.lower(): h for h in headers}
    lines = [f"GET {target} HTTP/1.1"]
    host = given.pop("host", None)
    lines.append(f"Host: {host.value if host else parts.netloc}")
    if "user-agent" not in given:
        lines.append(f"User-Agent: kube-probe/{KUBERNETES_MAJOR}.{KUBERNETES_MINOR}")
    if "accept" not in given:
        lines.append("Accept: */*")
    lines.extend(f"{h.name}: {h.value}" for h in headers if h.name.lower() != "host")
    lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")


async def _exchange(url: str, headers: Sequence[HTTPHeader]) -> tuple[int, str]:
    """(status, Location). Raises OSError, ValueError."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname, _port(url), ssl=_unverified() if parts.scheme == "https" else None, limit=MAX_HEADER_BYTES
    )
    try:
        writer.write(_request(url, headers))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError(str(error)) from None
    finally:
        writer.close()
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        raise ValueError(lines[0])
    location = next((ln.partition(":")[2].strip() for ln in lines[1:] if ln.lower().startswith("location:")), "")
    return int(words[1]), location


def _unverified() -> ssl.SSLContext:
    """A probe asks whether something answers, not who it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_GRPC_STATUS = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


async def run_grpc(action: GRPCAction, ip: str, timeout_seconds: float) -> Outcome:
    """grpc.health.v1.Health/Check; its two messages are one field each, written by hand."""
    import grpc.aio

    address = _address(ip, action.port)
    name = action.service.encode()
    request = b"\x0a" + _varint(len(name)) + name if name else b""
    async with grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check", None, None)
        try:
            answer = await call(request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return Outcome(Result.FAILURE, "error: this server does not implement the grpc health protocol")
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                text = f'timeout: failed to connect service "{address}" within {timeout_seconds:g}s: context deadline exceeded'
                return Outcome(Result.FAILURE, text)
            return Outcome(Result.FAILURE, f"error: health rpc probe failed: {error.details()}")
    status = bytes(answer)[1] if len(bytes(answer)) >= 2 else 0
    if status == 1:
        return Outcome(Result.SUCCESS, "service healthy")
    shown = _GRPC_STATUS[status] if status < len(_GRPC_STATUS) else str(status)
    return Outcome(Result.FAILURE, f'service unhealthy (responded with "{shown}")')


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)

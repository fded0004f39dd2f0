"""The words of HTTP/1.1 messages: targets, header names and lines, reasons, and the server's own `metav1.Status` bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from sampan.lib.http import Peer, Request, Response
from sampan.lib.remember import LONGEST

_METHODS = {name.encode(): name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")}

REASONS = {
    100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    206: "Partial Content", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 307: "Temporary Redirect",
    308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
    412: "Precondition Failed", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable", 417: "Expectation Failed", 422: "Unprocessable Entity", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip


class Limits(NamedTuple):
    body_bytes: int
    header_bytes: int


class Waiting(NamedTuple):
    """A request that waits for the answers before it."""

    request: Request
    keep_alive: bool


NAMES: dict[bytes, str] = {}
"""Header names seen, as they came → lower case."""


HOSTS: set[str | None] = set()
"""Good values of Host that were seen."""
_host = re.compile(r"[A-Za-z0-9!$%&()*+,.:;=\[\]_~'-]*").fullmatch


def host_refusal(host: str | None, repeated: Mapping[str, list[str]], version: str) -> tuple[int, str] | None:
    """What is wrong with a request's version or its Host, as net/http sees it: status and text. A good host is learnt."""
    if version == "0.9":  # there is none in the request
        return 400, "400 Bad Request"
    if not version.startswith("1."):
        return 505, "505 HTTP Version Not Supported: unsupported protocol version"
    if host is None:
        return None if version == "1.0" else (400, "400 Bad Request: missing required Host header")
    if "host" in repeated:
        return 400, "400 Bad Request"
    if not _host(host):
        return 400, "400 Bad Request: malformed Host header"
    if len(HOSTS) < 512 and len(host) <= LONGEST:
        HOSTS.add(host)
    return None


def header_name(raw: bytes) -> str:
    """The lower-case name; learnt, so that `NAMES` answers the next time."""
    name = raw.decode("latin-1").lower()
    if len(NAMES) < 512 and len(raw) <= LONGEST:  # clients choose these: learn only so many
        NAMES[raw] = name
    return name


def read_request(method: bytes, url: bytes, headers: dict[str, str], body: bytes, peer: Peer) -> Request:
    """Raises ValueError for a target that is none. The parser knows all methods that have an RFC, and no other comes here."""
    name = _METHODS.get(method) or method.decode()
    raw, _, query = url.decode().partition("?")
    if not raw.startswith("/"):
        raw = _path_of(raw, name)
    if "#" in query or "#" in raw:
        raw, query = raw.partition("#")[0], query.partition("#")[0]
    path = _decode_path(raw) if "%" in raw else raw
    return Request(name, path, query, headers, body, peer, raw)


def _path_of(target: str, method: str) -> str:
    if target == "*" and method == "OPTIONS":
        return target
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise ValueError("no path")
    return "/" + rest.partition("/")[2]


def _decode_path(raw: str) -> str:
    path = unquote_to_bytes(raw)
    # Every valid escape takes two characters away; one that stayed was none.
    if len(raw.encode()) - len(path) != 2 * raw.count("%"):
        raise ValueError("invalid escape in the path")
    return path.decode()


def header_lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        raise ValueError("line break in a header")
    return text.encode()


def uncommon(response: Response, head: bytes, *, is_head: bool, keep_alive: bool) -> bytes:
    """An answer that is more than `head`, its length and its body. Raises ValueError."""
    extra = header_lines(response.headers)
    if not keep_alive:
        extra += b"Connection: close\r\n"
    body = response.body
    if response.status in (204, 304):
        return b"%b\r\n%b\r\n" % (head.rpartition(b"\r\n")[0], extra)
    return b"%b%d\r\n%b\r\n%b" % (head, len(body), extra, b"" if is_head else body)


def status_body(code: int, reason: str, message: str) -> bytes:
    fields = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason}
    return json.dumps({**fields, "code": code}, separators=(",", ":")).encode()

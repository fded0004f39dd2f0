"""HTTP as handlers see it: a `Request` in, a `Response`, `Stream` or `Upgrade` out. Connections are in `httpserver.py`.

A handler is a plain callable. It may answer at once or with an awaitable; answering at once costs no task, which is what
keeps a GET from the watch cache cheap:

    def handler(request: Request) -> Answer | Awaitable[Answer]: ...

A filter is a function from handler to handler.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from asyncio import Task

    from sampan.lib.httpbody import IncomingBody

JSON_TYPE = "application/json"
_NO_HEADERS: Mapping[str, list[str]] = {}


class Query(dict[str, str]):
    """A query's parameters; of a repeated one, the first."""

    __slots__ = ("_pairs",)

    def __init__(self, text: str) -> None:
        self._pairs = parse_qsl(text, keep_blank_values=True)
        super().__init__(reversed(self._pairs))

    def every(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value for key, value in self._pairs if key == name]


class Request:
    """One request. `path` is percent-decoded, `query` raw; header names are lower case; `body` is whole.

    Unless `incoming` is there, from which it is then to be read.
    """

    __slots__ = (
        "answer_headers", "attributes", "body", "headers", "incoming", "method", "path", "peer", "query", "raw_path",
        "received", "repeated_headers", "user",
    )  # fmt: skip

    def __init__(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, peer: Peer, raw_path: str = ""
    ) -> None:
        self.method = method
        self.path = path
        self.raw_path = raw_path or path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer
        self.incoming: IncomingBody | None = None
        self.repeated_headers: Mapping[str, list[str]] = _NO_HEADERS
        """The values of headers that came more than once; in `headers` they are joined with ", "."""
        self.received: float = 0.0
        """Monotonic seconds when the last byte of the request came, or of its head if its body is incoming."""
        self.user: Any = None
        """Set by authentication."""
        self.answer_headers: tuple[tuple[str, str], ...] = ()
        """What filters want to stand in the head of any answer to it, a refusal included."""
        self.attributes: Any = None
        """Set by routing: verb, group, resource and so on."""

    def parameters(self) -> Query:
        return Query(self.query)

    def header_values(self, name: str) -> list[str]:
        """Every value of a header that may be sent several times, such as "impersonate-group"."""
        values = self.repeated_headers.get(name)
        if values is not None:
            return values
        value = self.headers.get(name)
        return [] if value is None else [value]

    def repeated(self, name: str) -> list[str]:
        return self.parameters().every(name)


class Peer:
    """The other end of a connection; one object for the connection's life, so it can carry what was learnt of it."""

    __slots__ = ("address", "certificate", "dependents", "identity")

    def __init__(self, address: str, certificate: bytes | None) -> None:
        self.address = address
        self.certificate = certificate
        """DER of the verified client certificate, None where none was shown."""
        self.identity: Any = None
        """For authentication to remember who the certificate is."""
        self.dependents: set[Task[Any]] = set()
        """What is cancelled when the connection is lost: work that nobody else has a use for."""


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


class Sink(Protocol):
    """Where a stream writes. `write` never blocks; `drain` waits while the peer reads slower than we write."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    @property
    def buffered_bytes(self) -> int:
        """What was written and the peer has not taken."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the peer went away."""
        ...


@dataclass(slots=True)
class Stream:
    """An answer in pieces. `produce` writes until it returns; it is cancelled when the peer goes away.

    It is run in any case, if only to be cancelled at its first wait, so what the handler opened for it is closed in it.
    """

    produce: Callable[[Sink], Awaitable[None]]
    status: int = 200
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """Where it is known before, the answer says it and is not chunked."""
    whole: bool = False
    """Whether its end says something, so that it is waited for when the server drains, rather than ended as if it were over."""


class Duplex(Protocol):
    """A connection after an upgrade: raw bytes both ways."""

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Upgrade:
    """101 Switching Protocols; then `run` owns the connection, which closes when it returns."""

    run: Callable[[Duplex], Awaitable[None]]
    headers: tuple[tuple[str, str], ...]
    """Including Upgrade and Connection."""


Answer = Response | Stream | Upgrade
Handler = Callable[[Request], "Answer | Awaitable[Answer]"]
Filter = Callable[[Handler], Handler]
Chunks = AsyncIterator[bytes]

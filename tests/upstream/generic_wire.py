"""One side of a comparison: sends requests over HTTP/1.1, waits for what takes effect later, and records every answer."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from sampan.client.config import ClientConfig
from tests.upstream.generic_server import wait_until

Tree = dict[str, Any]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JSON, YAML = "application/json", "application/yaml"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"

_own = re.compile(r"(?<=resourceVersion)=\d+|(?<=hash)=[0-9A-F]+|(?<=continue)=[\w%-]+")
"""What of a request differs with the server: its revisions."""


@dataclass(frozen=True)
class Reply:
    """`what`: the request in words, by which both sides' replies are held against each other."""

    what: str
    status: int
    headers: Mapping[str, list[str]]
    """Names in lower case."""
    body: bytes
    tree: Any
    """None where the body is not JSON; of a watch, the list of its events."""

    def __getitem__(self, key: str) -> Any:
        return self.tree[key]

    @property
    def revision(self) -> str:
        return str(self.tree["metadata"]["resourceVersion"])


@dataclass
class Side:
    """A server as one client sees it."""

    config: ClientConfig
    compact: Callable[[], None]
    """Makes the store forget what was."""
    replies: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tls = _context(self.config)
        self._connection = self._connect()

    def close(self) -> None:
        self._connection.close()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = JSON,
        headers: Mapping[str, str] | None = None,
        note: str = "",
        **query: Any,
    ) -> Reply:
        """Recorded. `body`: a tree, or text or bytes to be sent as they are; `query` may hold lists."""
        reply = self.ask(method, path, body, kind=kind, headers=headers, note=note, **query)
        self.replies.append(reply)
        return reply

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = JSON,
        headers: Mapping[str, str] | None = None,
        note: str = "",
        **query: Any,
    ) -> Reply:
        """As `send`, unrecorded."""
        target = path + (("&" if "?" in path else "?") + urlencode(query, doseq=True) if query else "")
        raw = _raw(body)
        sent = {"User-Agent": "compare/1", "Accept": JSON, **({"Content-Type": kind} if raw is not None and kind else {})}
        sent = {name: value for name, value in (sent | dict(headers or {})).items() if value is not None}
        try:
            answer = self._exchange(method, target, raw, sent)
        except (http.client.HTTPException, ConnectionError):
            answer = self._exchange_anew(method, target, raw, sent)
        status, found, content = answer
        if found.get("content-encoding") == ["gzip"]:
            content = gzip.decompress(content)
        what = " ".join(part for part in (note, method, _own.sub("=…", target)) if part)
        return Reply(what, status, found, content, _tree(content))

    def get(self, path: str, **options: Any) -> Reply:
        return self.send("GET", path, **options)

    def create(self, path: str, tree: Any, **options: Any) -> Reply:
        return self.send("POST", path, tree, **options)

    def update(self, path: str, tree: Any, **options: Any) -> Reply:
        return self.send("PUT", path, tree, **options)

    def patch(self, path: str, patch: Any, kind: str = MERGE, **options: Any) -> Reply:
        return self.send("PATCH", path, patch, kind=kind, **options)

    def apply(self, path: str, tree: Any, manager: str = "one", **options: Any) -> Reply:
        named: dict[str, Any] = {"fieldManager": manager} if manager else {}
        return self.send("PATCH", path, tree, kind=APPLY, **named, **options)

    def delete(self, path: str, options_body: Any = None, **options: Any) -> Reply:
        return self.send("DELETE", path, options_body, **options)

    def watch(self, path: str, *, note: str = "", headers: Mapping[str, str] | None = None, **query: Any) -> Reply:
        """A watch to its end, which timeoutSeconds (1 unless given) brings; recorded as the list of its events."""
        query = {"watch": "true", "timeoutSeconds": "1", **query}
        reply = self.ask("GET", path, note=note, headers=headers, **query)
        if reply.status == 200:
            events = [json.loads(line) for line in reply.body.splitlines() if line]
            # Bookmarks come when they come, but for the one that says something.
            events = [event for event in events if event.get("type") != "BOOKMARK" or "annotations" in str(event)]
            reply = Reply(reply.what, reply.status, reply.headers, reply.body, events)
        self.replies.append(reply)
        return reply

    def define(self, tree: Tree) -> str:
        """Make the definition, wait until it is served; the path of its objects in namespace default. Not recorded."""
        made = self.ask("POST", DEFINITIONS, tree)
        assert made.status == 201, made.body
        return self.served(tree)

    def served(self, tree: Tree) -> str:
        spec = tree["spec"]
        name = tree["metadata"]["name"]
        wait_until(f"{name} is established", lambda: _is_true(self.ask("GET", f"{DEFINITIONS}/{name}").tree, "Established"))
        for version in [v["name"] for v in spec["versions"] if v["served"]]:
            path = collection(tree, version)
            wait_until(f"{path} is served", lambda path=path: self.ask("GET", path).status == 200)
        return collection(tree, next(v["name"] for v in spec["versions"] if v["served"]))

    def settle(self, path: str, refused: Tree) -> None:
        """Until a changed definition refuses what the former one did not."""
        wait_until("the changed schema is in force", lambda: self.ask("POST", path, refused, dryRun="All").status == 422)

    def effective(self, path: str, probe: Tree) -> None:
        """Until a policy refuses, or warns of, what it is asked to."""

        def is_noticed() -> bool:
            reply = self.ask("POST", path, probe, dryRun="All")
            return reply.status != 201 or "warning" in reply.headers

        wait_until("the policy is in force", is_noticed)

    def gone(self, path: str) -> None:
        wait_until(f"{path} is gone", lambda: self.ask("GET", path).status == 404)

    def note(self, what: str, tree: Any) -> None:
        """Record what was found in some other way than by an answer as a whole."""
        self.replies.append(Reply(what, 0, {}, b"", tree))

    def await_document(self, name: str) -> Tree:
        """The index of OpenAPI documents, once it has this one."""
        wait_until(f"{name} is published", lambda: name in self.ask("GET", "/openapi/v3")["paths"])
        index: Tree = self.ask("GET", "/openapi/v3").tree
        return index

    def until(self, path: str, holds: Callable[[Reply], bool], **options: Any) -> Reply:
        """Look at `path` until `holds`; the last look is recorded."""
        found: list[Reply] = []

        def look() -> bool:
            found[:] = [self.ask("GET", path, **options)]
            return holds(found[0])

        wait_until(f"{path} is as expected", look)
        self.replies.append(found[0])
        return found[0]

    def _connect(self) -> http.client.HTTPSConnection:
        parts = urlsplit(self.config.server)
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, context=self._tls, timeout=30)

    def _exchange_anew(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, list[str]], bytes]:
        """On another connection, as the last may have been closed; status 0 where the server has no answer to this."""
        self._connection.close()
        self._connection = self._connect()
        try:
            return self._exchange(method, target, body, headers)
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()
            self._connection = self._connect()
            return 0, {}, b""

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, list[str]], bytes]:
        self._connection.request(method, target, body, dict(headers))
        answer = self._connection.getresponse()
        content = answer.read()
        found: dict[str, list[str]] = {}
        for name, value in answer.getheaders():
            found.setdefault(name.lower(), []).append(value)
        return answer.status, found, content


def collection(definition: Tree, version: str, namespace: str = "default") -> str:
    spec = definition["spec"]
    place = f"/namespaces/{namespace}" if spec["scope"] == "Namespaced" and namespace else ""
    return f"/apis/{spec['group']}/{version}{place}/{spec['names']['plural']}"


def _is_true(tree: Tree, condition: str) -> bool:
    return any(c["type"] == condition and c["status"] == "True" for c in tree.get("status", {}).get("conditions") or ())


def _raw(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _tree(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _context(config: ClientConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=config.ca_pem.decode())
    with tempfile.NamedTemporaryFile() as chain:
        chain.write(config.cert_pem + config.key_pem)
        chain.flush()
        context.load_cert_chain(chain.name)
    return context


def pairs(first: list[Reply], second: list[Reply]) -> Iterator[tuple[Reply, Reply]]:
    assert [reply.what for reply in first] == [reply.what for reply in second]
    return zip(first, second, strict=True)

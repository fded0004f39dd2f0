"""Counts and times requests under upstream's metric names."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter
from typing import Any

from sampan.api.scheme import Scheme
from sampan.apiserver.filters.boundary import ANSWERS, refusal
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Answer, Filter, Handler, Request, Response, Stream
from sampan.lib.metrics import Counter, Gauge, Histogram, Tally

_LABELS = ("verb", "group", "version", "resource", "subresource", "scope")
_BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_SUBRESOURCES = frozenset(
    ("approval", "attach", "binding", "ephemeralcontainers", "eviction", "exec", "finalize", "log", "portforward", "proxy",
     "resize", "scale", "status", "token")
)  # fmt: skip
_READING = frozenset(("GET", "LIST", "WATCH"))

REQUESTS = Counter(
    "apiserver_request_total",
    "Requests by verb, group, version, resource, scope and HTTP response code.",
    (*_LABELS, "dry_run", "code"),
)
DURATION = Histogram(
    "apiserver_request_duration_seconds", "Response latency in seconds.", (*_LABELS, "dry_run"), buckets=_BUCKETS
)
RUNNING = Gauge("apiserver_current_inflight_requests", "Requests that are being answered.", ("request_kind",))
WATCHES = Gauge("apiserver_longrunning_requests", "Watches and other long answers.", _LABELS)

_TALLIES = {kind: Tally() for kind in ("mutating", "readOnly")}
for _kind, _tally in _TALLIES.items():
    RUNNING.labels(_kind).set_function(_tally.read)

_Key = tuple[str, str, str, str, str, str]


class _Children:
    """Metrics of one kind of request, looked up once: labels() costs more than the rest of a GET's accounting."""

    def __init__(self, key: _Key) -> None:
        self._key = key
        self._codes: dict[int, Any] = {}
        self.observe = DURATION.labels(*key, "").observe
        self.running = _TALLIES["readOnly" if key[0] in _READING else "mutating"]

    def done(self, code: int, started: float) -> None:
        count = self._codes.get(code)
        if count is None:
            count = self._codes[code] = REQUESTS.labels(*self._key, "", str(code)).inc
        count()
        self.observe(perf_counter() - started)


_VERBS = {"get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH",
          "delete": "DELETE", "deletecollection": "DELETECOLLECTION"}  # fmt: skip


def _key(info: RequestInfo) -> _Key:
    if not info.is_resource:
        return (info.verb.upper(), "", "", "", "", "")
    # A create is of one object, though its path names none.
    one = len(info.parts) > 1 or info.verb == "create"
    scope = "resource" if one else "namespace" if info.namespace else "cluster"
    verb = _VERBS.get(info.verb, "other")
    return (verb, info.group, info.version, info.resource, info.subresource, scope)


def measure(scheme: Scheme) -> Filter:
    """Only resources of the scheme get labels of their own: anybody can ask for any number of others, and labels last."""
    children: dict[_Key, _Children] = {}

    def begin(info: RequestInfo) -> tuple[_Key, _Children]:
        key = _key(info)
        found = children.get(key)
        if found is None:
            if info.is_resource and not _exists(scheme, info):
                key = (key[0], "", "", "", "", "")
            found = children.setdefault(key, _Children(key))
        return key, found

    def install(inner: Handler) -> Handler:
        def handle(request: Request) -> Answer | Awaitable[Answer]:
            started = perf_counter()
            key, found = begin(request.attributes)
            try:
                answer = inner(request)
            except Exception as error:
                found.done(refusal(error).code, started)
                raise
            if type(answer) is Response:
                found.done(answer.status, started)
                return answer
            if isinstance(answer, Stream):
                return _long(answer, key, found, started)
            return answer if isinstance(answer, ANSWERS) else _later(answer, key, found, started)

        return handle

    return install


def _exists(scheme: Scheme, info: RequestInfo) -> bool:
    resource = scheme.resource(info.group, info.version, info.resource)
    return resource is not None and (not info.subresource or info.subresource in _SUBRESOURCES)


async def _later(answer: Awaitable[Answer], key: _Key, found: _Children, started: float) -> Answer:
    found.running.value += 1
    try:
        result = await answer
    except Exception as error:
        found.done(refusal(error).code, started)
        raise
    finally:
        found.running.value -= 1
    if isinstance(result, Response):
        found.done(result.status, started)
    elif isinstance(result, Stream):
        return _long(result, key, found, started)
    return result


def _long(stream: Stream, key: _Key, found: _Children, started: float) -> Stream:
    if key[0] != "WATCH":
        found.done(stream.status, started)
        return stream
    produce, status = stream.produce, stream.status
    gauge = WATCHES.labels(*key)

    async def counted(sink: Any) -> None:
        gauge.inc()
        try:
            await produce(sink)
        finally:
            gauge.dec()
            found.done(status, started)

    stream.produce = counted
    return stream

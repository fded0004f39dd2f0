"""Every request that is not long takes seats of its priority level, waits for them in its flow's queue, or is sent away.

A watch has its seat until it begins. A request that is answered at once, from a cache, has no time in which another could
find the seats taken; it only queues up where others wait already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine

from sampan.apiserver.answers import text_answer
from sampan.apiserver.fairness.controller import Fairness
from sampan.apiserver.fairness.dropped import RetryAfter
from sampan.apiserver.fairness.matching import Flow
from sampan.apiserver.fairness.queues import Dropped, Level, Seat
from sampan.apiserver.filters.boundary import ANSWERS
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.clock import Clock
from sampan.lib.http import Answer, Filter, Handler, Request
from sampan.lib.metrics import Counter, Gauge, Tally

_LONG_SUBRESOURCES = frozenset(("attach", "exec", "log", "portforward", "proxy"))
_OBJECTS_PER_SEAT = 100
_TOO_MANY = "Too many requests, please try again later."

_LABELS = ("flow_schema", "priority_level")
DISPATCHED = Counter(
    "apiserver_flowcontrol_dispatched_requests_total", "Requests that were let through, by flow schema.", _LABELS
)
REJECTED = Counter(
    "apiserver_flowcontrol_rejected_requests_total", "Requests that were sent away, and why.", (*_LABELS, "reason")
)
WAITING = Gauge("apiserver_flowcontrol_current_inqueue_requests", "Requests that wait for their turn.", _LABELS)
EXECUTING = Gauge("apiserver_flowcontrol_current_executing_requests", "Requests that have seats.", _LABELS)

_tallies: dict[tuple[str, str], Tally] = {}

Count = Callable[[str, str], int]
"""(group, resource) → how many objects there are."""


def _executing(schema: str, level: str) -> Tally:
    found = _tallies.get((schema, level))
    if found is None:
        found = _tallies[schema, level] = Tally()
        EXECUTING.labels(schema, level).set_function(found.read)
    return found


class _Flowing:
    """What is kept of one FlowSchema's requests: its metrics, looked up once, and the headers of their answers."""

    def __init__(self, flow: Flow, level: Level) -> None:
        self.uid = flow.schema_uid
        self.level = level
        self.level_headers = level.headers
        self.headers = (("X-Kubernetes-PF-FlowSchema-UID", flow.schema_uid), *level.headers)
        self.dispatched = DISPATCHED.labels(flow.schema, flow.level).inc
        self.waiting = WAITING.labels(flow.schema, flow.level)
        self.executing = _executing(flow.schema, flow.level)


class _Fair:
    """The filter's state."""

    def __init__(self, fairness: Fairness, count: Count, clock: Clock, wait_seconds: float) -> None:
        self._fairness = fairness
        self._count = count
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._flowing: dict[str, _Flowing] = {}
        self._retries: dict[str, RetryAfter] = {}

    def flowing(self, flow: Flow) -> _Flowing:
        level = self._fairness.levels[flow.level]
        found = self._flowing.get(flow.schema)
        if (
            found is None
            or found.level is not level
            or found.uid != flow.schema_uid
            or found.level_headers is not level.headers
        ):
            found = self._flowing[flow.schema] = _Flowing(flow, level)
        return found

    def handle(self, request: Request, inner: Handler) -> Answer | Awaitable[Answer]:
        info: RequestInfo = request.attributes
        if info.subresource in _LONG_SUBRESOURCES or info.verb == "proxy":
            return inner(request)
        flow = self._fairness.flow_of(request.user, info)
        flowing = self.flowing(flow)
        request.answer_headers += flowing.headers
        level = flowing.level
        seats = self._seats(info, level) if info.verb == "list" else 1
        if not level.is_free(seats):
            return self._queued(request, inner, flow, flowing, seats)
        answer = inner(request)
        if isinstance(answer, ANSWERS):
            flowing.dispatched()
            return answer
        return self._seated(answer, flow, flowing, seats)

    def _seats(self, info: RequestInfo, level: Level) -> int:
        """A list costs by what it may have to show."""
        if level.exempt or info.name:
            return 1
        return max(1, min(level.max_seats, -(-self._count(info.group, info.resource) // _OBJECTS_PER_SEAT)))

    async def _queued(self, request: Request, inner: Handler, flow: Flow, flowing: _Flowing, seats: int) -> Answer:
        try:
            seat = await self._turn(flow, flowing, seats)
        except Dropped as dropped:
            return self._refuse(flow, dropped.reason)
        try:
            answer = inner(request)
            return answer if isinstance(answer, ANSWERS) else await answer
        finally:
            self._done(flowing, seat)

    async def _seated(self, answer: Awaitable[Answer], flow: Flow, flowing: _Flowing, seats: int) -> Answer:
        """The seat is taken here, where nothing can come between it and its return; it may be gone since it was seen free."""
        try:
            seat = await self._turn(flow, flowing, seats)
        except BaseException as error:
            if isinstance(answer, Coroutine):
                answer.close()
            if isinstance(error, Dropped):
                return self._refuse(flow, error.reason)
            raise
        try:
            return await answer
        finally:
            self._done(flowing, seat)

    async def _turn(self, flow: Flow, flowing: _Flowing, seats: int) -> Seat:
        level = flowing.level
        if level.is_free(seats):
            seat = level.enter(seats)
        else:
            flowing.waiting.inc()
            try:
                seat = await level.wait(flow.entropy, seats, self._wait_seconds)
            finally:
                flowing.waiting.dec()
        flowing.dispatched()
        flowing.executing.value += 1
        return seat

    def _done(self, flowing: _Flowing, seat: Seat) -> None:
        flowing.executing.value -= 1
        flowing.level.leave(seat)

    def _refuse(self, flow: Flow, reason: str) -> Answer:
        REJECTED.labels(flow.schema, flow.level, reason).inc()
        retry = self._retries.setdefault(flow.level, RetryAfter())
        retry.note(int(self._clock.now()))
        answer = text_answer(_TOO_MANY + "\n", 429)
        answer.headers += (("Retry-After", str(retry.seconds)),)
        return answer


def fairness(state: Fairness, count: Count, clock: Clock, wait_seconds: float) -> Filter:
    """`wait_seconds` is how long a request may stand in a queue."""
    fair = _Fair(state, count, clock, wait_seconds)

    def install(inner: Handler) -> Handler:
        return lambda request: fair.handle(request, inner)

    return install

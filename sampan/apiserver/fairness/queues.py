"""A priority level at work: its seats, its queues, and whose request gets the next free seat.

A request takes one seat or several from its beginning to its end. Where none is free it joins the shortest of the few queues
its flow was dealt (shuffle sharding: a flow that floods its queues shares hardly any two of them with another flow). Seats go
to the queues by start-time fair queuing (Goyal et al., 1996): each queue has a tag that grows by the seat-seconds its requests
use, and the smallest tag is next, so that queues with work get equal shares however long their requests take.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from sampan.api.resource import Tree
from sampan.lib.clock import Clock

_LEAST_SECONDS = 0.003
"""What a request is charged as it begins; what it needs beyond that, when it ends."""

QUEUE_FULL: Final = "queue-full"
NO_SEAT: Final = "concurrency-limit"
WAITED_TOO_LONG: Final = "time-out"


class Dropped(Exception):
    """The request does not get its turn; `reason` is the label of upstream's metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Queue:
    __slots__ = ("seats", "tag", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.tag = 0.0
        self.seats = 0
        """That its waiting requests want."""


class _Waiting:
    __slots__ = ("queue", "seats", "turn")

    def __init__(self, queue: _Queue, seats: int, turn: asyncio.Future[None]) -> None:
        self.queue = queue
        self.seats = seats
        self.turn = turn


class Seat:
    """What a request has while it runs; `Level.leave` takes it back."""

    __slots__ = ("began", "queue", "seats")

    def __init__(self, seats: int, began: float, queue: _Queue | None) -> None:
        self.seats = seats
        self.began = began
        self.queue = queue


class Level:
    """One priority level. `limit` is how many seats it has now; an exempt level has as many as are wanted."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.exempt = False
        self.limit = 1
        self.in_use = 0
        self.waiting = 0
        self.most = 0
        """The most seats wanted at once since `demand` was last asked for."""
        self.max_seats = 1
        """The most that one request may take."""
        self.headers: tuple[tuple[str, str], ...] = ()
        self._clock = clock
        self._queues: list[_Queue] = []
        self._busy: dict[_Queue, None] = {}
        self._hand_size = 0
        self._length_limit = 0
        self._wanted_waiting = 0
        self._now_tag = 0.0

    def configure(self, spec: Tree) -> None:
        """Take over the spec of a PriorityLevelConfiguration; those who wait go on waiting."""
        self.exempt = spec["type"] == "Exempt"
        queuing = ((spec.get("limited") or {}).get("limitResponse") or {}).get("queuing")
        count, self._hand_size, self._length_limit = 0, 0, 0
        if queuing is not None:
            count, self._hand_size = queuing["queues"], queuing["handSize"]
            self._length_limit = queuing["queueLengthLimit"]
        if count != len(self._queues):  # queues that are no more are still served while they are busy
            self._queues = [_Queue() for _ in range(count)]

    def resize(self, limit: int) -> None:
        self.limit = limit
        self._hand_out()

    def demand(self) -> int:
        """The most seats that were wanted at once since the last call."""
        most, self.most = self.most, self.in_use + self._wanted_waiting
        return most

    def is_free(self, seats: int) -> bool:
        """Whether a request can begin without waiting."""
        return self.exempt or (not self.waiting and (self.in_use + seats <= self.limit or not self.in_use))

    def enter(self, seats: int, queue: _Queue | None = None) -> Seat:
        """Begin; `is_free` said yes, or the queue's turn has come."""
        self.in_use += seats
        self._note_demand()
        return Seat(seats, self._clock.monotonic(), queue)

    def leave(self, seat: Seat) -> None:
        self.in_use -= seat.seats
        if seat.queue is not None:
            used = self._clock.monotonic() - seat.began
            seat.queue.tag += seat.seats * max(0.0, used - _LEAST_SECONDS)
        if self.waiting:
            self._hand_out()

    async def wait(self, entropy: int, seats: int, limit_seconds: float) -> Seat:
        """Queue up for a seat. Raises Dropped."""
        if not self._queues:
            raise Dropped(NO_SEAT)
        queue = self._shortest(entropy)
        if len(queue.waiting) >= self._length_limit:
            raise Dropped(QUEUE_FULL)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(queue, seats, turn)
        self._join(waiting)
        try:
            # The loop's own timer, as the limit of a request's whole time: it guards the machine.
            async with asyncio.timeout(limit_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # its turn came while it was giving up
                self.leave(Seat(seats, self._clock.monotonic(), queue))
            else:
                self._give_up(waiting)
            if isinstance(error, TimeoutError):
                raise Dropped(WAITED_TOO_LONG) from None
            raise
        return Seat(seats, self._clock.monotonic(), queue)

    def _shortest(self, entropy: int) -> _Queue:
        """Of the queues dealt by `entropy`, as from a deck of cards without putting back, the one with the least in it."""
        deck = list(range(len(self._queues)))
        hand: list[_Queue] = []
        for _ in range(min(self._hand_size, len(deck))):
            entropy, card = divmod(entropy, len(deck))
            hand.append(self._queues[deck.pop(card)])
        return min(hand, key=lambda queue: queue.seats)

    def _join(self, waiting: _Waiting) -> None:
        queue = waiting.queue
        if not queue.waiting:
            queue.tag = max(queue.tag, self._now_tag)
            self._busy[queue] = None
        queue.waiting.append(waiting)
        queue.seats += waiting.seats
        self.waiting += 1
        self._wanted_waiting += waiting.seats
        self._note_demand()

    def _give_up(self, waiting: _Waiting) -> None:
        waiting.queue.waiting.remove(waiting)
        self._left_queue(waiting)
        self._hand_out()

    def _left_queue(self, waiting: _Waiting) -> None:
        queue = waiting.queue
        queue.seats -= waiting.seats
        self.waiting -= 1
        self._wanted_waiting -= waiting.seats
        if not queue.waiting:
            self._busy.pop(queue, None)

    def _hand_out(self) -> None:
        while self._busy:
            queue = min(self._busy, key=lambda busy: busy.tag)
            waiting = queue.waiting[0]
            if not self.exempt and self.in_use and self.in_use + waiting.seats > self.limit:
                return
            queue.waiting.popleft()
            self._left_queue(waiting)
            self._now_tag = queue.tag
            queue.tag += waiting.seats * _LEAST_SECONDS
            self.in_use += waiting.seats
            self._note_demand()
            waiting.turn.set_result(None)

    def _note_demand(self) -> None:
        wanted = self.in_use + self._wanted_waiting
        if wanted > self.most:
            self.most = wanted

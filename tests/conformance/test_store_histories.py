"""Random histories: whatever is written, by however many at once, the store answers as one sequential map would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sampan.lib.clock import ManualClock
from sampan.store.base import Conflict, Entry, Event, KeyExists, Store
from tests.conformance.conftest import OnStore

KEYS = st.sampled_from(["/a/1", "/a/2", "/a/20", "/a0", "/b/1"])


@dataclass(frozen=True)
class Step:
    verb: str
    key: str
    value: bytes
    behind: int
    """How far the revision it expects lies behind the one its key stood at when the round began."""


STEPS = st.builds(
    Step, st.sampled_from(["create", "update", "update", "delete"]), KEYS, st.binary(max_size=8), st.integers(0, 2)
)
HISTORIES = st.lists(st.lists(STEPS, min_size=1, max_size=6), min_size=1, max_size=12)
"""Rounds; the steps of one round run at once."""


@dataclass(frozen=True)
class Outcome:
    step: Step
    expected: int
    revision: int
    """0: refused."""


def call(store: Store, step: Step, expected: int) -> Awaitable[int]:
    if step.verb == "create":
        return store.create(step.key, step.value)
    if step.verb == "update":
        return store.update(step.key, step.value, expected)
    return store.delete(step.key, expected)


class Model:
    """The map the contract describes, and each of its past states."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.held: dict[str, Entry] = {}
        self.states: dict[int, dict[str, Entry]] = {revision: {}}
        self.events: list[Event] = []

    def apply(self, outcome: Outcome) -> None:
        step, current = outcome.step, self.held.get(outcome.step.key)
        self.revision += 1
        assert outcome.revision == self.revision
        if step.verb == "create":
            assert current is None
        else:
            assert current is not None
            assert current.revision == outcome.expected
        created = current.create_revision if current else self.revision
        value = None if step.verb == "delete" else step.value
        self.events.append(Event(step.key, self.revision, value, created, current))
        self.held = {key: entry for key, entry in self.held.items() if key != step.key}
        if value is not None:
            self.held[step.key] = Entry(step.key, value, self.revision, created)
        self.states[self.revision] = self.held

    def refuses(self, outcome: Outcome, revisions: range) -> bool:
        """Whether at some moment among `revisions` the step had to be refused."""
        for revision in revisions:
            current = self.states[revision].get(outcome.step.key)
            if outcome.step.verb == "create":
                if current is not None:
                    return True
            elif current is None or current.revision != outcome.expected:
                return True
        return False


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES, compact_at=st.floats(0, 1))
def test_any_concurrent_history_is_that_of_a_sequential_map(
    on_store: OnStore, history: list[list[Step]], compact_at: float
) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        start = store.revision
        live = store.watch("/a/", start)
        model = Model(start)
        for steps in history:
            before = model.revision
            outcomes = await play_round(store, steps, model)
            for outcome in sorted((o for o in outcomes if o.revision), key=lambda o: o.revision):
                model.apply(outcome)
            for outcome in outcomes:
                assert outcome.revision or model.refuses(outcome, range(before, model.revision + 1))
        await check(store, model, start)
        wanted = [event for event in model.events if event.key.startswith("/a/")]
        seen: list[Event] = []
        while len(seen) < len(wanted):
            seen += await anext(live)
        assert seen == wanted
        floor = start + round(compact_at * (model.revision - start))
        await store.compact(floor)
        await check(store, model, floor)

    on_store(scenario)


async def play_round(store: Store, steps: list[Step], model: Model) -> list[Outcome]:
    expectations = []
    for step in steps:
        current = model.held.get(step.key)
        expectations.append((current.revision if current else model.revision) - step.behind)
    calls = (call(store, step, expected) for step, expected in zip(steps, expectations, strict=True))
    results = await asyncio.gather(*calls, return_exceptions=True)
    outcomes = []
    for step, expected, result in zip(steps, expectations, results, strict=True):
        if isinstance(result, int):
            outcomes.append(Outcome(step, expected, result))
        else:
            assert isinstance(result, KeyExists | Conflict)
            outcomes.append(Outcome(step, expected, 0))
    return outcomes


async def check_state(store: Store, state: dict[str, Entry], revision: int) -> None:
    for prefix in ("/a/", "/a", "/b/", ""):
        wanted = [state[key] for key in sorted(state) if key.startswith(prefix)]
        page = await store.list(prefix, revision=revision)
        assert list(page.entries) == wanted
        first = await store.list(prefix, limit=2, revision=revision)
        assert (list(first.entries), first.remaining) == (wanted[:2], max(len(wanted) - 2, 0))
    for key in ("/a/1", "/a0", "/c"):
        assert await store.get(key, revision) == state.get(key)


async def check(store: Store, model: Model, floor: int) -> None:
    """Reads at every revision from `floor` on, lists in pages, and replayed watches agree with the model."""
    assert await store.current_revision() == model.revision
    await asyncio.gather(*(check_state(store, model.states[at], at) for at in range(floor, model.revision + 1)))
    wanted_events = [event for event in model.events if event.revision > floor]
    if wanted_events:
        watch = store.watch("", floor)
        seen: list[Event] = []
        while len(seen) < len(wanted_events):
            seen += await anext(watch)
        assert seen == wanted_events
        watch.close()

"""Probes on a clock turned by hand: delays, periods, thresholds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sampan.api.types.core_v1 import Container, ExecAction, Probe
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.events import EventRecorder
from sampan.kubelet.backoff import Backoff, go_duration
from sampan.kubelet.podstate import ContainerState
from sampan.kubelet.probeactions import Outcome, Result, run_http, run_tcp
from sampan.kubelet.probes import Probes, Target
from sampan.lib.clock import ManualClock
from sampan.lib.tasks import Tasks

from .making import NOW, container, held, holding, pod

OK, BAD, ODD = Outcome(Result.SUCCESS), Outcome(Result.FAILURE, "no"), Outcome(Result.UNKNOWN, "odd")


class Scripted:
    """A prober that answers what it is told, the last answer for ever, and notes when it was asked."""

    def __init__(self, clock: ManualClock, **answers: list[Outcome]) -> None:
        self._clock = clock
        self._answers = answers
        self.asked: list[tuple[str, float]] = []

    async def probe(self, probe: Probe, target: Target) -> Outcome:
        assert probe.exec is not None
        kind = probe.exec.command[0]
        self.asked.append((kind, self._clock.now() - NOW))
        answers = self._answers[kind]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Recorder(EventRecorder):
    def __init__(self) -> None:
        self.told: list[str] = []

    def event(self, obj: object, type: str, reason: str, message: str, *, field_path: str = "") -> None:  # type: ignore[override]
        self.told.append(f"{reason}: {message}")


def check(kind: str, **fields: int) -> Probe:
    return Probe(
        exec=ExecAction(command=[kind]), **{"periodSeconds": 10, "failureThreshold": 3, "successThreshold": 1, **fields}
    )


Play = Callable[[Probes, ManualClock, Scripted, Recorder], Awaitable[None]]


def play(one: Container, scenario: Play, **answers: list[Outcome]) -> None:
    async def run() -> None:
        clock = ManualClock(NOW + 1)
        prober, recorder = Scripted(clock, **answers), Recorder()
        probes = Probes(prober, recorder, clock, lambda uid: None)
        async with Tasks() as tasks:
            probes.attach(tasks)
            probes.sync(pod(containers=[one]), holding(running()))
            await clock.advance(0)
            await scenario(probes, clock, prober, recorder)

    asyncio.run(run())


def running() -> ContainerState:
    return held()


def test_without_probes_a_running_container_is_ready_and_started() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        assert probes.ready == probes.started == {"c-0"}

    play(container(), scenario)


def test_a_container_is_ready_after_its_first_success_and_unready_after_three_failures() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        assert probes.ready == set()
        await clock.advance(5)
        assert probes.ready == {"c-0"}
        await clock.advance(20)
        assert probes.ready == {"c-0"}
        await clock.advance(10)
        assert probes.ready == set()
        assert [round(at) for _, at in prober.asked] == [6, 16, 26, 36]
        assert recorder.told == ["Unhealthy: Readiness probe failed: no"] * 3

    play(container(readinessProbe=check("ready", initialDelaySeconds=5)), scenario, ready=[OK, BAD])


def test_readiness_waits_for_as_many_successes_as_it_is_told() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        await clock.advance(10)
        assert probes.ready == set()
        await clock.advance(10)
        assert probes.ready == {"c-0"}

    play(container(readinessProbe=check("ready", successThreshold=3)), scenario, ready=[OK])


def test_liveness_fails_once_and_is_then_silent() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        await clock.advance(10)
        assert not probes.view().failed_liveness
        await clock.advance(10)
        assert set(probes.view().failed_liveness) == {"c-0"}
        await clock.advance(100)
        assert len(prober.asked) == 3

    play(container(livenessProbe=check("live")), scenario, live=[BAD])


def test_a_success_between_failures_begins_the_count_again() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        await clock.advance(40)
        assert not probes.view().failed_liveness
        await clock.advance(10)
        assert set(probes.view().failed_liveness) == {"c-0"}

    play(container(livenessProbe=check("live")), scenario, live=[BAD, BAD, OK, BAD])


def test_the_other_probes_wait_for_the_startup_probe() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        await clock.advance(15)
        assert {kind for kind, _ in prober.asked} == {"start"}
        assert probes.started == set()
        await clock.advance(5)
        assert probes.started == {"c-0"}
        await clock.advance(0)
        assert {kind for kind, _ in prober.asked} == {"start", "live", "ready"}
        before = len([k for k, _ in prober.asked if k == "start"])
        await clock.advance(50)
        assert len([k for k, _ in prober.asked if k == "start"]) == before

    one = container(livenessProbe=check("live"), readinessProbe=check("ready"), startupProbe=check("start", failureThreshold=9))
    play(one, scenario, start=[BAD, BAD, OK], live=[OK], ready=[OK])


def test_a_startup_probe_that_never_passes_fails_the_container() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        await clock.advance(20)
        assert set(probes.view().failed_startup) == {"c-0"}

    play(container(startupProbe=check("start")), scenario, start=[BAD])


def test_a_try_that_itself_fails_is_repeated_and_counts_neither_way() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        assert len(prober.asked) == 3
        await clock.advance(100)
        assert not probes.view().failed_liveness
        assert recorder.told[0] == "Unhealthy: Liveness probe errored and resulted in unknown state: odd"

    play(container(livenessProbe=check("live")), scenario, live=[ODD])


def test_a_new_container_is_probed_anew() -> None:
    async def scenario(probes: Probes, clock: ManualClock, prober: Scripted, recorder: Recorder) -> None:
        await clock.advance(20)
        assert set(probes.view().failed_liveness) == {"c-0"}
        one = container(livenessProbe=check("live"))
        probes.sync(pod(containers=[one]), holding(held(restarts=1)))
        await clock.advance(0)
        assert not probes.view().failed_liveness
        assert probes.ready == {"c-1"}

    play(container(livenessProbe=check("live")), scenario, live=[BAD])


def test_a_container_that_was_ready_before_a_restart_of_the_agent_stays_so() -> None:
    async def run() -> None:
        clock = ManualClock(NOW + 60)
        probes = Probes(Scripted(clock, ready=[BAD]), Recorder(), clock, lambda uid: None)
        async with Tasks() as tasks:
            probes.attach(tasks)
            one = container(readinessProbe=check("ready"))
            probes.sync(pod(containers=[one]), holding(held()), adopted_ready={"c-0"})
            await clock.advance(5)
            assert probes.ready == {"c-0"}
            await clock.advance(25)
            assert probes.ready == set()

    asyncio.run(run())


def test_back_off_doubles_and_is_forgotten_after_ten_quiet_minutes() -> None:
    async def run() -> None:
        clock = ManualClock()
        backoff = Backoff(clock)
        waits = []
        for _ in range(8):
            ended = clock.now()
            wait = backoff.remaining("k", ended)
            waits.append(wait)
            await clock.advance(wait)
            backoff.fail("k", ended)
        assert waits == [0, 10, 20, 40, 80, 160, 300, 300]
        await clock.advance(601)
        assert backoff.remaining("k", clock.now()) == 0

    asyncio.run(run())


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (3600, "1h0m0s")])
def test_durations_read_as_go_prints_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_http_and_tcp_probes_speak_to_a_real_socket() -> None:
    from sampan.api.types.core_v1 import HTTPGetAction, HTTPHeader, TCPSocketAction

    async def run() -> None:
        seen: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(head)
            path = head.split(b" ")[1]
            status = {b"/ok": b"204 No Content", b"/bad": b"503 Unavailable"}.get(path, b"302 Found\r\nLocation: /ok")
            writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        one = container()

        async def get(path: str, **fields: object) -> Outcome:
            return await run_http(HTTPGetAction(path=path, port=port, **fields), one, "127.0.0.1", 2)  # type: ignore[arg-type]

        assert (await get("/ok", httpHeaders=[HTTPHeader(name="X-A", value="b")])).result is Result.SUCCESS
        assert b"X-A: b\r\n" in seen[0]
        assert b"User-Agent: kube-probe/1.33\r\n" in seen[0]
        assert await get("/bad") == Outcome(Result.FAILURE, "HTTP probe failed with statuscode: 503")
        assert (await get("moved")).result is Result.SUCCESS
        assert (await run_tcp(TCPSocketAction(port=port), one, "127.0.0.1", 2)).result is Result.SUCCESS
        server.close()
        await server.wait_closed()
        refused = await run_tcp(TCPSocketAction(port=port), one, "127.0.0.1", 2)
        assert refused == Outcome(Result.FAILURE, f"dial tcp 127.0.0.1:{port}: connect: connection refused")
        assert (await get("/ok")).output == f'Get "http://127.0.0.1:{port}/ok": {refused.output}'
        named = await run_tcp(TCPSocketAction(port="nope"), one, "127.0.0.1", 2)
        assert named.result is Result.UNKNOWN

    asyncio.run(run())


def test_a_pod_has_a_name_for_messages() -> None:
    from sampan.kubelet.labels import pod_name

    of = pod()
    of.metadata = ObjectMeta(name="a", namespace="b", uid="c")
    assert pod_name(of) == "a_b(c)"

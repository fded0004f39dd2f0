"""Informers of the real client-go against two of our servers over one etcd: each may go, and the history, too."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sampan.api.scheme import builtin
from tests.etcdserver import BINARY, EtcdServer
from tests.etcdserver import MISSING as NO_ETCD
from tests.fuzz.arena import path_of
from tests.samples import sample
from tests.upstream.plane import MASTERS, NO_INFORMERS, Plane, has
from tests.upstream.relay import Relay
from tests.upstream.test_informers import PLACES, SPACE, WAYS, Informers, change, converged, furnish, truth, unexpected

pytestmark = [
    pytest.mark.skipif(not has("informers"), reason=NO_INFORMERS),
    pytest.mark.skipif(not BINARY.exists(), reason=NO_ETCD),
    pytest.mark.timeout(300),
]
STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["streaming lists", "lists in pages"])
EACH = [resource for resource in builtin() if path_of(resource).replace("/namespaces/default", "") in PLACES.values()]


def stir(plane: Plane, round_: str) -> None:
    """`change`, and something new of each kind: client-go lists anew what it watched for under a second and saw nothing of."""
    change(plane, round_)
    for resource in EACH:
        plane.create(path_of(resource), sample(resource, f"{round_}-each"))


class Two:
    """Two servers, and a port that stands before the first until it is turned."""

    def __init__(self, first: Plane, second: Plane, relay: Relay) -> None:
        self.first, self.second, self.relay = first, second, relay
        self.config = first.kubeconfig("informers", *MASTERS, url=relay.url)

    def informers(self, *, streaming: bool = True, content_type: str = "", **features: str) -> Informers:
        return Informers(self.first, streaming=streaming, content_type=content_type, config=self.config, **features)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    etcd = EtcdServer(tmp_path / "etcd")
    etcd.start()
    try:
        first = Plane(tmp_path, f"etcd://{etcd.endpoint}")
        with first, first.twin() as second, Relay(first.port) as relay:
            furnish(first)
            yield Two(first, second, relay)
    finally:
        etcd.stop()


@contextmanager
def informed(two: Two, streaming: bool) -> Iterator[tuple[Informers, Callable[[], set[str]]]]:
    """Informers that know what the first server has, some of it by their watches; and what they have told since then."""
    stir(two.first, "before")
    with two.informers(streaming=streaming) as informers:
        stir(two.first, "known")
        converged(informers, two.first)
        known = len(informers.events)
        yield informers, lambda: {event["what"] for event in informers.events[known:]}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_informers_are_told_by_one_server_what_another_writes(two: Two, way: dict[str, str]) -> None:
    stir(two.first, "before")
    with two.informers(**way) as informers:
        stir(two.second, "elsewhere")
        stir(two.first, "here")
        converged(informers, two.second)
        assert truth(two.first) == truth(two.second)
        assert not informers.said("resync", "vanished", "watch-error")
        assert informers.text() == ""


@STREAMING
def test_informers_go_on_with_the_other_server(two: Two, streaming: bool) -> None:
    with informed(two, streaming) as (informers, later):
        for number, server in enumerate((two.second, two.first, two.second)):
            two.relay.turn(server.port)
            stir(two.first if number % 2 else two.second, f"turn-{number}")
            converged(informers, server)
        # What the other knows by its own watch of etcd is the same history: nothing is listed anew.
        assert not later() & {"resync", "vanished"}
        assert unexpected(informers) == []


@STREAMING
def test_informers_go_on_when_a_server_was_killed(two: Two, streaming: bool) -> None:
    with informed(two, streaming) as (informers, later):
        two.first.kill()
        two.relay.turn(two.second.port)
        stir(two.second, "alone")
        converged(informers, two.second)
        two.first.start()
        two.relay.turn(two.first.port)
        stir(two.second, "after")
        converged(informers, two.first)
        assert truth(two.first) == truth(two.second)
        assert not later() & {"resync", "vanished"}
        assert unexpected(informers) == []


@STREAMING
def test_watches_outlive_a_compaction(two: Two, streaming: bool) -> None:
    with informed(two, streaming) as (informers, later):
        for number in range(3):
            stir(two.second, f"round-{number}")
            two.second.compact()
            stir(two.first, f"later-{number}")
        converged(informers, two.first)
        assert not later() & {"resync", "vanished", "watch-error"}
        assert informers.text() == ""


@STREAMING
def test_informers_list_anew_at_a_server_that_began_after_what_they_know(two: Two, streaming: bool) -> None:
    with informed(two, streaming) as (informers, _):
        informers.handle.send_signal(signal.SIGSTOP)
        stir(two.second, "unseen")
        two.second.delete(f"{SPACE}/configmaps/before-1")
        two.second.compact()
        two.first.kill()
        two.first.start()
        informers.handle.send_signal(signal.SIGCONT)
        converged(informers, two.first)
        assert "default/before-1" in {event["key"] for event in informers.said("vanished", "delete")}
        stir(two.second, "after")
        converged(informers, two.first)
        assert unexpected(informers) == []

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Pod
from sampan.client.codec import decode, partial
from sampan.client.informer import Informer, InformerFactory, clone
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.lib.clock import ManualClock
from sampan.lib.http import Response
from sampan.lib.tasks import Tasks
from tests.unit.fakeapi import FakeAPI, failure, pod, run, serving, until


@asynccontextmanager
async def informing(api: FakeAPI) -> AsyncIterator[tuple[Informer[Pod], list[str]]]:
    """A running informer and what its handler was told: "+a", "~a", "-a"."""
    async with serving(api) as (client, _), Tasks() as tasks:
        informer = Informer(client, Pod)
        told = note(informer)
        tasks.start(informer.run(), "informer")
        yield informer, told


def note(informer: Informer[Pod]) -> list[str]:
    told: list[str] = []

    def handler(old: Pod | None, new: Pod | None) -> None:
        mark = "+" if old is None else "-" if new is None else "~"
        shown = new or old
        assert shown is not None
        told.append(mark + shown.metadata.name)

    informer.add_handler(handler)
    return told


def test_an_informer_shows_what_is_there_and_then_every_change() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a"))
        async with informing(api) as (informer, told):
            await informer.wait_synced()
            assert told == ["+a"]
            api.put(pod("b", app="web"))
            api.put(pod("b", app="db"))
            api.delete("a")
            await until(lambda: "-a" in told)
            assert told == ["+a", "+b", "~b", "-a"]
            found = informer.get("b", "default")
            assert found is not None
            assert found.metadata.labels == {"app": "db"}
            assert informer.list("elsewhere") == []

    run(work())


def test_a_watch_that_ends_goes_on_from_the_last_revision_without_a_list() -> None:
    async def work() -> None:
        api = FakeAPI()
        async with informing(api) as (_, told):
            await until(lambda: api.watches == 1)
            api.put(pod("a"))
            await until(lambda: told == ["+a"])
            api.cut()
            api.put(pod("b"))
            await until(lambda: told == ["+a", "+b"])
            assert api.watches == 2
            assert sum("watch" not in r.query for r in api.requests) == 1

    run(work())


def test_a_server_that_ends_each_watch_at_once_is_asked_ever_more_seldom() -> None:
    async def work() -> None:
        api, clock = FakeAPI(), ManualClock()
        listed = Response(200, b'{"metadata": {"resourceVersion": "1"}, "items": []}')
        api.answers = [listed] + [Response(200)] * 4
        waits: list[float] = []
        async with serving(api) as (client, _), Tasks() as tasks:
            tasks.start(Informer(Client(client.transport, clock), Pod).run(), "informer")
            for watches in range(1, 5):
                await until(lambda: clock.next_wake is not None)
                assert len(api.requests) == 1 + watches
                waits.append(clock.next_wake or 0)
                await clock.advance(waits[-1])
            await until(lambda: api.watches == 1)
        assert 0 < waits[0] < waits[1] < waits[2] < waits[3]

    run(work())


def test_a_bookmark_moves_the_revision_a_watch_goes_on_from() -> None:
    async def work() -> None:
        api = FakeAPI()
        async with informing(api) as (informer, told):
            await until(lambda: api.watches == 1)
            api.bookmark()
            await until(lambda: informer.resource_version == "101")
            api.compact()
            api.cut()
            await until(lambda: api.watches == 2)
            assert "resourceVersion=101" in api.requests[-1].query
            assert told == []

    run(work())


def test_after_410_the_difference_of_a_new_list_is_told() -> None:
    async def work() -> None:
        api = FakeAPI()
        for name in "abc":
            api.put(pod(name))
        async with informing(api) as (_, told):
            await until(lambda: api.watches == 1)
            del told[:]
            api.cut()
            api.delete("a")
            api.put(pod("b", changed="yes"))
            api.put(pod("d"))
            api.compact()
            await until(lambda: len(told) == 3)
            assert sorted(told) == ["+d", "-a", "~b"]

    run(work())


def test_an_object_made_anew_under_its_name_is_a_delete_and_an_add() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a"))
        async with informing(api) as (_, told):
            await until(lambda: api.watches == 1)
            api.cut()
            again = pod("a")
            again["metadata"]["uid"] = "another"
            api.put(again)
            await until(lambda: told == ["+a", "-a", "+a"])

    run(work())


def test_a_server_that_restarts_is_found_again() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a"))
        async with serving(api) as (_, port):
            pass
        async with Tasks() as tasks:
            transport: Transport | None = None
            async with serving(api, port) as (client, _):
                transport = Transport(client.transport.config)
                informer = Informer(Client(transport), Pod)
                told = note(informer)
                tasks.start(informer.run(), "informer")
                await until(lambda: told == ["+a"])
                assert informer.current
            await until(lambda: not informer.current)
            assert informer.synced
            api.put(pod("b"))
            async with serving(api, port):
                await until(lambda: told == ["+a", "+b"])
                assert informer.current
            await until(lambda: not informer.current)
            async with serving(api, port):
                await until(lambda: informer.current)  # though nothing has happened since
                assert told == ["+a", "+b"]
                await transport.close()

    run(work())


def test_a_kind_that_is_not_served_is_empty_until_it_is() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a"))
        api.answers = [failure(404, "NotFound")] * 2
        async with informing(api) as (informer, told):
            await informer.wait_synced()
            assert informer.current
            assert informer.list() == []
            await until(lambda: told == ["+a"])

    run(work())


def test_failures_of_the_first_list_are_tried_again_and_do_not_count_as_synced() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a"))
        api.answers = [failure(403, "Forbidden"), Response(200, b"{not json"), failure(500, "InternalError")]
        async with informing(api) as (informer, told):
            await until(lambda: not api.answers)
            assert not informer.synced
            await until(lambda: told == ["+a"])

    run(work())


def test_an_error_event_of_410_in_a_running_watch_lists_again() -> None:
    async def work() -> None:
        api = FakeAPI()
        async with informing(api) as (_, told):
            await until(lambda: api.watches == 1)
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            api.objects["a"] = pod("a")
            api.events.append((api.revision + 1, {"type": "ERROR", "object": status}))
            api.put(pod("b"))
            await until(lambda: "+a" in told)

    run(work())


def test_indexes_follow_the_objects() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a", app="web"))
        async with informing(api) as (informer, told):
            await informer.wait_synced()
            informer.add_index("app", lambda p: [p.metadata.labels["app"]])
            assert [p.metadata.name for p in informer.by_index("app", "web")] == ["a"]
            api.put(pod("a", app="db"))
            await until(lambda: "~a" in told)
            assert informer.by_index("app", "web") == []
            assert [p.metadata.name for p in informer.by_index("app", "db")] == ["a"]
            api.delete("a")
            await until(lambda: "-a" in told)
            assert informer.by_index("app", "db") == []

    run(work())


def test_a_factory_shares_informers_and_starts_late_ones() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a"))
        async with serving(api) as (client, _), Tasks() as tasks:
            factory = InformerFactory(client)
            first = factory.informer(Pod)
            tasks.start(factory.run(), "factory")
            await factory.wait_synced()
            assert factory.informer(Pod) is first
            late = factory.informer(Pod, fields="spec.nodeName=x")
            await late.wait_synced()
            assert late is not first
            assert "fieldSelector=spec.nodeName%3Dx" in "".join(r.query for r in api.requests)

    run(work())


def test_only_the_metadata_of_any_kind_can_be_read() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.put(pod("a"))
        async with serving(api) as (client, _):
            listed = await client.list(partial(Pod.api))
            assert listed.items[0].metadata.uid == "uid-a"
            assert "PartialObjectMetadataList" in api.requests[-1].headers["accept"]

    run(work())


def test_a_list_of_a_failing_server_raises_its_status() -> None:
    async def work() -> None:
        api = FakeAPI()
        api.answers = [failure(403, "Forbidden", 'pods is forbidden: User "x" cannot')]
        async with serving(api) as (client, _):
            with pytest.raises(StatusError, match="is forbidden") as caught:
                await client.list(Pod)
            assert (caught.value.code, caught.value.reason) == (403, "Forbidden")

    run(work())


def test_an_answer_429_with_retry_after_is_tried_again() -> None:
    async def work() -> None:
        api = FakeAPI()
        busy = failure(429, "TooManyRequests")
        busy.headers = (("Retry-After", "0"),)
        api.answers = [busy, busy]
        async with serving(api) as (client, _):
            assert (await client.list(Pod)).items == []
            assert len(api.requests) == 3

    run(work())


def test_nulls_of_other_servers_are_absent_values() -> None:
    tree = pod("a")
    tree["metadata"]["creationTimestamp"] = None
    tree["spec"]["tolerations"] = None
    decoded = decode(Pod, json.dumps(tree).encode())
    assert decoded.metadata.creationTimestamp == ""
    assert decoded.spec.tolerations == []


def test_a_clone_may_be_changed() -> None:
    original = decode(Pod, json.dumps(pod("a", app="web")).encode())
    copy = clone(original)
    copy.metadata.labels["app"] = "db"
    assert original.metadata.labels == {"app": "web"}

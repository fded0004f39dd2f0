"""The registry's pure parts: bytes of objects, the ring, locks, allocators, forms."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from sampan.api.errors import StatusError
from sampan.api.groups.core.configmap import RESOURCE
from sampan.apiserver.negotiation import Form, negotiate
from sampan.apiserver.registry.allocators import AddressPool, AllocationError, Exhausted, NumberPool, PortPool
from sampan.apiserver.registry.locks import KeyLocks, Underway
from sampan.apiserver.registry.objects import CachedObject, ObjectShape
from sampan.apiserver.registry.watchcache import TooOld, WatchCache

PREFIX = "/registry/configmaps/"


def value(name: str, x: str = "1") -> bytes:
    shape = ObjectShape(RESOURCE)
    return shape.encode({"metadata": {"name": name, "namespace": "default", "resourceVersion": "99"}, "data": {"x": x}})


def test_a_value_has_no_revision_and_the_body_has_the_stores() -> None:
    stored = value("a")
    assert stored.startswith(b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name"')
    assert b"resourceVersion" not in stored
    obj = ObjectShape(RESOURCE).load(PREFIX + "default/a", 7, stored)
    assert obj.body.startswith(b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"')
    assert msgspec.json.decode(obj.item)["metadata"]["resourceVersion"] == "7"
    assert b'"kind"' not in obj.item
    assert obj.at(123).tree() == {**obj.tree(), "metadata": {**obj.tree()["metadata"], "resourceVersion": "123"}}


def test_a_cache_knows_what_happened_since() -> None:
    cache = WatchCache(ObjectShape(RESOURCE), PREFIX)
    cache.fill([], 1)
    key = cache.key("default", "a")
    cache.put(key, 2, value("a"), 0.0)
    cache.put(key, 3, value("a", "2"), 0.0)
    cache.remove(key, 5, 0.0)
    assert [(e.revision, e.type) for e in cache.after(1)] == [(2, "ADDED"), (3, "MODIFIED"), (5, "DELETED")]
    assert [e.revision for e in cache.after(3)] == [5]
    assert cache.after(5) == cache.after(9) == []
    assert (len(cache), cache.keys) == (0, [])
    with pytest.raises(TooOld):
        cache.after(0)


def test_the_ring_grows_while_it_turns_over_fast_and_forgets_otherwise() -> None:
    cache = WatchCache(ObjectShape(RESOURCE), PREFIX)
    cache.fill([], 0)
    for revision in range(1, 500):
        cache.put(cache.key("default", "a"), revision, value("a"), 1.0)
    assert len(cache.after(0)) == 499
    for revision in range(500, 1500):
        cache.put(cache.key("default", "a"), revision, value("a"), 1000.0 + revision * 100)
    assert len(cache.ring) <= cache.capacity <= 1000
    with pytest.raises(TooOld):
        cache.after(400)


def test_objects_of_a_namespace_stand_in_the_order_of_their_keys() -> None:
    cache = WatchCache(ObjectShape(RESOURCE), PREFIX)
    cache.fill([], 0)
    for revision, (namespace, name) in enumerate((("b", "x"), ("a-b", "x"), ("a", "y"), ("a", "x")), 1):
        cache.put(cache.key(namespace, name), revision, value(name), 0.0)
    assert [key.removeprefix(PREFIX) for key in cache.keys_in("a")] == ["a/x", "a/y"]
    assert [key.removeprefix(PREFIX) for key in cache.keys_in("")] == ["a-b/x", "a/x", "a/y", "b/x"]


def test_holders_of_a_key_take_turns_and_leave_nothing_behind() -> None:
    async def scenario() -> list[int]:
        locks, order = KeyLocks(), []

        async def hold(number: int) -> None:
            async with locks.hold("k"):
                order.append(number)
                await asyncio.sleep(0)

        tasks = [asyncio.ensure_future(hold(number)) for number in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with locks.hold("other"):
            pass
        assert not locks.waiting
        return order

    assert asyncio.run(scenario()) == [0, 1, 3, 4]


def test_a_turn_is_passed_on_with_what_is_underway_until_that_is_settled() -> None:
    async def scenario() -> None:
        locks, all_, found = KeyLocks(), dict[str, Underway](), CachedObject("k", "", "n", {}, (), b"")

        async def write(*, made: bool) -> None:
            async with locks.hold("k") as turn:
                assert not all_ and not turn.is_awaited
                await asyncio.sleep(0)
                assert turn.is_awaited
                underway = Underway(all_, found)
                turn.end()
                assert not turn.is_awaited
                await asyncio.sleep(0)
                underway.settle(made=made)

        async def follow() -> bool:
            async with locks.hold("k"):
                assert all_["k"].object is found
                return await all_["k"].made()

        for made in (True, False):
            _, heard = await asyncio.gather(write(made=made), follow())
            assert heard is made
        assert not locks.waiting and not all_

    asyncio.run(scenario())


def test_numbers_are_picked_from_the_upper_band_first() -> None:
    pool = NumberPool(0, 31, 16)
    upper = {pool.pick() for _ in range(16)}
    assert upper == set(range(16, 32))
    assert {pool.pick() for _ in range(16)} == set(range(16))
    with pytest.raises(Exhausted, match="range is full"):
        pool.pick()
    pool.release(3)
    assert pool.pick() == 3


@pytest.mark.parametrize(
    ("address", "good"), [("10.0.0.1", True), ("10.0.0.0", False), ("10.0.0.255", False), ("fd00::1", False)]
)
def test_addresses_lie_inside_the_range(address: str, good: bool) -> None:
    pool = AddressPool("10.0.0.0/24")
    if good:
        pool.take(address)
        with pytest.raises(AllocationError, match="provided IP is already allocated"):
            pool.take(address)
    else:
        with pytest.raises(AllocationError, match="is not in the valid range"):
            pool.take(address)


def test_an_ipv6_range_works_as_well() -> None:
    pool = AddressPool("fd00:10::/112")
    assert (pool.first, pool.family) == ("fd00:10::1", "IPv6")
    assert pool.pick().startswith("fd00:10::")


def test_a_node_port_outside_the_range_is_refused() -> None:
    with pytest.raises(AllocationError, match="The range of valid ports is 30000-32767"):
        PortPool(30000, 32767).take(80)


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/json", Form()),
        ("application/yaml", Form("application/yaml")),
        (f"{TABLE},{TABLE.replace('v1', 'v1beta1')},application/json", Form(shown_as="Table", version="v1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Form()),
        ("application/vnd.kubernetes.protobuf,application/json", Form()),
        ("text/html, application/json;q=0.9", Form()),
    ],
)
def test_the_first_form_there_is_wins(accept: str, form: Form) -> None:
    assert negotiate(accept) == form


@pytest.mark.parametrize(
    "accept", ["application/vnd.kubernetes.protobuf", "text/html", "application/json;as=Table;v=v9;g=meta.k8s.io"]
)
def test_without_any_form_there_is_no_answer(accept: str) -> None:
    with pytest.raises(StatusError) as caught:
        negotiate(accept)
    assert caught.value.code == 406

"""What is particular to a store in etcd: leases, taking turns at compaction, members that fail, TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from sampan.lib.clock import ManualClock, RealClock
from sampan.pki.certificates import CA, CLIENT, SERVER
from sampan.store import etcd_pb2 as pb
from sampan.store.base import Compacted, StoreUnavailable
from sampan.store.etcd import COMPACTION_KEY, EtcdStore
from sampan.store.factory import make_store
from tests.conformance.conftest import clear
from tests.etcdserver import BINARY, MISSING, EtcdServer, free_port


@asynccontextmanager
async def opened(*endpoints: str, clock: ManualClock | RealClock | None = None) -> AsyncIterator[EtcdStore]:
    store = EtcdStore(endpoints, clock=clock or RealClock())
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await scenario()

    uvloop.run(main())


async def lease_of(store: EtcdStore, key: str) -> int:
    return (await store._range(pb.RangeRequest(key=key.encode()))).kvs[0].lease


def test_a_key_with_a_time_to_live_is_deleted_by_etcd_and_watched(etcd: EtcdServer) -> None:
    async def scenario() -> None:
        async with opened(etcd.endpoint) as store:
            await clear(store)
            revision = await store.create("/a/brief", b"1", ttl_seconds=1)
            kept = await store.create("/a/kept", b"1", ttl_seconds=1)
            kept = await store.update("/a/kept", b"2", kept)
            watch = store.watch("/a/brief", revision)
            (event,) = await anext(watch)
            assert (event.key, event.value, event.previous and event.previous.value) == ("/a/brief", None, b"1")
            assert (await store.get("/a/kept")) is not None
            watch.close()

    run(scenario)


def test_keys_that_end_at_about_the_same_time_share_a_lease(etcd: EtcdServer) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        async with opened(etcd.endpoint, clock=clock) as store:
            await clear(store)
            await asyncio.gather(*(store.create(f"/a/{n}", b"", ttl_seconds=3600) for n in range(50)))
            await clock.advance(59)
            await store.create("/a/soon", b"", ttl_seconds=3600)
            assert len({await lease_of(store, f"/a/{n}") for n in [*range(50), "soon"]}) == 1
            await clock.advance(2)
            await store.create("/a/later", b"", ttl_seconds=3600)
            await store.create("/a/other", b"", ttl_seconds=1800)
            assert len({await lease_of(store, f"/a/{name}") for name in ("soon", "later", "other")}) == 3
            await store.create("/a/forever", b"")
            left = await store.seconds_left(await store.list("/a/"))
            assert 3500 <= left["/a/0"] <= 3660 and 1700 <= left["/a/other"] <= 1890
            assert len(left) == 53

    run(scenario)


def test_a_lease_that_etcd_forgot_is_granted_anew(etcd: EtcdServer) -> None:
    async def scenario() -> None:
        async with opened(etcd.endpoint, clock=ManualClock()) as store:
            await clear(store)
            revision = await store.create("/a/x", b"", ttl_seconds=1)
            forgotten = await lease_of(store, "/a/x")
            await anext(store.watch("/a/x", revision))  # its lease is over, by a clock that the store does not see
            await store.create("/a/x", b"", ttl_seconds=1)
            assert await lease_of(store, "/a/x") not in (0, forgotten)

    run(scenario)


def test_of_several_servers_one_compacts_a_turn(etcd: EtcdServer) -> None:
    async def scenario() -> None:
        async with opened(etcd.endpoint) as one, opened(etcd.endpoint) as other:
            await clear(one)
            for key in [entry.key for entry in (await one.list("")).entries]:
                raise AssertionError(key)
            revision = await one.create("/a/x", b"")
            turns: list[int] = []
            for _ in range(4):
                revision = await one.update("/a/x", b"", revision)
                for store in (one, other):
                    await store.compact_in_turn(revision)
                    held = await store.get(COMPACTION_KEY.decode())
                    assert held is not None
                    turns.append(held.revision)
            # The first turns only learn how often it was done; after that each round of all servers writes once.
            assert [turns[n] == turns[n + 1] for n in (2, 4, 6)] == [True] * 3
            assert len({turns[n] for n in (2, 4, 6)}) == 3
            with pytest.raises(Compacted):
                await other.get("/a/x", revision - 1)
            assert held.value == str(revision).encode()

    run(scenario)


def test_a_member_that_is_not_there_is_passed_by(etcd: EtcdServer) -> None:
    async def scenario() -> None:
        async with opened(f"127.0.0.1:{free_port()}", etcd.endpoint) as store:
            await clear(store)
            await store.create("/a/x", b"")
            assert (await store.get("/a/x")) is not None

    run(scenario)


def test_a_cluster_goes_on_without_the_member_that_was_spoken_to(tmp_path: Path) -> None:
    if not BINARY.exists():
        pytest.skip(MISSING)
    peers = [free_port() for _ in range(3)]
    # Long enough that a busy machine does not lose its leader for lack of a turn.
    flags = ("--heartbeat-interval=50", "--election-timeout=500")
    members = [EtcdServer(tmp_path / str(number), *flags, peers=peers, number=number) for number in range(3)]
    for member in members:
        member.begin()
    for member in members:
        member.wait()

    async def scenario() -> None:
        async with opened(*(member.endpoint for member in members)) as store:
            watch = store.watch("/a/", 1)
            writes = {"/a/before": await store.create("/a/before", b"")}
            seen = [event.key for event in await anext(watch)]
            members[0].kill()
            for number in range(20):
                try:
                    writes[f"/a/{number}"] = await store.create(f"/a/{number}", b"")
                except StoreUnavailable:  # what was on its way, or came while a leader was chosen: made or not
                    continue
            last = await store.create("/a/last", b"")
            while watch.revision < last:
                seen += [event.key for event in await anext(watch)]
            watch.close()
            assert len(writes) > 10
            assert set(writes) <= set(seen) and len(seen) == len(set(seen))

    try:
        run(scenario)
    finally:
        for member in members:
            member.stop()


def test_tls_with_client_certificates(tmp_path: Path) -> None:
    if not BINARY.exists():
        pytest.skip(MISSING)
    ca, stranger = CA.create("etcd"), CA.create("stranger")
    cert, key = ca.issue("etcd", ips=("127.0.0.1",), usages=(SERVER, CLIENT))
    client_cert, client_key = ca.issue("kube-apiserver-etcd-client", usages=(CLIENT,))
    pems = {"ca": ca.cert_pem, "cert": cert, "key": key, "client.crt": client_cert, "client.key": client_key}
    for name, pem in {**pems, "other": stranger.cert_pem}.items():
        (tmp_path / name).write_bytes(pem)
    flags = (
        f"--cert-file={tmp_path}/cert",
        f"--key-file={tmp_path}/key",
        f"--trusted-ca-file={tmp_path}/ca",
        "--client-cert-auth",
    )
    server = EtcdServer(tmp_path / "etcd", *flags, scheme="https")
    server.start()
    shown = f"cert={tmp_path}/client.crt&key={tmp_path}/client.key"

    async def scenario() -> None:
        store = make_store(f"etcd://{server.endpoint}?ca={tmp_path}/ca&{shown}")
        await store.open()
        revision = await store.create("/a/x", b"")
        assert await anext(store.watch("/a/", revision - 1))
        await store.close()
        for query in (f"ca={tmp_path}/ca", f"ca={tmp_path}/other&{shown}"):
            with pytest.raises(StoreUnavailable):
                await make_store(f"etcd://{server.endpoint}?{query}").open()

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sampan.store.etcdclient.CALL_SECONDS", 0.7)
            run(scenario)
    finally:
        server.stop()


def test_reading_the_newest_revision_costs_one_call_however_many_ask(etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with opened(etcd.endpoint) as store:
            calls = 0
            read = store._read_newest

            async def counted() -> int:
                nonlocal calls
                calls += 1
                return await read()

            monkeypatch.setattr(store._newest_read, "_read", counted)
            revisions = await asyncio.gather(*(store.current_revision() for _ in range(500)))
            assert set(revisions) == {store.revision}
            assert calls <= 2

    run(scenario)


def test_the_library_of_etcd_is_not_loaded_for_another_store() -> None:
    import subprocess
    import sys

    script = "import sys; from sampan.store.factory import make_store; make_store('sqlite:///x'); print('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"

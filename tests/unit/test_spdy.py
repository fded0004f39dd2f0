"""SPDY/3.1: the frames byte for byte, and sessions of both sides joined by a pipe."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from sampan.lib import spdyframes as frames
from sampan.lib.spdy import MAX_STREAMS, MAX_UNREAD_BYTES, Session, Stream, StreamReset
from sampan.lib.tasks import Tasks


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work

    uvloop.run(bounded())


class Pipe:
    """One end of a connection in memory."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.other: Pipe | None = None
        self.closed = False

    async def read(self) -> bytes:
        return await self.arrived.get()

    def write(self, data: bytes) -> None:
        if self.other and not self.closed and not self.other.closed:
            self.other.arrived.put_nowait(data)

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def write_eof(self) -> None:
        self.close()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.arrived.put_nowait(b"")
            if self.other:
                self.other.arrived.put_nowait(b"")


async def turns() -> None:
    """As many of the loop as take all that is under way in memory to where it stays."""
    for _ in range(500):
        await asyncio.sleep(0)


def pipe() -> tuple[Pipe, Pipe]:
    one, other = Pipe(), Pipe()
    one.other, other.other = other, one
    return one, other


def joined(work: Callable[[Session, Session], Awaitable[None]], *, windows: bool = False) -> None:
    async def both() -> None:
        near, far = pipe()
        async with Tasks() as tasks:
            client = Session(near, server=False, announce_window=windows)
            server = Session(far, server=True, announce_window=windows)
            tasks.start(client.run(), "client")
            tasks.start(server.run(), "server")
            await work(client, server)
            client.close()

    run(both())


async def accepting(server: Session, client: Session, **headers: str) -> tuple[Stream, Stream]:
    async def accept() -> Stream:
        stream = await server.accept()
        assert stream is not None
        stream.reply()
        return stream

    async with asyncio.TaskGroup() as group:
        theirs = group.create_task(accept())
        ours = group.create_task(client.open(headers))
    return ours.result(), theirs.result()


def test_the_dictionary_is_the_standards() -> None:
    assert (len(frames.DICTIONARY), zlib.adler32(frames.DICTIONARY)) == (1423, 0xE3C6A7C2)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (frames.data(5, b"abc", fin=True), "00000005" "01000003" "616263"),
        (frames.rst_stream(7, frames.CANCEL), "80030003" "00000008" "00000007" "00000005"),
        (frames.ping(3), "80030006" "00000004" "00000003"),
        (frames.goaway(9), "80030007" "00000008" "00000009" "00000000"),
        (frames.window_update(1, 4096), "80030009" "00000008" "00000001" "00001000"),
        (frames.initial_window(65536), "80030004" "0000000c" "00000001" "00000007" "00010000"),
    ],
)  # fmt: skip
def test_a_frame_is_the_standards_bytes(frame: bytes, expected: str) -> None:
    assert frame.hex() == expected


@pytest.mark.parametrize("cut", [1, 3, 7, 8, 1000])
def test_frames_survive_any_cut(cut: int) -> None:
    encoder = frames.Encoder()
    sent = encoder.syn_stream(1, {"streamType": "error", "port": "80"}) + encoder.syn_stream(3, {"streamType": "data"})
    sent += frames.data(3, b"x" * 100, fin=True) + encoder.syn_reply(2, {}) + frames.goaway(1)
    decoder = frames.Decoder()
    got = [frame for at in range(0, len(sent), cut) for frame in decoder.feed(sent[at : at + cut])]
    controls = [frame for frame in got if isinstance(frame, frames.Control)]
    assert [(c.type, c.stream, c.headers) for c in controls] == [
        (frames.SYN_STREAM, 1, {"streamtype": "error", "port": "80"}),
        (frames.SYN_STREAM, 3, {"streamtype": "data"}),
        (frames.SYN_REPLY, 2, {}),
        (frames.GOAWAY, 1, None),
    ]
    pieces = [frame for frame in got if isinstance(frame, frames.Data)]
    assert b"".join(piece.data for piece in pieces) == b"x" * 100
    assert [piece.fin for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize(
    "nonsense",
    [
        bytes.fromhex("8002000100000004") + b"abcd",
        bytes.fromhex("8003000100000004") + b"abcd",
        bytes.fromhex("800300010000000c") + b"\0\0\0\1\0\0\0\0\0\0zz",
        bytes.fromhex("8003000600ffffff"),
        b"\x80\x03\x00\x01" + (10 + len(zlib.compress(b"\0" * 10_000_000))).to_bytes(4, "big"),
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"\xff" * 100,
    ],
)
def test_nonsense_ends_the_session_and_nothing_else(nonsense: bytes) -> None:
    async def work() -> None:
        near, far = pipe()
        session = Session(far, server=True)
        near.write(nonsense)
        near.close()
        await session.run()
        assert await session.accept() is None
        assert far.closed

    run(work())


def test_a_header_block_that_expands_without_end_is_refused() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, frames.DICTIONARY)
    block = packer.compress(b"\0" * 20_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    frame = b"\x80\x03\x00\x01" + (10 + len(block)).to_bytes(4, "big") + b"\0\0\0\1\0\0\0\0\0\0" + block
    with pytest.raises(frames.ProtocolError):
        list(frames.Decoder().feed(frame))


def test_streams_carry_bytes_both_ways_and_close_each_way_alone() -> None:
    async def work(client: Session, server: Session) -> None:
        ours, theirs = await accepting(server, client, streamtype="stdin")
        assert theirs.headers == {"streamtype": "stdin"}
        ours.write(b"question")
        ours.close()
        assert await theirs.read() == b"question"
        assert await theirs.read() == b""
        theirs.write(b"answer")
        theirs.close()
        assert await ours.read_all() == b"answer"

    joined(work)


def test_many_streams_do_not_mix() -> None:
    async def work(client: Session, server: Session) -> None:
        pairs = [await accepting(server, client, number=str(number)) for number in range(50)]
        for number, (ours, _) in enumerate(pairs):
            ours.write(b"%d" % number * 100)
            ours.close()
        for number, (_, theirs) in enumerate(pairs):
            assert theirs.headers["number"] == str(number)
            assert await theirs.read_all() == b"%d" % number * 100

    joined(work)


def test_the_server_opens_streams_too() -> None:
    async def work(client: Session, server: Session) -> None:
        ours, theirs = await accepting(client, server)
        ours.write(b"hello")
        assert await theirs.read() == b"hello"

    joined(work)


def test_a_refused_stream_raises() -> None:
    async def work(client: Session, server: Session) -> None:
        async def refuse() -> None:
            stream = await server.accept()
            assert stream is not None
            stream.reset(frames.REFUSED_STREAM)

        async with asyncio.TaskGroup() as group:
            group.create_task(refuse())
            with pytest.raises(StreamReset):
                await client.open({})

    joined(work)


def test_a_stream_that_is_accepted_served_and_reset_in_one_breath_was_not_refused() -> None:
    async def scenario(client: Session, server: Session) -> None:
        async def serve() -> None:
            stream = await server.accept()
            assert stream is not None
            stream.reply()
            stream.write(b"done")
            stream.close()
            stream.reset()

        async with asyncio.TaskGroup() as group:
            group.create_task(serve())
            opened = await client.open({})
            assert await opened.read_all() == b"done"

    joined(scenario)


def test_what_came_before_a_reset_is_still_read() -> None:
    async def work(client: Session, server: Session) -> None:
        ours, theirs = await accepting(server, client)
        theirs.write(b"exit status")
        theirs.reset()
        assert await ours.read_all() == b"exit status"
        assert ours.was_reset

    joined(work)


def test_the_end_of_the_connection_is_the_end_of_every_stream() -> None:
    async def work(client: Session, server: Session) -> None:
        ours, theirs = await accepting(server, client)
        theirs.write(b"last words")
        server.close()
        assert await ours.read_all() == b"last words"
        assert await server.accept() is None
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await client.open({})

    joined(work)


def test_a_ping_is_answered() -> None:
    async def work() -> None:
        near, far = pipe()
        async with Tasks() as tasks:
            tasks.start(Session(far, server=True).run(), "server")
            near.write(frames.ping(1))
            assert await near.read() == frames.ping(1)

    run(work())


def test_windows_hold_a_sender_back_on_one_stream_only() -> None:
    async def work(client: Session, server: Session) -> None:
        slow, slow_end = await accepting(server, client)
        quick, quick_end = await accepting(server, client)
        slow.write(b"s" * 40_000)
        quick.write(b"q" * 10_000)
        total = 0
        for _ in range(50):
            quick.write(b"q" * 4_000)
            total += len(await quick_end.read())
        assert total > 100_000
        slow.write(b"s" * 300_000)
        slow.close()
        waiting = asyncio.ensure_future(slow.drain())
        await turns()
        assert not waiting.done()
        assert len(await slow_end.read_all()) == 340_000
        await waiting

    joined(work, windows=True)


def test_a_peer_without_windows_gets_everything_at_once() -> None:
    async def work(client: Session, server: Session) -> None:
        ours, theirs = await accepting(server, client)
        ours.write(b"x" * 500_000)
        await ours.drain()
        ours.close()
        assert len(await theirs.read_all()) == 500_000

    joined(work)


def test_a_session_reads_no_further_while_too_much_is_unread() -> None:
    async def work() -> None:
        near, far = pipe()
        async with Tasks() as tasks:
            server = Session(far, server=True)
            tasks.start(server.run(), "server")
            near.write(frames.Encoder().syn_stream(1, {}))
            for _ in range(100):
                near.write(frames.data(1, b"x" * 100_000))
            stream = await server.accept()
            assert stream is not None
            await turns()
            assert far.arrived.qsize() > 100 - 2 - MAX_UNREAD_BYTES // 100_000
            near.write(frames.data(1, b"", fin=True))
            total = 0
            while data := await stream.read():
                total += len(data)
            assert total == 10_000_000

    run(work())


def test_a_stream_that_is_reset_after_its_end_holds_up_nothing() -> None:
    async def work(client: Session, server: Session) -> None:
        for _ in range(3):
            ours, theirs = await accepting(server, client)
            ours.write(b"x" * (MAX_UNREAD_BYTES // 2))
            ours.close()
            theirs.close()
            assert await theirs.read()
            while not theirs._read_done:  # noqa: ASYNC110
                await asyncio.sleep(0)
            theirs.reset()
        ours, theirs = await accepting(server, client)
        ours.write(b"still heard")
        assert await theirs.read() == b"still heard"

    joined(work)


def test_an_opener_that_gives_up_takes_its_stream_back() -> None:
    async def work(client: Session, server: Session) -> None:
        with pytest.raises(TimeoutError):
            await client.open({}, deadline_seconds=0.01)
        forgotten = await server.accept()
        assert forgotten is not None
        assert await forgotten.read() == b""
        assert forgotten.was_reset

    joined(work)


def test_a_peer_that_opens_and_resets_cannot_fill_the_line_of_those_to_be_accepted() -> None:
    async def work() -> None:
        near, far = pipe()
        server, encoder = Session(far, server=True), frames.Encoder()
        async with Tasks() as tasks:
            running = tasks.start(server.run(), "server")
            for number in range(1, 4 * MAX_STREAMS, 2):
                near.write(encoder.syn_stream(number, {}) + frames.rst_stream(number, frames.CANCEL))
            near.close()
            await running
            accepted = 0
            while await server.accept() is not None:
                accepted += 1
        assert accepted == MAX_STREAMS

    run(work())

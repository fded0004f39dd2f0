"""port-forward for WebSocket clients of the older kind: two channels a port, SPDY streams towards the kubelet.

The ports are in the query; the n-th has channel 2n for data and 2n+1 for errors, and each channel opens with the port as
two bytes, low byte first (upstream's cri-streaming/portforward).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from sampan.api.errors import bad_request
from sampan.apiserver.subresources.channels import ChannelProtocol, Channels
from sampan.lib.http import Duplex
from sampan.lib.spdy import Session, Stream
from sampan.lib.tasks import Tasks
from sampan.lib.websocket import INTERNAL_ERROR, WebSocket


def parse_ports(values: Sequence[str]) -> list[int]:
    """Raises StatusError 400."""
    ports = []
    for text in ",".join(values).split(","):
        if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
            raise bad_request(f'invalid value for query parameter ports: "{text}"')
        ports.append(int(text))
    return ports


async def bridge_ports(client: Duplex, protocol: ChannelProtocol, kubelet: Duplex, ports: Sequence[int]) -> None:
    """Until either side goes."""
    channels = Channels(WebSocket(client), protocol)
    session = Session(kubelet, server=False)
    try:
        async with Tasks() as tasks:
            tasks.start(session.run(), "port-forward-session")
            data: list[Stream] = []
            for number, port in enumerate(ports):
                headers = {"port": str(port), "requestid": str(number)}
                error = await session.open({**headers, "streamtype": "error"})
                data.append(await session.open({**headers, "streamtype": "data"}))
                error.close()
                for channel, stream in ((2 * number, data[-1]), (2 * number + 1, error)):
                    channels.send(channel, struct.pack("<H", port))
                    tasks.start(_copy(channels, channel, stream), "port-forward-output")
            await _take_input(channels, data)
    except* (ConnectionError, TimeoutError):
        channels.close(INTERNAL_ERROR)
    finally:
        session.close()


async def _copy(channels: Channels, channel: int, stream: Stream) -> None:
    while data := await stream.read():
        channels.send(channel, data)
        await channels.drain()


async def _take_input(channels: Channels, data: Sequence[Stream]) -> None:
    while (message := await channels.receive()) is not None:
        channel, payload = message
        if channel % 2 == 0 and channel // 2 < len(data):
            data[channel // 2].write(payload)
            await data[channel // 2].drain()

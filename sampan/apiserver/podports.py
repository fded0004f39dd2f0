"""Connections to ports of pods, made by the kubelet of the pod's node: the way of `kubectl port-forward`.

Pod addresses mean something on nodes only, and the API server need not be on one; upstream has a proxy on the nodes for the
same reason (https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/). A process in the pod is thus reached
at its loopback address.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from sampan.api.errors import bad_request
from sampan.apiserver.kubelet import KubeletClient, Tree
from sampan.apiserver.registry.registries import Registries
from sampan.lib.duplex import Gate, TransportDuplex, splice
from sampan.lib.http import Duplex
from sampan.lib.spdy import Session, Stream
from sampan.lib.tasks import Tasks

_VERSION = "portforward.k8s.io"
_HEADERS = (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", _VERSION))


class PodPorts:
    """`tasks` own what carries the bytes; they end with the connections."""

    def __init__(self, registries: Registries, kubelets: KubeletClient, tasks: Tasks) -> None:
        self._registries = registries
        self._kubelets = kubelets
        self._tasks = tasks

    async def connect(self, pod: Tree, port: int) -> socket.socket:
        """One end of a connection to the pod's port. Raises ConnectionError, TimeoutError, StatusError."""
        meta, node_name = pod["metadata"], pod["spec"].get("nodeName")
        if not node_name:
            raise bad_request(f"pod {meta['name']} does not have a host assigned")
        kubelet = self._kubelets.of(self._registries.get("", "nodes").get("", node_name).tree())
        asked = await kubelet.upgrade("POST", f"/portForward/{meta['namespace']}/{meta['name']}", headers=_HEADERS)
        if asked.duplex is None:
            raise ConnectionError(f"the kubelet forwards no ports: {asked.status} {asked.body[:200].decode(errors='replace')}")
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks.start(self._carry(asked.duplex, port, theirs, opened), "pod port")
        try:
            await opened
        except BaseException:
            ours.close()
            raise
        return ours

    async def _carry(self, kubelet: Duplex, port: int, end: socket.socket, opened: asyncio.Future[None]) -> None:
        session = Session(kubelet, server=False)
        try:
            async with Tasks() as tasks:
                tasks.start(session.run(), "port-forward session")
                headers = {"port": str(port), "requestid": "0"}
                error = await session.open({**headers, "streamtype": "error"})
                data = await session.open({**headers, "streamtype": "data"})
                error.close()
                loop = asyncio.get_running_loop()
                _, local = await loop.create_connection(_LocalEnd, sock=end)
                if opened.done():
                    return  # nobody waits for it any more
                opened.set_result(None)
                await splice(local.duplex, _StreamDuplex(data, session))
        except* (ConnectionError, TimeoutError) as failures:
            if not opened.done():
                opened.set_exception(ConnectionError(str(failures.exceptions[0])))
        finally:
            if not opened.done():
                opened.set_exception(ConnectionError("the connection was given up"))
            session.close()
            end.close()


class _LocalEnd(asyncio.Protocol):
    """The server's end of the socket pair, as a duplex."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._gate = Gate()
        self.duplex = TransportDuplex(cast(asyncio.Transport, transport), self._gate)

    def data_received(self, data: bytes) -> None:
        self.duplex.feed(data)

    def eof_received(self) -> bool:
        self.duplex.feed_eof()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._gate.lose()
        self.duplex.feed_eof()

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()


class _StreamDuplex:
    """One SPDY stream, and with it the session, as a duplex."""

    def __init__(self, stream: Stream, session: Session) -> None:
        self._stream = stream
        self._session = session

    async def read(self) -> bytes:
        return await self._stream.read()

    def write(self, data: bytes) -> None:
        self._stream.write(data)

    async def drain(self) -> None:
        await self._stream.drain()

    def write_eof(self) -> None:
        self._stream.close()

    def close(self) -> None:
        self._stream.close()
        self._session.close()

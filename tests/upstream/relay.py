"""A port that stands before one server or another, as a load balancer does: TCP, each byte passed on."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Relay:
    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def turn(self, port: int) -> None:
        """Cut who is connected; whoever comes now is brought there."""
        with self._lock:
            self._behind = port
            cut, self._open = self._open, set()
        for connection in cut:
            _close(connection)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._listener)
        self.turn(0)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._behind), timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _is_open(self, connection: socket.socket) -> bool:
        """Not since `turn`: all end at once, or who lost one would ask again on the next to be cut."""
        with self._lock:
            return connection in self._open

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and self._is_open(source):
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _close(source)
        _close(sink)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # which wakes the thread that waits for it
    connection.close()

"""Starting and stopping a server as a whole."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from sampan.apiserver.server import APIServer
from sampan.store.sqlite import SQLiteStore
from tests.component.conftest import Credentials


def test_a_server_that_cannot_start_lets_go_of_what_it_had_taken(credentials: Credentials, tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            bind = (("127.0.0.1", 0), taken.getsockname()[:2])
            store = SQLiteStore(tmp_path / "state.db")
            with pytest.raises(OSError, match="is taken"):
                await APIServer(store, config=replace(credentials.config, bind=bind)).start()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        again = APIServer(SQLiteStore(tmp_path / "state.db"), config=credentials.config)
        await again.start()
        await again.stop(0)

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    uvloop.run(bounded())

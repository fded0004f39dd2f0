"""A server whose store holds webhooks that nobody answers: it starts all the same, and what admits can be mended."""

from __future__ import annotations

from pathlib import Path

import uvloop

from sampan.lib.clock import RealClock
from sampan.store.sqlite import SQLiteStore
from tests.component.admission import EVERYTHING, GROUP, configure, create, entry
from tests.component.conftest import Api
from tests.component.webhooks import webhook


def test_a_webhook_that_nobody_answers_does_not_keep_a_server_from_starting(api: Api, tmp_path: Path) -> None:
    async def run() -> None:
        clock, path = RealClock(), str(tmp_path / "state.db")
        async with api.serve(clock, SQLiteStore(path, clock)) as served:
            async with webhook(lambda review: {}) as hook:
                gone = entry(hook, rule=EVERYTHING, timeoutSeconds=1)
            for kind in ("mutating", "validating"):
                await configure(served, kind, "all", gone)
        async with api.serve(clock, SQLiteStore(path, clock)) as served:
            assert (await create(served, "a")).status == 500
            for kind in ("mutating", "validating"):
                assert (await served.delete(f"{GROUP}/{kind}webhookconfigurations/all")).status == 200
            assert (await create(served, "a")).status == 201

    uvloop.run(run())

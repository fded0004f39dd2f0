"""The fixture `both`: runs a scenario against upstream's server and ours and fails with where their answers differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.error import URLError

import pytest

from tests.upstream.generic_compare import differences
from tests.upstream.generic_known import known
from tests.upstream.generic_server import BINARY, MISSING, Ours, compact, run_upstream, wait_until
from tests.upstream.generic_wire import Side, pairs

Scenario = Callable[[Side], None]


@dataclass
class Both:
    upstream: Side
    ours: Side
    compared: int = 0

    @staticmethod
    def _run(scenario: Scenario, side: Side) -> None:
        side.replies = []
        scenario(side)

    def __call__(self, scenario: Scenario) -> None:
        # Side by side, as most of the time is spent waiting for watches to end.
        with ThreadPoolExecutor(2) as threads:
            for run in [threads.submit(self._run, scenario, side) for side in (self.upstream, self.ours)]:
                run.result()
        found = []
        for theirs, mine in pairs(self.upstream.replies, self.ours.replies):
            self.compared += 1
            if lines := [line for line in differences(theirs, mine) if not known(theirs.what, line)]:
                found.append("\n  ".join([theirs.what, *lines]))
        assert not found, "upstream | ours:\n" + "\n".join(found)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    if not BINARY.exists():
        pytest.skip(MISSING)
    ours = Ours()
    ours.start()
    try:
        with run_upstream(tmp_path_factory.mktemp("upstream"), ours) as (url, etcd):
            upstreams, mine = Side(ours.client(url), lambda: compact(etcd)), Side(ours.client(ours.url), ours.compact)
            sides = Both(upstreams, mine)
            wait_until("upstream is ready", lambda: _is_ready(sides.upstream))
            yield sides
            print(f"\n{sides.compared} answers compared")
            for side in (sides.upstream, sides.ours):
                side.close()
    finally:
        ours.stop()


def _is_ready(side: Side) -> bool:
    try:
        return side.ask("GET", "/readyz").status == 200
    except (OSError, URLError):
        return False

"""A quota of one store holds whichever of its servers lets objects in."""

from __future__ import annotations

import asyncio

from tests.component.conftest import Served
from tests.component.test_admission_quota import config_map, count, quota, used
from tests.component.test_shared_store import Pair, etcd, pair

__all__ = ["etcd", "pair"]


def test_two_servers_fill_a_quota_exactly(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        await quota(one, "shared", {"count/configmaps": "20"})
        creates = [(one, other)[n % 2].create("configmaps", config_map(f"c{n}")) for n in range(60)]
        answers = await asyncio.gather(*creates)
        assert {answer.status for answer in answers} <= {201, 403, 409}
        made = count(answers, 201)
        assert made == len((await other.get("/api/v1/namespaces/default/configmaps")).tree["items"])
        assert made == 20
        assert await used(other, "shared") == {"count/configmaps": "20"}

    pair(scenario)

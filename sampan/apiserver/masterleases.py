"""Which API servers of a store are alive: each keeps its address under a key that ends soon after the server does.

After pkg/controlplane/reconcilers/lease.go; keys, values and times are upstream's.
"""

from __future__ import annotations

import msgspec

from sampan.apiserver.registry.keys import ROOT
from sampan.store.base import Conflict, KeyExists, Store

PREFIX = f"{ROOT}masterleases/"
LEASE_SECONDS = 15


class MasterLeases:
    """Every call may raise StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def renew(self, address: str) -> None:
        key = PREFIX + address
        held = await self._store.get(key)
        while True:
            try:
                if held is None:
                    await self._store.create(key, _value(address, 1), ttl_seconds=LEASE_SECONDS)
                else:
                    value = _value(address, _generation(held.value) + 1)
                    await self._store.update(key, value, held.revision, ttl_seconds=LEASE_SECONDS)
                return
            except KeyExists:
                held = await self._store.get(key)
            except Conflict as error:
                held = error.current

    async def remove(self, address: str) -> None:
        held = await self._store.get(PREFIX + address)
        while held is not None:
            try:
                await self._store.delete(held.key, held.revision)
                return
            except Conflict as error:
                held = error.current

    async def addresses(self) -> list[str]:
        """Of all servers that are alive, in order."""
        page = await self._store.list(PREFIX)
        return [entry.key.removeprefix(PREFIX) for entry in page.entries]


def _value(address: str, generation: int) -> bytes:
    lease = {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {"generation": generation},
        "subsets": [{"addresses": [{"ip": address}]}],
    }
    return msgspec.json.encode(lease)


def _generation(value: bytes) -> int:
    try:
        found = msgspec.json.decode(value)["metadata"]["generation"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return 0
    return found if isinstance(found, int) else 0

"""Keeps the status of policies: which generation was looked at, and what type checking has to say of it.

After pkg/controller/validatingadmissionpolicystatus, which runs beside the API server; here it is where the schemas are.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.context import Context
from sampan.apiserver.policies.typechecking import TypeChecker
from sampan.apiserver.registry.generic import Caller
from sampan.apiserver.registry.updating import Present
from sampan.apiserver.webhooks.configurations import GROUP, watch
from sampan.lib.log import get_logger
from sampan.store.base import StoreUnavailable

_MANAGER: Final = "validatingadmissionpolicy-status"
_RETRY_SECONDS: Final = 1.0

log = get_logger("apiserver")


class PolicyStatus:
    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._registry = context.registry(GROUP, "validatingadmissionpolicies")
        self._checker = TypeChecker(context)
        self._changed = asyncio.Event()
        self._changed.set()
        watch(context, (self._registry.cache,), self._changed.set)

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._look()
            except (StatusError, StoreUnavailable) as error:
                log.warning("status of policies not written", error=str(error))
                self._changed.set()
                await self._clock.sleep(_RETRY_SECONDS)

    async def _look(self) -> None:
        for obj in self._registry.cache.in_namespace(""):
            tree = obj.tree()
            if tree.get("status", {}).get("observedGeneration") != tree["metadata"].get("generation"):
                await self._write(tree)

    async def _write(self, tree: Tree) -> None:
        found = self._checker.warnings(tree.get("spec") or {})
        generation = tree["metadata"].get("generation")

        def change(present: Present) -> Tree:
            policy = present.own()
            if policy["metadata"].get("generation") == generation:
                checked = {"expressionWarnings": found} if found else {}
                policy["status"] = {**(policy.get("status") or {}), "observedGeneration": generation, "typeChecking": checked}
            return policy

        by = Caller(field_manager=_MANAGER)
        try:
            await self._registry.update("", tree["metadata"]["name"], change, by, part=self._registry.status, must_match=False)
        except StatusError as error:
            if error.code != 404:
                raise

"""ValidatingAdmissionWebhook: webhooks that judge what is about to be stored, all at the same time.

After k8s.io/apiserver/pkg/admission/plugin/webhook/validating. Of several refusals the first in the webhooks' order counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import Attributes, Judge
from sampan.apiserver.webhooks.configurations import Hook
from sampan.apiserver.webhooks.hooks import Hooks
from sampan.apiserver.webhooks.matching import Concerned
from sampan.apiserver.webhooks.rules import is_exempt
from sampan.apiserver.webhooks.versioned import Versioned


class ValidatingWebhooks(Judge):
    name = "ValidatingAdmissionWebhook"

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return bool(self._hooks) and not is_exempt(resource)

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        concerned = self._hooks.concerned(attributes)
        return self._ask(attributes, concerned) if concerned else None

    async def _ask(self, attributes: Attributes, concerned: Sequence[Concerned[Hook]]) -> None:
        versioned = Versioned(attributes, self._hooks.equivalents)
        namespace = self._hooks.namespace(attributes)
        relevant: list[tuple[Hook, Resource]] = []
        for each in concerned:
            target = self._hooks.target(each, attributes, attributes.object, namespace)
            if target is not None and await self._wants(each.who, attributes, target, versioned):
                relevant.append((each.who, target))
        if not relevant:
            return
        await attributes.end_turn()
        calls = [self._call(hook, attributes, target, versioned) for hook, target in relevant]
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer

    async def _wants(self, hook: Hook, attributes: Attributes, target: Resource, versioned: Versioned) -> bool:
        shown, old = await versioned.shown(target), await versioned.old(target)
        return self._hooks.wants(hook, attributes, target, shown, old)

    async def _call(self, hook: Hook, attributes: Attributes, target: Resource, versioned: Versioned) -> None:
        shown, old = await versioned.shown(target), await versioned.old(target)
        await self._hooks.caller.ask(hook, attributes, target, shown, old)

"""ResourceQuota: a namespace uses no more than its quotas allow, however many create in it at once.

What a write uses is counted in the status of the quotas before the write is stored; `quotaqueue.py` does the counting. Writes
that no quota is about, and most updates, wait for nothing.

After k8s.io/apiserver/pkg/admission/plugin/resourcequota. https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from sampan.api.errors import StatusError
from sampan.api.quota.charging import Limited, Refused, Uncovered, Write
from sampan.api.quota.usage import IGNORED, evaluator_for
from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes, Judge
from sampan.apiserver.admission.quotaqueue import QuotaQueue, Standings
from sampan.apiserver.registry.generic import Registry
from sampan.lib.clock import Clock
from sampan.lib.tasks import Tasks


class ResourceQuota(Judge):
    name = "ResourceQuota"

    def __init__(self, quotas: Registry, clock: Clock, tasks: Tasks, limited: Sequence[Limited]) -> None:
        self._standings = Standings(quotas)
        self._limited = limited
        self._clock = clock
        self._tasks = tasks
        self._queues: dict[str, QuotaQueue] = {}

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        if not resource.namespaced or operation not in (CREATE, UPDATE) or (resource.group, resource.plural) in IGNORED:
            return False
        return evaluator_for(resource.group, resource.plural).handles(subresource, operation)

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        standing = self._standings.at(attributes.namespace)
        if not standing and not self._limited:
            return None
        write = self._write(attributes)
        try:
            charges = write.charges((found.quota for _, found in sorted(standing.items())), self._limited)
        except Refused as refusal:
            raise attributes.refused(str(refusal)) from None
        except Uncovered as error:
            raise StatusError(500, "", str(error)) from None
        if not charges or attributes.dry_run:
            return None
        return self._charge(attributes, write)

    def _write(self, attributes: Attributes) -> Write:
        assert attributes.object is not None, "creates and updates have an object"
        evaluator = evaluator_for(attributes.resource.group, attributes.resource.plural)
        is_status = attributes.subresource == "status"
        return Write(evaluator, attributes.object, attributes.old, self._clock.now(), is_status=is_status)

    async def _charge(self, attributes: Attributes, write: Write) -> None:
        queue = self._queues.get(attributes.namespace)
        if queue is None:
            queue = self._queues[attributes.namespace] = QuotaQueue(attributes.namespace, self._standings, self._begin)
        try:
            attributes.on_failure.append(await queue.charge(write))
        except Refused as refusal:
            raise attributes.refused(str(refusal)) from None

    def _begin(self, queue: QuotaQueue) -> None:
        self._tasks.start(self._work(queue), f"quotas of {queue.namespace}")

    async def _work(self, queue: QuotaQueue) -> None:
        await queue.work()
        if queue.idle and not self._standings.at(queue.namespace):  # else namespaces that are gone would be kept for ever
            self._queues.pop(queue.namespace, None)

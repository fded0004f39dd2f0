"""Writes pods' statuses to the API: only what changed, and from beside the pods' workers, so that an API server that is
slow or away never keeps a container from being started or stopped.

Also the last act of a pod's deletion is here: when all is stopped and torn down and the final status is written, the
agent deletes the object with a grace period of 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sampan.api.errors import CONFLICT, NOT_FOUND, StatusError
from sampan.api.types.core_v1 import Pod, PodStatus
from sampan.client.rest import STRATEGIC_PATCH, Client
from sampan.kubelet.status import same_but_foreign
from sampan.lib.log import get_logger
from sampan.lib.queue import WorkQueue
from sampan.lib.tasks import Tasks

log = get_logger("kubelet")

WRITERS = 4
ENDED = ("Succeeded", "Failed")
MERGED_BY = {"podIPs": "ip", "hostIPs": "ip"}
"""Status lists that a strategic patch merges by a key: what is to go from them must be named."""


class _Entry:
    __slots__ = ("delete", "pod", "seen", "server", "version", "wanted")

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.server = pod.status
        self.version = _version(pod)
        """The object's when its status was `server`."""
        self.seen = pod
        self.wanted = pod.status
        self.delete = False

    def reconcile(self) -> bool:
        """Look at what was seen last; whether somebody else changed what is ours to say."""
        if _version(self.seen) <= self.version or self.seen.status.phase in ENDED:
            return False
        self.version = _version(self.seen)
        if same_but_foreign(self.seen.status, self.server):
            return False
        self.server = self.seen.status
        return True


class StatusWriter:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._entries: dict[str, _Entry] = {}
        self._queue: WorkQueue[str] = WorkQueue(client.clock)

    def current(self, pod: Pod) -> PodStatus:
        """The status as far as we know: what we want written, with others' conditions from the API."""
        entry = self._entries.get(pod.metadata.uid)
        if entry is None:
            return pod.status
        ours = {c.type for c in entry.wanted.conditions}
        foreign = [c for c in pod.status.conditions if c.type not in ours]
        if not foreign:
            return entry.wanted
        made: PodStatus = msgspec.structs.replace(entry.wanted, conditions=[*entry.wanted.conditions, *foreign])
        return made

    def set(self, pod: Pod, status: PodStatus) -> None:
        entry = self._entries.get(pod.metadata.uid)
        if entry is None:
            entry = self._entries[pod.metadata.uid] = _Entry(pod)
        entry.pod, entry.wanted = pod, status
        if status != entry.server:
            self._queue.add(pod.metadata.uid)

    def see(self, pod: Pod) -> None:
        """The object changed. What others said in our place (a node controller that did not hear of us, that the pod is not
        ready) is said anew."""
        entry = self._entries.get(pod.metadata.uid)
        if entry is not None:
            entry.seen = pod
            if entry.reconcile():
                self._queue.add(pod.metadata.uid)

    def delete(self, pod: Pod) -> None:
        """Nothing of the pod is left on this node: let its object go."""
        entry = self._entries.setdefault(pod.metadata.uid, _Entry(pod))
        entry.pod, entry.delete = pod, True
        self._queue.add(pod.metadata.uid)

    def forget(self, uid: str) -> None:
        self._entries.pop(uid, None)

    async def run(self) -> None:
        async with Tasks() as tasks:
            workers = [tasks.start(self._work(), f"status writer {n}") for n in range(WRITERS)]
            for worker in workers:
                await worker

    async def _work(self) -> None:
        while True:
            uid = await self._queue.get()
            try:
                await self._write(uid)
                self._queue.forget(uid)
            except (StatusError, ConnectionError, TimeoutError) as error:
                log.warning("pod status not written", uid=uid, error=str(error))
                self._queue.add_rate_limited(uid)
            finally:
                self._queue.done(uid)

    async def _write(self, uid: str) -> None:
        entry = self._entries.get(uid)
        if entry is None:
            return
        meta = entry.pod.metadata
        wanted, delete = entry.wanted, entry.delete
        try:
            patch = status_patch(entry.server, wanted)
            if patch:
                body = {"metadata": {"uid": uid}, "status": patch}
                made = await self._client.patch(
                    Pod, meta.name, meta.namespace, body, type=STRATEGIC_PATCH, subresource="status"
                )  # fmt: skip
                entry.server, entry.version = wanted, _version(made)
                if entry.reconcile():
                    self._queue.add(uid)
            if delete:
                await self._client.delete(Pod, meta.name, meta.namespace, grace_seconds=0, uid=uid)
        except StatusError as error:
            if error.reason not in (NOT_FOUND, CONFLICT):
                raise
            # The object is gone, or another pod has its name.
            log.debug("pod status has no object", pod=f"{meta.namespace}/{meta.name}", error=error.message)
            self._entries.pop(uid, None)


def _version(pod: Pod) -> int:
    return int(pod.metadata.resourceVersion or 0)


def status_patch(old: PodStatus, new: PodStatus) -> dict[str, Any]:
    """A strategic merge patch that makes `old` into `new`; {} if they are equal."""
    before: Mapping[str, Any] = msgspec.to_builtins(old)
    after: Mapping[str, Any] = msgspec.to_builtins(new)
    patch: dict[str, Any] = {}
    for name in before.keys() | after.keys():
        if before.get(name) == after.get(name):
            continue
        if name == "conditions":
            patch[name] = _conditions(before.get(name, []), after.get(name, []))
        elif name in MERGED_BY:
            patch[name] = _merged(before.get(name, []), after.get(name, []), MERGED_BY[name])
        else:
            patch[name] = after.get(name)
    return patch


def _conditions(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    before = {c["type"]: c for c in old}
    changed = []
    for condition in new:
        past = before.get(condition["type"])
        if past != condition:
            # What the condition no longer says must be taken away by name.
            changed.append({**dict.fromkeys(past or {}), **condition})
    return changed


def _merged(old: list[dict[str, Any]], new: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    kept = {entry[key] for entry in new}
    return [*new, *({"$patch": "delete", key: entry[key]} for entry in old if entry[key] not in kept)]

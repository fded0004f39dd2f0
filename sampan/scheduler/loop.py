"""The scheduler itself: take a pod, find a node, assume it there, and bind it through the API while the next is considered.

Choosing is synchronous and touches nothing but the node table, so pods are placed one after the other, each seeing the
ones before. Binding is a request and takes its time; many run at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np

from sampan.api.errors import StatusError
from sampan.api.types.apps_v1 import ReplicaSet
from sampan.api.types.core_v1 import Binding, Namespace, Node, ObjectReference, Pod, Service
from sampan.api.types.meta_v1 import ObjectMeta, Status
from sampan.client.events import NORMAL, WARNING, EventRecorder
from sampan.client.informer import InformerFactory
from sampan.client.rest import STRATEGIC_PATCH, Client
from sampan.lib.clock import rfc3339
from sampan.lib.log import get_logger
from sampan.lib.metrics import Counter, Gauge, Histogram
from sampan.lib.tasks import Tasks
from sampan.scheduler.cache import NodeTable
from sampan.scheduler.framework import Framework, Unschedulable
from sampan.scheduler.plugins import default_plugins
from sampan.scheduler.podinfo import PodInfo, pod_info
from sampan.scheduler.queue import Entry, SchedulingQueue
from sampan.scheduler.selection import Selections

SCHEDULER_NAME = "default-scheduler"
MAX_BINDINGS = 16
"""Binding requests under way at one time, each on a connection of its own: more cost handshakes and gain nothing."""
UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"

ATTEMPTS = Counter("scheduler_schedule_attempts", "Attempts to schedule pods, by the result.", ("result", "profile"))
ALGORITHM_SECONDS = Histogram("scheduler_scheduling_algorithm_duration_seconds", "Latency of choosing a node.")
PENDING = Gauge("scheduler_pending_pods", "Pods that wait, by the place they wait in.", ("queue",))

log = get_logger("scheduler")


class Scheduler:
    """Schedules the pods that name `default-scheduler`, until cancelled."""

    def __init__(self, client: Client, *, informers: InformerFactory | None = None, seed: int | None = None) -> None:
        self._client = client
        self._clock = client.clock
        self._own_informers = informers is None
        self._informers = informers or InformerFactory(client)
        self._nodes = self._informers.informer(Node)
        self._pods = self._informers.informer(Pod, fields=UNFINISHED)
        self._services = self._informers.informer(Service)
        self._replica_sets = self._informers.informer(ReplicaSet)
        self._namespaces = self._informers.informer(Namespace)
        self._events = EventRecorder(client, SCHEDULER_NAME)
        self._queue = SchedulingQueue(self._clock)
        self._table = NodeTable()
        filters, scores = default_plugins(Selections(self._services, self._replica_sets))
        self._framework = Framework(filters, scores, np.random.default_rng(seed))
        self._bindings = asyncio.Semaphore(MAX_BINDINGS)

    async def run(self) -> None:
        self._nodes.add_handler(self._on_node)
        self._pods.add_handler(self._on_pod)
        self._namespaces.add_handler(self._on_namespace)
        async with Tasks() as tasks:
            if self._own_informers:
                tasks.start(self._informers.run(), "scheduler-informers")
            tasks.start(self._events.run(), "scheduler-events")
            for informer in (self._namespaces, self._nodes, self._pods, self._services, self._replica_sets):
                await informer.wait_synced()
            tasks.start(self._queue.run(), "scheduler-queue")
            log.info("started", nodes=len(self._table), pending=len(self._queue))
            while True:
                entry = await self._queue.pop()
                await self._bindings.acquire()
                self._schedule(entry, tasks)

    # What the cluster tells us

    def _on_node(self, old: Node | None, new: Node | None) -> None:
        if new is not None:
            if self._table.set_node(new):
                self._queue.move()
        elif old is not None:
            self._table.remove_node(old.metadata.name)

    def _on_pod(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            if old is not None:
                self._forget(old.metadata.uid)
        elif new.spec.nodeName:
            self._on_assigned(old, new)
        elif new.spec.schedulerName == SCHEDULER_NAME and not new.spec.schedulingGates:
            if new.metadata.deletionTimestamp:
                self._queue.remove(new.metadata.uid)
            elif old is None or old.spec != new.spec or old.metadata.labels != new.metadata.labels:
                self._queue.add(pod_info(new, self._namespace_labels(new)))

    def _on_assigned(self, old: Pod | None, new: Pod) -> None:
        """A pod on its node counts there; most of its updates are of status and change nothing for us."""
        self._queue.remove(new.metadata.uid)
        placed = self._table.placed.get(new.metadata.uid)
        labels = self._namespace_labels(new)
        if placed is not None and placed.node == new.spec.nodeName and _asks_the_same(placed.info, new, labels):
            return
        info = pod_info(new, labels)
        self._table.place(info, new.spec.nodeName)
        self._queue.move(lambda waiting: bool(waiting.affinity or waiting.spread))

    def _namespace_labels(self, pod: Pod) -> Mapping[str, str]:
        namespace = self._namespaces.get(pod.metadata.namespace)
        return namespace.metadata.labels if namespace else {}

    def _on_namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        """Affinity terms may mean namespaces by their labels, so pods carry those; they seldom change."""
        if new is None or new.metadata.labels == (old.metadata.labels if old else {}):
            return
        for pod in self._pods.list(new.metadata.name):
            self._on_pod(None, pod)

    def _forget(self, uid: str) -> None:
        self._queue.remove(uid)
        if self._table.remove(uid):
            self._queue.move()

    # One pod

    def _schedule(self, entry: Entry, tasks: Tasks) -> None:
        """Choose a node and start the binding; releases the caller's place among the bindings when that is done."""
        info = entry.info
        for queue, count in self._queue.pending().items():
            PENDING.labels(queue).set(count)
        try:
            with ALGORITHM_SECONDS.time():
                node = self._framework.select(self._table, info)
        except Unschedulable as unschedulable:
            ATTEMPTS.labels("unschedulable", SCHEDULER_NAME).inc()
            tasks.start(self._report(entry, str(unschedulable)), f"report-{info.key}")
            return
        self._table.place(info, node)
        tasks.start(self._bind(entry, node), f"bind-{info.key}")

    async def _bind(self, entry: Entry, node: str) -> None:
        info = entry.info
        meta = ObjectMeta(name=info.pod.metadata.name, namespace=info.namespace, uid=info.uid)
        binding = Binding(metadata=meta, target=ObjectReference(kind="Node", name=node))
        try:
            await self._client.create_subresource(Pod, meta.name, meta.namespace, "binding", binding, Status)
        except (StatusError, OSError, TimeoutError) as error:
            # If the binding went through after all, the informer will say so and take the pod out of the queue.
            log.warning("binding failed", pod=info.key, node=node, error=str(error))
            ATTEMPTS.labels("error", SCHEDULER_NAME).inc()
            self._undo(info, node)
            self._queue.retry(entry)
        else:
            ATTEMPTS.labels("scheduled", SCHEDULER_NAME).inc()
            self._events.event(info.pod, NORMAL, "Scheduled", f"Successfully assigned {info.key} to {node}")
        finally:
            self._bindings.release()

    def _undo(self, info: PodInfo, node: str) -> None:
        """Take back an assumption, unless the informer has confirmed the pod's place in the meantime."""
        current = self._pods.get(info.pod.metadata.name, info.namespace)
        if current is None or current.metadata.uid != info.uid or not current.spec.nodeName:
            self._table.remove(info.uid)

    async def _report(self, entry: Entry, message: str) -> None:
        info = entry.info
        self._queue.park(entry)
        self._events.event(info.pod, WARNING, "FailedScheduling", message)
        try:
            await self._set_condition(info.pod, message)
        except (StatusError, OSError, TimeoutError) as error:
            log.warning("cannot report an unschedulable pod", pod=info.key, error=str(error))
        finally:
            self._bindings.release()

    async def _set_condition(self, pod: Pod, message: str) -> None:
        current = self._pods.get(pod.metadata.name, pod.metadata.namespace) or pod
        for condition in current.status.conditions:
            if condition.type == "PodScheduled" and (condition.status, condition.message) == ("False", message):
                return
        condition_patch = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": rfc3339(self._clock.now()),
        }
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition_patch]}}
        await self._client.patch(
            Pod, pod.metadata.name, pod.metadata.namespace, patch, type=STRATEGIC_PATCH, subresource="status"
        )  # fmt: skip


def _asks_the_same(known: PodInfo, new: Pod, namespace_labels: Mapping[str, str]) -> bool:
    """Whether nothing changed that counts on a node; binding itself set nodeName."""
    old = known.pod
    return (
        known.namespace_labels == namespace_labels
        and old.metadata.labels == new.metadata.labels
        and bool(old.metadata.deletionTimestamp) == bool(new.metadata.deletionTimestamp)
        and old.spec.containers == new.spec.containers
    )

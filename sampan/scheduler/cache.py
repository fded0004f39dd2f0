"""The nodes as columns, and the pods on them.

A row of every array is one node. Filters and scores read whole columns, so their cost is that of a few numpy calls, whatever
the number of nodes. A pod is *assumed* the moment a node is chosen for it, before the API server has heard of it, so that
the next pod sees the room as taken.

`static_version` rises when what nodes are (labels, taints, unschedulable, existence) changes; placing pods leaves it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sampan.api.types.core_v1 import Node, Taint
from sampan.scheduler.counts import PodCounts
from sampan.scheduler.podinfo import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, PodInfo, allocatable_amounts

Mask = npt.NDArray[np.bool_]
Amounts = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float64]

FIRST_ROWS = 64
FIRST_RESOURCES = (CPU, MEMORY, EPHEMERAL_STORAGE, PODS)


class Placed(NamedTuple):
    info: PodInfo
    node: str


class LabelColumn:
    """One label key over all nodes: `codes[row]` is 0 where the label is missing, else the code of its value."""

    def __init__(self, size: int) -> None:
        self.codes: Codes = np.zeros(size, np.int32)
        self.values: dict[str, int] = {}

    def set(self, row: int, value: str | None) -> None:
        self.codes[row] = 0 if value is None else self.values.setdefault(value, len(self.values) + 1)


class NodeTable:
    def __init__(self) -> None:
        self.size = FIRST_ROWS
        self.rows: dict[str, int] = {}
        self.nodes: list[Node | None] = [None] * self.size
        self.valid: Mask = np.zeros(self.size, np.bool_)
        self.unschedulable: Mask = np.zeros(self.size, np.bool_)
        self.resources: dict[str, int] = {name: i for i, name in enumerate(FIRST_RESOURCES)}
        self.allocatable: Amounts = np.zeros((len(FIRST_RESOURCES), self.size), np.int64)
        self.requested: Amounts = np.zeros((len(FIRST_RESOURCES), self.size), np.int64)
        self.scored: Amounts = np.zeros((2, self.size), np.int64)
        """Requested milli-CPU and bytes of memory, counting defaults for pods that request nothing."""
        self.taints: dict[tuple[str, str, str], int] = {}
        self.tainted: Mask = np.zeros((0, self.size), np.bool_)
        """[taint code, row]: which nodes have which distinct taint."""
        self.ports: dict[tuple[str, int], dict[int, list[str]]] = {}
        """(protocol, host port) → row → host IPs in use."""
        self.labels: dict[str, LabelColumn] = {}
        self.static_version = 0
        self.placed: dict[str, Placed] = {}
        self._on_node: dict[str, dict[str, PodInfo]] = {}
        self._free = list(range(self.size - 1, -1, -1))
        self.counts = PodCounts(self)

    def __len__(self) -> int:
        return len(self.rows)

    # Nodes

    def set_node(self, node: Node) -> bool:
        """Add or update; whether something that matters to scheduling changed."""
        name = node.metadata.name
        row = self.rows.get(name)
        old = None if row is None else self.nodes[row]
        if row is None:
            row = self._take_row()
            self.rows[name] = row
        self.nodes[row] = node
        if old is not None and old.status.allocatable == node.status.allocatable and _same_statics(old, node):
            return False
        if old is None or old.status.allocatable != node.status.allocatable:
            self._set_allocatable(row, allocatable_amounts(node.status.allocatable))
        if old is None or not _same_statics(old, node):
            self._set_statics(row, node)
        if old is None:
            for info in self._on_node.get(name, {}).values():
                self._count(row, info, 1)
        return True

    def remove_node(self, name: str) -> None:
        """Its pods stay known, in case the node comes back before they are deleted."""
        row = self.rows.get(name)
        if row is None:
            return
        for info in self._on_node.get(name, {}).values():
            self._count(row, info, -1)
        del self.rows[name]
        self.nodes[row] = None
        self.valid[row] = False
        self.allocatable[:, row] = 0
        self.tainted[:, row] = False
        for column in self.labels.values():
            column.set(row, None)
        self._free.append(row)
        self.static_version += 1

    def _take_row(self) -> int:
        if not self._free:
            self._grow()
        return self._free.pop()

    def _grow(self) -> None:
        old, self.size = self.size, self.size * 2
        more = (0, self.size - old)
        self.nodes += [None] * more[1]
        self.valid = np.pad(self.valid, more)
        self.unschedulable = np.pad(self.unschedulable, more)
        self.allocatable = np.pad(self.allocatable, ((0, 0), more))
        self.requested = np.pad(self.requested, ((0, 0), more))
        self.scored = np.pad(self.scored, ((0, 0), more))
        self.tainted = np.pad(self.tainted, ((0, 0), more))
        for column in self.labels.values():
            column.codes = np.pad(column.codes, more)
        self.counts.grow(self.size)
        self._free = list(range(self.size - 1, old - 1, -1))

    def _set_allocatable(self, row: int, amounts: Mapping[str, int]) -> None:
        self.allocatable[:, row] = 0
        for name, amount in amounts.items():
            index = self._resource(name)  # may replace the arrays, so it comes first
            self.allocatable[index, row] = amount

    def _resource(self, name: str) -> int:
        index = self.resources.get(name)
        if index is None:
            index = self.resources[name] = len(self.resources)
            self.allocatable = np.pad(self.allocatable, ((0, 1), (0, 0)))
            self.requested = np.pad(self.requested, ((0, 1), (0, 0)))
        return index

    def _set_statics(self, row: int, node: Node) -> None:
        self.valid[row] = True
        self.unschedulable[row] = bool(node.spec.unschedulable)
        self.tainted[:, row] = False
        for taint in node.spec.taints:
            code = self._taint(taint)  # may replace the array, so it comes first
            self.tainted[code, row] = True
        for key, column in self.labels.items():
            column.set(row, node.metadata.labels.get(key))
        self.static_version += 1

    def _taint(self, taint: Taint) -> int:
        identity = (taint.key, taint.value, taint.effect)
        code = self.taints.get(identity)
        if code is None:
            code = self.taints[identity] = len(self.taints)
            self.tainted = np.pad(self.tainted, ((0, 1), (0, 0)))
        return code

    def label(self, key: str) -> LabelColumn:
        """The column of a label key, made when it is first asked for."""
        column = self.labels.get(key)
        if column is None:
            column = self.labels[key] = LabelColumn(self.size)
            for row in self.rows.values():
                node = self.nodes[row]
                if node is not None:
                    column.set(row, node.metadata.labels.get(key))
        return column

    # Pods

    def place(self, info: PodInfo, node: str) -> None:
        """Count the pod on the node; placing it again, there or elsewhere, replaces what was counted."""
        if info.uid in self.placed:
            self.remove(info.uid)
        self.placed[info.uid] = Placed(info, node)
        self._on_node.setdefault(node, {})[info.uid] = info
        row = self.rows.get(node)
        if row is not None:
            self._count(row, info, 1)

    def remove(self, uid: str) -> bool:
        """Whether the pod was there."""
        placed = self.placed.pop(uid, None)
        if placed is None:
            return False
        pods = self._on_node[placed.node]
        del pods[uid]
        if not pods:
            del self._on_node[placed.node]
        row = self.rows.get(placed.node)
        if row is not None:
            self._count(row, placed.info, -1)
        return True

    def _count(self, row: int, info: PodInfo, sign: int) -> None:
        for name, amount in info.requests.items():
            index = self._resource(name)
            self.requested[index, row] += sign * amount
        self.scored[0, row] += sign * info.scored_cpu
        self.scored[1, row] += sign * info.scored_memory
        for ip, protocol, port in info.host_ports:
            ips = self.ports.setdefault((protocol, port), {}).setdefault(row, [])
            if sign > 0:
                ips.append(ip)
            elif ip in ips:
                ips.remove(ip)
        self.counts.count(row, info, sign)


def _same_statics(old: Node, new: Node) -> bool:
    return (
        old.metadata.labels == new.metadata.labels
        and old.spec.taints == new.spec.taints
        and old.spec.unschedulable == new.spec.unschedulable
    )

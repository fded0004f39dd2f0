"""NodeAffinity: node selectors, required node affinity (a filter), preferred node affinity (a score)."""

from __future__ import annotations

import numpy as np

from sampan.api.integers import parse_int64
from sampan.api.types.core_v1 import NodeSelectorRequirement, NodeSelectorTerm
from sampan.scheduler.cache import Mask, NodeTable, Scores
from sampan.scheduler.framework import normalized
from sampan.scheduler.podinfo import PodInfo


class NodeAffinity:
    name = "NodeAffinity"
    static = True
    weight = 2

    def filter(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Mask | None:
        return required_mask(table, pod)

    def reasons(self, table: NodeTable, pod: PodInfo, row: int) -> list[str]:
        return ["node(s) didn't match Pod's node affinity/selector"]

    def resolvable(self, table: NodeTable, pod: PodInfo, row: int) -> bool:
        return False

    def score(self, table: NodeTable, pod: PodInfo, candidates: Mask) -> Scores | None:
        affinity = pod.pod.spec.affinity
        if not affinity or not affinity.nodeAffinity:
            return None
        preferred = affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution
        if not preferred:
            return None
        raw = np.zeros(table.size)
        for each in preferred:
            if each.preference is not None:
                raw += each.weight * term_mask(table, each.preference)
        return normalized(raw, candidates)


def required_mask(table: NodeTable, pod: PodInfo) -> Mask | None:
    """Nodes that nodeSelector and required node affinity allow; None: all."""
    spec = pod.pod.spec
    mask: Mask | None = None
    for key, value in spec.nodeSelector.items():
        column = table.label(key)
        code = column.values.get(value, -1)
        found = column.codes == code
        mask = found if mask is None else mask & found
    node_affinity = spec.affinity.nodeAffinity if spec.affinity else None
    required = node_affinity.requiredDuringSchedulingIgnoredDuringExecution if node_affinity else None
    if required is not None:
        found = np.zeros(table.size, np.bool_)
        for term in required.nodeSelectorTerms:
            found |= term_mask(table, term)
        mask = found if mask is None else mask & found
    return mask


def term_mask(table: NodeTable, term: NodeSelectorTerm) -> Mask:
    """Nodes that meet every requirement of the term; a term without requirements matches none."""
    if not term.matchExpressions and not term.matchFields:
        return np.zeros(table.size, np.bool_)
    mask = np.ones(table.size, np.bool_)
    for requirement in term.matchExpressions:
        mask &= _expression_mask(table, requirement)
    for requirement in term.matchFields:
        mask &= _name_mask(table, requirement)
    return mask


def _expression_mask(table: NodeTable, requirement: NodeSelectorRequirement) -> Mask:
    column = table.label(requirement.key)
    labelled: Mask = column.codes != 0
    match requirement.operator:
        case "Exists":
            return labelled
        case "DoesNotExist":
            return ~labelled
        case "In" | "NotIn":
            wanted = [column.values[value] for value in requirement.values if value in column.values]
            found = np.isin(column.codes, wanted)
            return found if requirement.operator == "In" else ~found
    # Gt and Lt compare integers; a label that is none, like a missing one, does not match.
    bound = _integer(requirement.values[0] if requirement.values else "")
    codes = []
    for value, code in column.values.items():
        number = _integer(value)
        if bound is not None and number is not None and (number > bound if requirement.operator == "Gt" else number < bound):
            codes.append(code)
    return np.isin(column.codes, codes)


def _name_mask(table: NodeTable, requirement: NodeSelectorRequirement) -> Mask:
    """metadata.name is the one field that may be asked for."""
    named = np.zeros(table.size, np.bool_)
    for name in requirement.values:
        if name in table.rows:
            named[table.rows[name]] = True
    return named if requirement.operator == "In" else ~named


def _integer(text: str) -> int | None:
    try:
        return parse_int64(text)
    except ValueError:
        return None

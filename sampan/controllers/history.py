"""Revisions of a deployment: which replica set is which, how they are named and annotated, which may go.

After upstream's pkg/controller/deployment/util/deployment_util.go. `kubectl rollout history` and `undo` read these
annotations and templates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sampan.api.types.apps_v1 import Deployment, ReplicaSet, ReplicaSetSpec
from sampan.api.types.core_v1 import PodTemplateSpec
from sampan.api.types.meta_v1 import LabelSelector, ObjectMeta
from sampan.client.codec import clone
from sampan.controllers.ownership import controller_reference

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ROLLBACK_TO = "deprecated.deployment.rollback.to"
NOT_COPIED = frozenset((LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, ROLLBACK_TO))

HISTORY_CHARACTERS = 2000
NO_LIMIT = 2**31 - 1
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def by_age(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Oldest first; of equals by name."""
    return sorted(sets, key=lambda rs: (rs.metadata.creationTimestamp, rs.metadata.name))


def template_bytes(template: PodTemplateSpec | None) -> bytes:
    """What makes two templates the same: everything but the hash label."""
    if template is None:
        return b""
    labels = {k: v for k, v in template.metadata.labels.items() if k != HASH_LABEL}
    bare = msgspec.structs.replace(template, metadata=msgspec.structs.replace(template.metadata, labels=labels))
    return msgspec.json.encode(bare, order="deterministic")


def template_hash(template: PodTemplateSpec | None, collisions: int | None) -> str:
    """A name-safe hash (no vowels, so no words) of the template; `collisions` makes another one after a clash."""
    value = 0x811C9DC5  # FNV-1a, 32 bits
    for byte in template_bytes(template) + (b"" if collisions is None else collisions.to_bytes(8, "little")):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(value))


def find_new(d: Deployment, sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The replica set of the present template; of several the oldest."""
    template = template_bytes(d.spec.template)
    for rs in by_age(sets):
        if template_bytes(rs.spec.template) == template:
            return rs
    return None


def revision_of(obj: Deployment | ReplicaSet) -> int:
    text = obj.metadata.annotations.get(REVISION, "")
    return int(text) if text.isdigit() else 0


def next_revision(old: Iterable[ReplicaSet]) -> int:
    return max(map(revision_of, old), default=0) + 1


def make_replica_set(d: Deployment, replicas: int, max_replicas: int, old: Iterable[ReplicaSet]) -> ReplicaSet:
    """The replica set of the present template, to be created."""
    digest = template_hash(d.spec.template, d.status.collisionCount)
    template = clone(d.spec.template) or PodTemplateSpec()
    template.metadata.labels[HASH_LABEL] = digest
    selector = clone(d.spec.selector) or LabelSelector()
    selector.matchLabels[HASH_LABEL] = digest
    annotations = {k: v for k, v in d.metadata.annotations.items() if k not in NOT_COPIED}
    annotations[REVISION] = str(next_revision(old))
    annotations.update(size_annotations(d, max_replicas))
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{d.metadata.name}-{digest}",
            namespace=d.metadata.namespace,
            labels=template.metadata.labels,
            annotations=annotations,
            ownerReferences=[controller_reference(d)],
        ),
        spec=ReplicaSetSpec(
            replicas=replicas, minReadySeconds=d.spec.minReadySeconds, selector=selector, template=template
        ),
    )  # fmt: skip


def size_annotations(d: Deployment, max_replicas: int) -> dict[str, str]:
    """What proportional scaling compares with later."""
    desired = 1 if d.spec.replicas is None else d.spec.replicas
    return {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(max_replicas)}


def plan_new_set_patch(d: Deployment, new: ReplicaSet, old: Iterable[ReplicaSet]) -> dict[str, Any]:
    """What brings the new replica set's annotations and minReadySeconds up to date, as a merge patch; {}: nothing."""
    have = new.metadata.annotations
    annotations = {k: v for k, v in d.metadata.annotations.items() if k not in NOT_COPIED and have.get(k) != v}
    revision = next_revision(old)
    if revision_of(new) < revision:
        annotations[REVISION] = str(revision)
        if REVISION in have:
            annotations[REVISION_HISTORY] = _longer_history(have.get(REVISION_HISTORY, ""), have[REVISION])
    patch: dict[str, Any] = {"metadata": {"annotations": annotations}} if annotations else {}
    if (new.spec.minReadySeconds or 0) != (d.spec.minReadySeconds or 0):
        patch["spec"] = {"minReadySeconds": d.spec.minReadySeconds or 0}
    return patch


def _longer_history(history: str, revision: str) -> str:
    revisions = [r for r in history.split(",") if r]
    if revision not in revisions:
        revisions.append(revision)
    while len(",".join(revisions)) > HISTORY_CHARACTERS:
        del revisions[0]
    return ",".join(revisions)


def plan_cleanup(d: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Replica sets beyond revisionHistoryLimit, those of the oldest revisions, that have nothing left in them."""
    limit = d.spec.revisionHistoryLimit
    if limit is None or limit == NO_LIMIT:
        return []
    kept = sorted((rs for rs in old if not rs.metadata.deletionTimestamp), key=revision_of)
    return [rs for rs in kept[: max(0, len(kept) - limit)] if _is_empty(rs)]


def _is_empty(rs: ReplicaSet) -> bool:
    seen = (rs.metadata.generation or 0) <= (rs.status.observedGeneration or 0)
    return rs.status.replicas == 0 and rs.spec.replicas == 0 and seen

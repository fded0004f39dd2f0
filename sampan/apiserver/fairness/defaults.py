"""The FlowSchemas and PriorityLevelConfigurations that upstream puts into every cluster.

The mandatory ones always are as they stand here; the suggested ones are kept so until somebody says that they are his, by
the annotation `apf.kubernetes.io/autoupdate-spec: "false"` or by editing them.
https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#defaults
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sampan.api.groups.flowcontrol import mandatory
from sampan.api.resource import Tree

AUTO_UPDATE: Final = "apf.kubernetes.io/autoupdate-spec"

_MANAGER = "system:kube-controller-manager"
_SCHEDULER = "system:kube-scheduler"
_NODES = "system:nodes"
_EVERYBODY = ("system:unauthenticated", "system:authenticated")
_LEASE_VERBS = ("get", "create", "update")

BY_USER: Final = "ByUser"
BY_NAMESPACE: Final = "ByNamespace"


def _object(name: str, spec: Tree) -> Tree:
    return {"metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}}, "spec": spec}


def _queued(name: str, shares: int, lendable_percent: int, queues: int = 128, hand_size: int = 6) -> Tree:
    queuing = {"queues": queues, "handSize": hand_size, "queueLengthLimit": 50}
    limited = {
        "nominalConcurrencyShares": shares,
        "lendablePercent": lendable_percent,
        "limitResponse": {"type": "Queue", "queuing": queuing},
    }
    return _object(name, {"type": "Limited", "limited": limited})


def _subjects(groups: Sequence[str] = (), users: Sequence[str] = (), system_accounts: Sequence[str] = ()) -> list[Tree]:
    subjects: list[Tree] = [{"kind": "Group", "group": {"name": name}} for name in groups]
    subjects += [{"kind": "User", "user": {"name": name}} for name in users]
    accounts = [{"name": name, "namespace": "kube-system"} for name in system_accounts]
    return subjects + [{"kind": "ServiceAccount", "serviceAccount": account} for account in accounts]


def _resources(groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str], *, cluster: bool = False) -> Tree:
    rule: Tree = {"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources), "namespaces": ["*"]}
    return {**rule, "clusterScope": True} if cluster else rule


def _paths(*paths: str, verb: str = "*") -> Tree:
    return {"verbs": [verb], "nonResourceURLs": list(paths)}


_ANY_RESOURCE: Final = _resources(["*"], ["*"], ["*"], cluster=True)
_LEASES: Final = _resources(["coordination.k8s.io"], ["leases"], _LEASE_VERBS)


def _schema(
    name: str,
    level: str,
    precedence: int,
    subjects: list[Tree],
    resources: Sequence[Tree],
    paths: Sequence[Tree],
    by: str = BY_USER,
) -> Tree:
    rule: Tree = {"subjects": subjects}
    if resources:
        rule["resourceRules"] = list(resources)
    if paths:
        rule["nonResourceRules"] = list(paths)
    spec: Tree = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": [rule]}
    if by:
        spec["distinguisherMethod"] = {"type": by}
    return _object(name, spec)


def _everything(name: str, level: str, precedence: int, subjects: list[Tree], by: str = BY_USER) -> Tree:
    return _schema(name, level, precedence, subjects, [_ANY_RESOURCE], [_paths("*")], by)


MANDATORY_LEVELS: Final[Sequence[Tree]] = tuple(_object(name, spec) for name, spec in mandatory.LEVELS.items())

SUGGESTED_LEVELS: Final[Sequence[Tree]] = (
    _queued("system", 30, 33, queues=64),
    _queued("node-high", 40, 25, queues=64),
    _queued("leader-election", 10, 0, queues=16, hand_size=4),
    _queued("workload-high", 40, 50),
    _queued("workload-low", 100, 90),
    _queued("global-default", 20, 50),
)

MANDATORY_SCHEMAS: Final[Sequence[Tree]] = tuple(_object(name, spec) for name, spec in mandatory.SCHEMAS.items())

SUGGESTED_SCHEMAS: Final[Sequence[Tree]] = (
    _schema(
        "probes", "exempt", 2, _subjects(_EVERYBODY), (), [_paths("/healthz", "/readyz", "/livez", verb="get")], by=""
    ),
    _schema(
        "system-leader-election", "leader-election", 100,
        _subjects(users=[_MANAGER, _SCHEDULER], system_accounts=["*"]), [_LEASES], (),
    ),
    _schema(
        "endpoint-controller", "workload-high", 150,
        _subjects(users=[_MANAGER], system_accounts=["endpoint-controller", "endpointslicemirroring-controller"]),
        [_resources([""], ["endpoints"], _LEASE_VERBS)], (),
    ),
    _schema(
        "workload-leader-election", "leader-election", 200, _subjects(system_accounts=["*"]),
        [_resources([""], ["endpoints", "configmaps"], _LEASE_VERBS), _LEASES], (),
    ),
    _schema(
        "system-node-high", "node-high", 400, _subjects([_NODES]),
        [
            _resources([""], ["nodes", "nodes/status"], ["*"], cluster=True),
            _resources(["coordination.k8s.io"], ["leases"], ["*"]),
        ], (),
    ),
    _everything("system-nodes", "system", 500, _subjects([_NODES])),
    _everything("kube-controller-manager", "workload-high", 800, _subjects(users=[_MANAGER]), BY_NAMESPACE),
    _everything("kube-scheduler", "workload-high", 800, _subjects(users=[_SCHEDULER]), BY_NAMESPACE),
    _everything("kube-system-service-accounts", "workload-high", 900, _subjects(system_accounts=["*"]), BY_NAMESPACE),
    _everything("service-accounts", "workload-low", 9000, _subjects(["system:serviceaccounts"])),
    _everything("global-default", "global-default", 9900, _subjects(_EVERYBODY)),
)  # fmt: skip

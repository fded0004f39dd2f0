"""The roles and bindings a cluster starts with, and keeping them: what is missing is put back at every start.

As upstream's post-start hook rbac/bootstrap-roles: rules, subjects and labels that are missing are added, what somebody added
stays, and an object annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.authz.bootstrap_controllers import CONTROLLERS
from sampan.apiserver.authz.bootstrap_roles import (
    AGGREGATED,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    FEEDS,
    ROLE_BINDINGS,
    ROLES,
)
from sampan.apiserver.authz.rules import Rule, missing
from sampan.apiserver.registry.generic import Caller, Registry

GROUP = "rbac.authorization.k8s.io"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE = "rbac.authorization.k8s.io/"
_CONTROLLER = "system:controller:"


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Rules from the notation of bootstrap_roles.py."""
    return tuple(_parse_rule(line) for line in text.splitlines() if line.strip())


def _parse_rule(line: str) -> Rule:
    parts = [tuple(part.split()) for part in line.split("|")]
    if len(parts) == 2:
        return Rule(parts[0], urls=parts[1])
    groups = tuple("" if group == "core" else group for group in parts[1])
    return Rule(parts[0], groups, parts[2], parts[3] if len(parts) > 3 else ())


NODE_RULES = parse_rules(CLUSTER_ROLES["system:node"])


def cluster_roles() -> Iterator[Tree]:
    texts = {**CLUSTER_ROLES, **{_CONTROLLER + name: text for name, text in CONTROLLERS.items()}}
    rules = {name: parse_rules(text) for name, text in texts.items()}
    for name in reversed(AGGREGATED):  # from view to admin, each made of the one before
        feeders = sorted(feeder for feeder, label in FEEDS.items() if label == AGGREGATED[name])
        rules[name] = tuple(dict.fromkeys(rule for feeder in feeders for rule in rules[feeder]))
    for name, found in sorted(rules.items()):
        tree = _object(name, rules=[rule.tree() for rule in found])
        if name in FEEDS:
            tree["metadata"]["labels"][_AGGREGATE + FEEDS[name]] = "true"
        if name in AGGREGATED:
            selector = {"matchLabels": {_AGGREGATE + AGGREGATED[name]: "true"}}
            tree["aggregationRule"] = {"clusterRoleSelectors": [selector]}
        yield tree


def cluster_role_bindings() -> Iterator[Tree]:
    for name, (role, subjects) in CLUSTER_ROLE_BINDINGS.items():
        yield _binding(name, "ClusterRole", role, subjects)
    for name in CONTROLLERS:
        subjects = f"ServiceAccount kube-system/{name}, User system:kube-controller-manager"
        yield _binding(_CONTROLLER + name, "ClusterRole", _CONTROLLER + name, subjects)


def roles() -> Iterator[Tree]:
    for (namespace, name), text in ROLES.items():
        yield _object(name, namespace, rules=[rule.tree() for rule in parse_rules(text)])


def role_bindings() -> Iterator[Tree]:
    for (namespace, name), (role, subjects) in ROLE_BINDINGS.items():
        yield _binding(name, "Role", role, subjects, namespace)


def _object(name: str, namespace: str = "", **fields: Any) -> Tree:
    metadata: Tree = {"name": name, "labels": dict(_LABELS), "annotations": {AUTOUPDATE: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"metadata": metadata, **fields}


def _binding(name: str, kind: str, role: str, subjects: str, namespace: str = "") -> Tree:
    tree = _object(name, namespace, roleRef={"apiGroup": GROUP, "kind": kind, "name": role})
    if subjects:
        tree["subjects"] = [_subject(text) for text in subjects.split(",")]
    return tree


def _subject(text: str) -> Tree:
    kind, name = text.split()
    if kind == "ServiceAccount":
        namespace, _, account = name.partition("/")
        return {"kind": kind, "name": account, "namespace": namespace}
    return {"apiGroup": GROUP, "kind": kind, "name": name}


async def reconcile(registry: Callable[[str, str], Registry]) -> None:
    """Bring the cluster's roles and bindings up to this policy; `registry(group, plural)` writes them."""
    wanted = (
        ("clusterroles", cluster_roles()),
        ("clusterrolebindings", cluster_role_bindings()),
        ("roles", roles()),
        ("rolebindings", role_bindings()),
    )
    # All at once, so that a store that commits in batches has few commits to make.
    await asyncio.gather(*(_ensure(registry(GROUP, plural), tree) for plural, trees in wanted for tree in trees))


async def _ensure(registry: Registry, tree: Tree) -> None:
    metadata = tree["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    present = registry.cache.get(namespace, name)
    try:
        if present is None:
            await registry.create(tree, namespace, Caller())
        elif _points_elsewhere(tree, present.tree()):
            await registry.remove(present)
            await registry.create(tree, namespace, Caller())
        elif reconciled(present.tree(), tree) != present.tree():
            await registry.update(namespace, name, lambda present: reconciled(present.own(), tree), Caller(), must_match=False)
    except StatusError as error:
        if error.code != 409:  # another server of the same store does the same
            raise


def _points_elsewhere(wanted: Tree, present: Tree) -> bool:
    """roleRef cannot be changed, so such a binding is made anew, unless it asked to be left alone."""
    return "roleRef" in wanted and wanted["roleRef"] != present.get("roleRef") and _is_kept_up(present)


def _is_kept_up(present: Tree) -> bool:
    annotations = present["metadata"].get("annotations") or {}
    return bool(annotations.get(AUTOUPDATE) != "false")


def reconciled(present: Tree, wanted: Tree) -> Tree:
    """`present` with what it lacks of `wanted`; the same tree if it lacks nothing or asks to be left alone."""
    if not _is_kept_up(present):
        return present
    metadata = dict(present["metadata"])
    for field in ("labels", "annotations"):
        metadata[field] = {**wanted["metadata"].get(field, {}), **(metadata.get(field) or {})}
    tree = {**present, "metadata": metadata}
    if "subjects" in wanted:
        have = present.get("subjects") or []
        tree["subjects"] = [*have, *(subject for subject in wanted["subjects"] if subject not in have)]
    if "aggregationRule" in wanted:
        # Its rules are the aggregation controller's to keep up.
        tree["aggregationRule"] = present.get("aggregationRule") or wanted["aggregationRule"]
    elif "rules" in wanted:
        have = present.get("rules") or []
        owned = [Rule.of(rule) for rule in have]
        lacking = [rule for rule in wanted["rules"] if missing(owned, [Rule.of(rule)])]
        tree["rules"] = [*have, *lacking]
    return tree

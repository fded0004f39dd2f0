"""Aggregated cluster roles: the rules of all cluster roles that an aggregation rule selects, such as `admin` and `edit`.

After upstream's pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import json, to_builtins

from sampan.api.selectors import from_label_selector
from sampan.api.types.rbac_v1 import ClusterRole, PolicyRule
from sampan.controllers.runtime import Context, Controller, Key, Watch, key_of


async def reconcile(ctx: Context, key: Key) -> None:
    role = ctx.get(ClusterRole, key)
    if role is None or role.aggregationRule is None:
        return
    rules = plan_rules(role, ctx.list(ClusterRole))
    if rules != role.rules:
        wanted = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": role.metadata.name}}
        if rules:
            wanted["rules"] = to_builtins(rules)
        await ctx.apply(role, wanted, "clusterrole-aggregation-controller")


def plan_rules(role: ClusterRole, all_roles: Iterable[ClusterRole]) -> list[PolicyRule]:
    """Selector by selector, each in the order of names, every rule once."""
    rules: dict[bytes, PolicyRule] = {}
    selected = sorted(all_roles, key=lambda other: other.metadata.name)
    for selector in map(from_label_selector, _selectors(role)):
        for other in selected:
            if other.metadata.name != role.metadata.name and selector.matches(other.metadata.labels):
                for rule in other.rules:
                    rules.setdefault(json.encode(rule), rule)
    return list(rules.values())


def _selectors(role: ClusterRole) -> Sequence[object]:
    return role.aggregationRule.clusterRoleSelectors if role.aggregationRule is not None else ()


def _aggregating(ctx: Context, changed: ClusterRole) -> Iterable[Key]:
    return [key_of(role) for role in ctx.list(ClusterRole) if role.aggregationRule is not None]


CONTROLLER = Controller(
    "clusterrole-aggregation-controller",
    for_=ClusterRole,
    watches=(Watch(ClusterRole, _aggregating),),
    reconcile=reconcile,
    workers=1,
)

from __future__ import annotations

from sampan.api.types.meta_v1 import LabelSelector, ObjectMeta
from sampan.api.types.rbac_v1 import AggregationRule, ClusterRole, PolicyRule
from tests.component.conftest import Api
from tests.component.controllers.world import world
from tests.unit.fakeapi import run


def role(name: str, resource: str) -> ClusterRole:
    rule = PolicyRule(apiGroups=["example.com"], resources=[resource], verbs=["get"])
    return ClusterRole(metadata=ObjectMeta(name=name, labels={"part-of": "sum"}), rules=[rule])


def test_an_aggregated_role_has_the_rules_of_all_that_it_selects(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            selector = LabelSelector(matchLabels={"part-of": "sum"})
            total = ClusterRole(
                metadata=ObjectMeta(name="sum"), aggregationRule=AggregationRule(clusterRoleSelectors=[selector])
            )
            await w.client.create(total)
            await w.client.create(role("b", "bees"))
            await w.client.create(role("a", "ants"))

            async def resources() -> list[list[str]]:
                return [rule.resources for rule in (await w.client.get(ClusterRole, "sum")).rules]

            async def are(*expected: str) -> bool:
                return await resources() == [[name] for name in expected]

            await w.until(lambda: are("ants", "bees"))
            owners = (await w.client.get(ClusterRole, "sum")).metadata.managedFields
            applied = [(each.manager, each.fieldsV1) for each in owners if each.operation == "Apply"]
            assert applied == [("clusterrole-aggregation-controller", {"f:rules": {}})]
            await w.client.delete(ClusterRole, "b")
            await w.until(lambda: are("ants"))
            await w.client.delete(ClusterRole, "a")
            await w.until(are)

    run(work())

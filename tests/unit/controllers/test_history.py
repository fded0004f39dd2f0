from __future__ import annotations

from sampan.api.types.core_v1 import Container, PodSpec, PodTemplateSpec
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers import history
from tests.unit.controllers.objects import deployment, replica_set


def template(image: str = "a", **labels: str) -> PodTemplateSpec:
    return PodTemplateSpec(metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=[Container(name="c", image=image)]))


def test_the_hash_is_stable_and_changes_with_template_and_collisions() -> None:
    digest = history.template_hash(template(), None)
    assert digest == history.template_hash(template(), None)
    assert digest == history.template_hash(template(**{history.HASH_LABEL: "x"}), None)
    assert len({digest, history.template_hash(template("b"), None), history.template_hash(template(), 1)}) == 3
    assert set(digest) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_the_order_of_labels_makes_no_other_template() -> None:
    assert history.template_hash(template(a="1", b="2"), None) == history.template_hash(template(b="2", a="1"), None)


def test_the_new_set_is_the_oldest_of_the_present_template() -> None:
    d = deployment(1, template=template("b", app="web"))
    sets = [
        replica_set("young", 1, template=template("b", app="web", **{history.HASH_LABEL: "2"}), age=1),
        replica_set("old", 1, template=template("b", app="web", **{history.HASH_LABEL: "1"}), age=9),
        replica_set("other", 1, template=template("a", app="web"), age=99),
    ]
    found = history.find_new(d, sets)
    assert found is not None
    assert found.metadata.name == "old"
    assert history.find_new(d, sets[2:]) is None


def test_a_new_set_carries_revision_sizes_and_annotations_but_not_kubectls() -> None:
    d = deployment(3)
    d.metadata.annotations = {"note": "x", history.LAST_APPLIED: "{}", history.REVISION: "7"}
    made = history.make_replica_set(d, 2, 4, [replica_set("a", 1, revision=4), replica_set("b", 1, revision=2)])
    assert made.metadata.annotations == {
        "note": "x", history.REVISION: "5", history.DESIRED_REPLICAS: "3", history.MAX_REPLICAS: "4",
    }  # fmt: skip
    assert made.spec.replicas == 2
    assert made.metadata.ownerReferences[0].uid == "web"
    assert d.spec.template is not None
    assert history.HASH_LABEL not in d.spec.template.metadata.labels, "the deployment itself is not changed"


def test_going_back_gives_a_new_revision_and_remembers_the_old() -> None:
    back = replica_set("a", 0, revision=1)
    patch = history.plan_new_set_patch(deployment(1), back, [replica_set("b", 1, revision=2)])
    assert patch == {"metadata": {"annotations": {history.REVISION: "3", history.REVISION_HISTORY: "1"}}}


def test_a_set_that_is_up_to_date_gets_no_patch() -> None:
    assert history.plan_new_set_patch(deployment(1), replica_set("a", 1, revision=2), [replica_set("b", 1, revision=1)]) == {}


def test_only_empty_sets_beyond_the_limit_go_oldest_revision_first() -> None:
    old = [replica_set(f"r{n}", 0, revision=n) for n in (3, 1, 2)]
    old.append(replica_set("busy", 1, revision=0))
    gone = [rs.metadata.name for rs in history.plan_cleanup(deployment(1, revisionHistoryLimit=1), old)]
    assert gone == ["r1", "r2"]
    assert history.plan_cleanup(deployment(1, revisionHistoryLimit=10), old) == []
    assert history.plan_cleanup(deployment(1), old) == []

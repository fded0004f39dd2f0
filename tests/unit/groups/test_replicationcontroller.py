"""ReplicationController and PodTemplate."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.podtemplate import RESOURCE as POD_TEMPLATE
from sampan.api.groups.core.replicationcontroller import RESOURCE as CONTROLLER
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors, update_errors
from tests.unit.groups.test_workloads import MINIMAL as DEPLOYMENT
from tests.unit.groups.test_workloads import TEMPLATE as FILLED

TEMPLATE = DEPLOYMENT["spec"]["template"]
META = {"name": "web", "namespace": "default"}
MINIMAL: Tree = {"metadata": META, "spec": {"template": TEMPLATE}}


def test_a_minimal_controller_takes_labels_and_selector_from_its_template() -> None:
    assert created(CONTROLLER, MINIMAL | {"status": {"replicas": 7}}) == {
        "metadata": META | {"labels": {"app": "web"}, "generation": 1},
        "spec": {"replicas": 1, "selector": {"app": "web"}, "template": FILLED},
        "status": {"replicas": 0},
    }
    tree = created(CONTROLLER, merged(MINIMAL, {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 0}}))
    assert (tree["metadata"]["labels"], tree["spec"]["replicas"]) == ({"a": "b"}, 0)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (
            {"template": None},
            ["Required spec.selector: Required value", "Required spec.template: Required value"],
        ),
        (
            {"replicas": -1, "minReadySeconds": -1},
            [
                "Invalid spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
                "Invalid spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
        (
            {"selector": {"app": "other"}},
            [
                'Invalid spec.template.metadata.labels: Invalid value: map[string]string{"app":"web"}: '
                "`selector` does not match template `labels`"
            ],
        ),
        (
            {"template": {"spec": {"restartPolicy": "OnFailure", "activeDeadlineSeconds": 5}}},
            [
                'NotSupported spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
                "Forbidden spec.template.spec.activeDeadlineSeconds: Forbidden: "
                "activeDeadlineSeconds in ReplicationController is not Supported",
            ],
        ),
        ({"template": {"spec": {"containers": []}}}, ["Required spec.template.spec.containers: Required value"]),
    ],
)
def test_controller_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(CONTROLLER, merged(MINIMAL, {"spec": spec})) == expected


def test_unlike_later_workloads_it_may_change_its_selector() -> None:
    change = {"spec": {"selector": {"b": "c"}, "template": {"metadata": {"labels": {"app": None, "b": "c"}}}}}
    assert update_errors(CONTROLLER, MINIMAL, {"spec": {"selector": None, "template": change["spec"]["template"]}}) == []
    assert CONTROLLER.strategy.garbage_collection == "orphan"


def test_counts_of_a_status_add_up() -> None:
    assert status_errors(CONTROLLER, MINIMAL, {}, {"replicas": 1, "fullyLabeledReplicas": 2, "observedGeneration": -1}) == [
        "Invalid status.observedGeneration: Invalid value: -1: must be greater than or equal to 0",
        "Invalid status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas",
    ]


def test_the_table_and_the_scale_of_a_controller() -> None:
    tree = merged(created(CONTROLLER, MINIMAL), {"status": {"replicas": 3, "readyReplicas": 2}})
    assert row(CONTROLLER, tree) == {
        "Name": "web",
        "Desired": 1,
        "Current": 3,
        "Ready": 2,
        "Age": "5m",
        "Containers": "web,log",
        "Images": "nginx,busybox:1",
        "Selector": "app=web",
    }
    assert CONTROLLER.selectable["status.replicas"](tree) == "3"
    assert CONTROLLER.scale is not None and callable(CONTROLLER.scale.selector)
    assert CONTROLLER.scale.selector(merged(tree, {"spec": {"selector": {"b": "c"}}})) == "app=web,b=c"
    assert CONTROLLER.scale.selector({"spec": {}}) == ""


def test_a_pod_template_is_filled_in_and_counts_its_changes() -> None:
    old = created(POD_TEMPLATE, {"metadata": META, "template": TEMPLATE})
    assert old == {"metadata": META | {"generation": 1}, "template": FILLED}
    for change, generation in (({"metadata": {"labels": {"a": "b"}}}, 1), ({"template": {"metadata": {"labels": None}}}, 2)):
        new = merged(old, change)
        POD_TEMPLATE.strategy.prepare_update(new, old)
        assert new["metadata"]["generation"] == generation


def test_pod_template_rules_and_table() -> None:
    tree = {"metadata": META, "template": TEMPLATE}
    assert create_errors(POD_TEMPLATE, tree) == []
    assert create_errors(POD_TEMPLATE, {"metadata": META}) == ["Required template.spec.containers: Required value"]
    debugger = {"ephemeralContainers": [{"name": "debug", "image": "a"}]}
    assert create_errors(POD_TEMPLATE, merged(tree, {"template": {"spec": debugger}})) == [
        "Forbidden template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"
    ]
    cells = {"Name": "web", "Containers": "web,log", "Images": "nginx,busybox:1", "Pod Labels": "app=web"}
    assert row(POD_TEMPLATE, created(POD_TEMPLATE, tree)) == cells

"""Pod: defaults, strategy, updates, status."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.pod import RESOURCE as POD
from sampan.api.groups.core.pod_defaults import pull_policy
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, defaulted, merged, status_errors, update_errors

MINIMAL: Tree = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"containers": [{"name": "web", "image": "nginx"}]},
}
CONTAINER = {
    "name": "web",
    "image": "nginx",
    "imagePullPolicy": "Always",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
SPEC = {
    "containers": [CONTAINER],
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
}
UPDATABLE = (
    "Forbidden spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)


def pod(**spec: Any) -> Tree:
    return merged(MINIMAL, {"spec": spec})


def web(**fields: Any) -> Tree:
    """A pod whose only container has these fields."""
    return pod(containers=[{"name": "web", "image": "nginx"} | fields])


def test_a_minimal_pod_is_filled_in() -> None:
    assert defaulted(POD, MINIMAL)["spec"] == SPEC


def test_defaults_do_not_change_a_defaulted_pod() -> None:
    tree = created(POD, MINIMAL)
    assert defaulted(POD, tree) == tree


def test_a_new_pod_is_pending_whatever_status_it_came_with() -> None:
    tree = created(POD, MINIMAL | {"status": {"phase": "Running", "podIP": "10.0.0.1"}})
    assert tree["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert tree["metadata"]["generation"] == 1


def test_a_gated_pod_says_that_it_waits() -> None:
    tree = created(POD, pod(schedulingGates=[{"name": "x.io/y"}]))
    assert tree["status"]["conditions"] == [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
    ]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.25", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/a/nginx:v1", "IfNotPresent"),
        ("nginx@sha256:" + "a" * 64, "IfNotPresent"),
        ("nginx:latest@sha256:" + "a" * 64, "Always"),
        ("Not An Image", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_only_the_tag_latest_is_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_parts_of_containers_are_filled_in() -> None:
    container = {
        "ports": [{"containerPort": 80}],
        "env": [
            {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        "livenessProbe": {"httpGet": {"port": 80}},
        "startupProbe": {"grpc": {"port": 80}, "failureThreshold": 30},
        "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
    }
    [filled] = defaulted(POD, web(**container))["spec"]["containers"]
    probe = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1}
    assert filled == CONTAINER | {
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "env": [
            {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}},
            {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}},
        ],
        "livenessProbe": probe | {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "failureThreshold": 3},
        "startupProbe": probe | {"grpc": {"port": 80, "service": ""}, "failureThreshold": 30},
        "lifecycle": {"preStop": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}}},
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
    }


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({}, {"emptyDir": {}}),
        ({"emptyDir": {"medium": "Memory"}}, {"emptyDir": {"medium": "Memory"}}),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        ({"configMap": {"name": "c"}}, {"configMap": {"name": "c", "defaultMode": 420}}),
        ({"secret": {"secretName": "s", "defaultMode": 256}}, {"secret": {"secretName": "s", "defaultMode": 256}}),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}],
                    "defaultMode": 420,
                }
            },
        ),
        (
            {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels", "apiVersion": "v1"}}],
                    "defaultMode": 420,
                }
            },
        ),
    ],
)
def test_volumes_are_filled_in(volume: dict[str, Any], expected: dict[str, Any]) -> None:
    tree = defaulted(POD, pod(volumes=[{"name": "v"} | volume], serviceAccountName="default"))
    assert tree["spec"]["volumes"] == [{"name": "v"} | expected]
    assert create_errors(POD, tree) == []


def test_the_old_name_of_the_service_account_is_kept_in_step() -> None:
    for given in (
        {"serviceAccount": "me"},
        {"serviceAccountName": "me"},
        {"serviceAccount": "you", "serviceAccountName": "me"},
    ):
        spec = defaulted(POD, pod(**given))["spec"]
        assert (spec["serviceAccount"], spec["serviceAccountName"]) == ("me", "me")


def test_on_the_hosts_network_ports_are_host_ports() -> None:
    tree = defaulted(POD, merged(web(ports=[{"containerPort": 80}]), {"spec": {"hostNetwork": True}}))
    assert tree["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "0", "memory": "0"}}], "BestEffort"),
        ([{"requests": {"example.com/gpu": "1"}, "limits": {"example.com/gpu": "1"}}], "BestEffort"),
    ],
)
def test_the_quality_of_service_follows_requests_and_limits(resources: list[Tree], expected: str) -> None:
    containers = [{"name": f"c{i}", "image": "x", "resources": r} for i, r in enumerate(resources)]
    assert created(POD, pod(containers=containers))["status"]["qosClass"] == expected


@pytest.mark.parametrize(
    ("spec", "status", "seconds"),
    [
        ({"nodeName": "n"}, {"phase": "Running"}, 30),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 5}, {"phase": "Pending"}, 5),
        ({"nodeName": "n", "terminationGracePeriodSeconds": -1}, {"phase": "Running"}, 1),
        ({}, {"phase": "Pending"}, 0),
        ({"nodeName": "n"}, {"phase": "Succeeded"}, 0),
        ({"nodeName": "n"}, {"phase": "Failed"}, 0),
    ],
)
def test_the_grace_of_a_deletion(spec: Tree, status: Tree, seconds: int) -> None:
    grace = POD.strategy.default_grace_seconds
    assert grace is not None
    assert grace(created(POD, pod(**spec)) | {"status": status}) == seconds


TOLERATION = {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


@pytest.mark.parametrize(
    ("old", "change", "expected"),
    [
        ({}, {}, []),
        ({}, {"containers": [{"name": "web", "image": "nginx:2", "imagePullPolicy": "Always"}]}, []),
        ({}, {"activeDeadlineSeconds": 5}, []),
        ({"activeDeadlineSeconds": 5}, {"activeDeadlineSeconds": 4}, []),
        (
            {"activeDeadlineSeconds": 5},
            {"activeDeadlineSeconds": 6},
            ["Invalid spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
        ),
        (
            {"activeDeadlineSeconds": 5},
            {"activeDeadlineSeconds": None},
            ['Invalid spec.activeDeadlineSeconds: Invalid value: "null": must not update from a positive integer to nil value'],
        ),
        ({}, {"tolerations": [TOLERATION]}, []),
        ({"tolerations": [TOLERATION]}, {"tolerations": [TOLERATION | {"tolerationSeconds": 5}]}, []),
        (
            {"tolerations": [TOLERATION]},
            {"tolerations": []},
            [
                "Forbidden spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
            ],
        ),
        (
            {},
            {"containers": []},
            [
                "Required spec.containers: Required value",
                "Forbidden spec.containers: Forbidden: pod updates may not add or remove containers",
            ],
        ),
        ({}, {"terminationGracePeriodSeconds": 5}, [
            UPDATABLE + "- \tspec.terminationGracePeriodSeconds: 30,\n+ \tspec.terminationGracePeriodSeconds: 5,\n"
        ]),
        ({"terminationGracePeriodSeconds": -1}, {"terminationGracePeriodSeconds": 1}, []),
        ({}, {"nodeName": "n"}, [UPDATABLE + '+ \tspec.nodeName: "n",\n']),
        ({"schedulingGates": [{"name": "x.io/y"}]}, {"schedulingGates": []}, []),
        ({"schedulingGates": [{"name": "x.io/y"}]}, {"nodeSelector": {"a": "b"}}, []),
        (
            {},
            {"schedulingGates": [{"name": "x.io/y"}]},
            [
                "Forbidden spec.schedulingGates[0].name: Forbidden: "
                "only deletion is allowed, but found new scheduling gate 'x.io/y'"
            ],
        ),
    ],
)  # fmt: skip
def test_what_an_update_may_change(old: Tree, change: Tree, expected: list[str]) -> None:
    assert update_errors(POD, pod(**old), {"spec": change}) == expected


def test_an_update_keeps_the_status_and_counts_generations() -> None:
    old = created(POD, MINIMAL)
    new = merged(old, {"status": {"phase": "Failed"}, "spec": {"activeDeadlineSeconds": 5}})
    POD.strategy.prepare_update(new, old)
    assert new["status"] == old["status"]
    assert new["metadata"]["generation"] == 2


def test_a_status_update_touches_neither_spec_nor_owners_nor_quality() -> None:
    old = created(POD, merged(MINIMAL, {"metadata": {"ownerReferences": [{"name": "r"}]}}))
    new = merged(old, {"spec": {"nodeName": "x"}, "metadata": {"ownerReferences": None}, "status": {"phase": "Running"}})
    new["status"].pop("qosClass")
    POD.strategy.prepare_status(new, old)
    assert new["spec"] == old["spec"]
    assert new["metadata"]["ownerReferences"] == [{"name": "r"}]
    assert new["status"] == {"phase": "Running", "qosClass": "BestEffort"}


def ended(code: int) -> Tree:
    return {"containerStatuses": [{"name": "web", "state": {"terminated": {"exitCode": code}}}]}


RUNNING: Tree = {"containerStatuses": [{"name": "web", "state": {"running": {}}}]}


@pytest.mark.parametrize(
    ("policy", "before", "allowed"),
    [("Always", ended(0), True), ("OnFailure", ended(1), True), ("OnFailure", ended(0), False), ("Never", ended(1), False)],
)
def test_a_container_that_ended_for_good_stays_ended(policy: str, before: Tree, allowed: bool) -> None:
    expected = ["Forbidden status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"]
    assert status_errors(POD, pod(restartPolicy=policy), before, RUNNING) == ([] if allowed else expected)


def test_a_status_has_one_address_of_each_family() -> None:
    status = {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "hostIPs": [{"ip": "x"}]}
    assert status_errors(POD, MINIMAL, {}, status) == [
        'Invalid status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: '
        "may specify no more than one IP for each IP family",
        'Invalid status.hostIPs[0].ip: Invalid value: "x": must be equal to `hostIP`',
        'Invalid status.hostIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ]


def test_a_status_says_no_address_twice_and_nothing_of_features_that_are_off() -> None:
    status = {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}], "hostIP": "10.0.0.9", "hostIPs": [{"ip": "10.0.0.9"}]}
    assert status_errors(POD, MINIMAL, {}, status)[1:] == ['Duplicate status.podIPs[1]: Duplicate value: {"ip":"10.0.0.1"}']
    old = created(POD, MINIMAL)
    said = {"observedGeneration": 3, "containerStatuses": [{"name": "c", "allocatedResources": {"cpu": "1"}}]}
    new = merged(old, {"status": said})
    POD.strategy.prepare_status(new, old)
    assert "observedGeneration" not in new["status"] and new["status"]["containerStatuses"] == [{"name": "c"}]


def test_pods_are_found_by_node_and_phase() -> None:
    tree = created(POD, pod(nodeName="n", hostNetwork=True))
    found = {path: value(tree) for path, value in POD.selectable.items()}
    assert found == {
        "spec.nodeName": "n",
        "spec.restartPolicy": "Always",
        "spec.schedulerName": "default-scheduler",
        "spec.serviceAccountName": "",
        "spec.hostNetwork": "true",
        "status.phase": "Pending",
        "status.podIP": "",
        "status.nominatedNodeName": "",
    }


def test_affinity_may_name_keys_of_the_pods_own_labels() -> None:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "a"}}, "matchLabelKeys": ["hash"]}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    tree = created(POD, merged(pod(affinity=affinity), {"metadata": {"labels": {"hash": "1"}}}))
    [made] = tree["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert made["labelSelector"]["matchExpressions"] == [{"key": "hash", "operator": "In", "values": ["1"]}]

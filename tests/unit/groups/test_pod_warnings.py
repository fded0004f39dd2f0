"""What clients are warned of in pods and in the templates of workloads."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.apps.daemonset import RESOURCE as DAEMONSET
from sampan.api.groups.apps.deployment import RESOURCE as DEPLOYMENT
from sampan.api.groups.apps.replicaset import RESOURCE as REPLICASET
from sampan.api.groups.apps.statefulset import RESOURCE as STATEFULSET
from sampan.api.groups.batch.cronjob import RESOURCE as CRONJOB
from sampan.api.groups.batch.job import RESOURCE as JOB
from sampan.api.groups.core.pod import RESOURCE as POD
from sampan.api.groups.core.podtemplate import RESOURCE as PODTEMPLATE
from sampan.api.groups.core.replicationcontroller import RESOURCE as CONTROLLER
from sampan.api.resource import Resource, Tree
from tests.unit.groups.kinds import created, defaulted, merged
from tests.unit.groups.test_pod import pod, web

C = "spec.containers[0]"
DUPLICATE = "which may be dropped when using apply"
NO_SELECTOR = "a null labelSelector results in matching no pod"


def warned(resource: Resource, new: Tree, old: Tree | None = None) -> list[str]:
    assert resource.strategy.warn is not None
    return resource.strategy.warn(new, old)


def env(*pairs: tuple[str, str]) -> Tree:
    return web(env=[{"name": name, "value": value} for name, value in pairs])


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (pod(), []),
        (env(("A", "1"), ("A", "2")), [f'{C}.env[1]: hides previous definition of "A", {DUPLICATE}']),
        (env(("A", "1"), ("A", "$(A)2")), []),
        (env(("A", "1"), ("A", "$(A)")), [f'{C}.env[1]: hides previous definition of "A", {DUPLICATE}']),
        (
            web(resources={"limits": {"memory": "100m"}}),
            [
                f'{C}.resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
                f'{C}.resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
            ],
        ),
        (web(ports=[{"containerPort": 80}] * 2), [f"{C}.ports[1]: duplicate port definition with {C}.ports[0]"]),
        (
            web(ports=[{"containerPort": 80}, {"containerPort": 80, "hostPort": 8080}]),
            [f"{C}.ports[1]: overlapping port definition with {C}.ports[0]"],
        ),
        (
            web(ports=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1"}]),
            [f"{C}.ports[1]: dangerously ambiguous port definition with {C}.ports[0]"],
        ),
        (
            web(ports=[{"containerPort": 80, "hostIP": "10.0.0.1"}]),
            [
                f"{C}.ports[0]: hostIP set without hostPort: "
                "{Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}"
            ],
        ),
        (
            pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
            ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
        ),
        (
            pod(nodeSelector={"node-role.kubernetes.io/master": ""}),
            ['spec.nodeSelector[node-role.kubernetes.io/master]: use "node-role.kubernetes.io/control-plane" instead'],
        ),
        (
            pod(affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["-"]}]}}
            ]}}),
            None,
        ),
        (
            pod(affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}),
            [f"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: {NO_SELECTOR}"],
        ),
        (
            pod(topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]),
            [f"spec.topologySpreadConstraints[0].labelSelector: {NO_SELECTOR}"],
        ),
        (pod(volumes=[{"name": "v", "gitRepo": {"repository": "a"}}]), ["spec.volumes[0].gitRepo: deprecated in v1.11"]),
        (
            pod(volumes=[{"name": "v", "storageos": {}}]),
            ["spec.volumes[0].storageOS: deprecated in v1.22, non-functional in v1.25+"],
        ),
        (
            pod(volumes=[{"name": "v", "configMap": {"name": "m", "items": [
                {"key": "a", "path": "x"}, {"key": "b", "path": "x/y"}
            ]}}]),
            ['volume "v" (ConfigMap "m"): overlapping paths: "x/y" with "x"'],
        ),
        (
            pod(volumes=[{"name": "v", "projected": {"sources": [
                {"secret": {"name": "s", "items": [{"key": "a", "path": "token"}]}},
                {"serviceAccountToken": {"path": "token"}},
                {},
            ]}}]),
            [
                'volume "v" (Projected) has no sources provided',
                'volume "v" (Projected): overlapping paths: "token" (ServiceAccountToken) with "token" (Secret "s")',
            ],
        ),
        (
            pod(hostAliases=[{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}, {"ip": "0::1"}]),
            [
                'spec.hostAliases[1].ip: duplicate ip "10.0.0.1"',
                'spec.hostAliases[2].ip: IPv6 address "0::1" should be in RFC 5952 canonical format ("::1")',
            ],
        ),
        (
            pod(imagePullSecrets=[{"name": "a"}, {"name": "a"}, {}]),
            [
                'spec.imagePullSecrets[1].name: duplicate name "a"',
                'spec.imagePullSecrets[2].name: invalid empty name ""',
            ],
        ),
        (
            pod(terminationGracePeriodSeconds=-1),
            ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
        ),
        (
            merged(pod(), {"metadata": {"annotations": {"security.alpha.kubernetes.io/sysctls": "a"}}}),
            [
                "metadata.annotations[security.alpha.kubernetes.io/sysctls]: non-functional in v1.11+; "
                'use the "sysctls" field instead'
            ],
        ),
        (
            merged(pod(), {"metadata": {"annotations": {"container.seccomp.security.alpha.kubernetes.io/web": "unconfined"}}}),
            [
                "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/web]: non-functional in v1.27+; "
                'use the "seccompProfile" field instead'
            ],
        ),
        (
            merged(pod(), {"metadata": {"name": "a.b"}}),
            [
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
                "a DNS label is recommended: [must not contain dots]"
            ],
        ),
    ],
)  # fmt: skip
def test_a_new_pod_is_warned_of(tree: Tree, expected: list[str] | None) -> None:
    found = warned(POD, created(POD, tree))
    if expected is None:
        [warning] = found
        assert ".preference.matchExpressions[0].values[0]: - is invalid, a valid label must be" in warning
    else:
        assert found == expected


def test_changed_pods_are_not_warned_of() -> None:
    tree = created(POD, env(("A", "1"), ("A", "2")))
    assert warned(POD, tree, tree) == []


def test_a_replica_is_warned_of_its_own_annotations() -> None:
    assert warned(POD, created(POD, pod())) == []
    old = merged(pod(), {"metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}}})
    [warning] = warned(POD, created(POD, old))
    assert warning.startswith("metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: ")


TEMPLATE: Tree = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "A"}, {"name": "A"}]}]},
}
SELECTED: Tree = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
SCHEDULED = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}
WORKLOADS: list[tuple[Resource, Tree, str]] = [
    (DEPLOYMENT, {"spec": SELECTED}, "spec.template"),
    (REPLICASET, {"spec": SELECTED}, "spec.template"),
    (DAEMONSET, {"spec": SELECTED}, "spec.template"),
    (STATEFULSET, {"spec": SELECTED}, "spec.template"),
    (CONTROLLER, {"spec": {"template": TEMPLATE}}, "spec.template"),
    (PODTEMPLATE, {"template": TEMPLATE}, "template"),
    (JOB, {"spec": {"template": TEMPLATE}}, "spec.template"),
    (CRONJOB, {"spec": SCHEDULED}, "spec.jobTemplate.spec.template"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "tree", "path"), WORKLOADS, ids=[resource.kind for resource, _, _ in WORKLOADS])
def test_templates_are_warned_of_when_they_come_and_change(resource: Resource, tree: Tree, path: str) -> None:
    old = created(resource, {"metadata": {"name": "w", "namespace": "default"}, **tree})
    expected = [f'{path}.spec.containers[0].env[1]: hides previous definition of "A", {DUPLICATE}']
    assert warned(resource, old) == expected
    again = defaulted(resource, old)
    assert warned(resource, again, old) == (expected if resource is PODTEMPLATE else [])
    at = again
    for part in path.split("."):
        at = at[part]
    at["spec"]["containers"][0]["image"] = "j"
    resource.strategy.prepare_update(again, old)
    assert warned(resource, again, old) == expected


@pytest.mark.parametrize("resource", [DEPLOYMENT, REPLICASET, CONTROLLER, JOB, CRONJOB], ids=lambda resource: resource.kind)
def test_names_that_are_no_labels_are_warned_of(resource: Resource) -> None:
    [tree] = [tree for known, tree, _ in WORKLOADS if known is resource]
    assert warned(resource, created(resource, {"metadata": {"name": "a.b"}, **tree}))[0] == (
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
        "a DNS label is recommended: [must not contain dots]"
    )


APPARMOR = "container.apparmor.security.beta.kubernetes.io/web"
LOCAL = {"type": "Localhost", "localhostProfile": "p"}


@pytest.mark.parametrize(
    ("annotations", "spec", "annotated", "field"),
    [
        ({APPARMOR: "localhost/p"}, {}, "localhost/p", LOCAL),
        ({APPARMOR: "runtime/default"}, {}, "runtime/default", {"type": "RuntimeDefault"}),
        ({}, {"securityContext": {"appArmorProfile": LOCAL}}, "localhost/p", None),
        ({APPARMOR: "unconfined"}, {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, "unconfined", None),
        ({APPARMOR: "localhost/p"}, {"os": {"name": "windows"}}, "localhost/p", None),
        ({}, {}, None, None),
    ],
)
def test_annotation_and_field_come_to_say_the_same_of_apparmor(
    annotations: dict[str, str], spec: Tree, annotated: str | None, field: Any
) -> None:
    tree = created(POD, merged(pod(**spec), {"metadata": {"annotations": annotations}}))
    assert tree["metadata"].get("annotations", {}).get(APPARMOR) == annotated
    assert tree["spec"]["containers"][0].get("securityContext", {}).get("appArmorProfile") == field


def test_a_pod_of_very_many_ports_and_paths_is_warned_of_the_first() -> None:
    tree = web(ports=[{"containerPort": 80, "protocol": "TCP"} for _ in range(50_000)])
    items = [{"key": "k", "path": "a/b"} for _ in range(50_000)]
    tree["spec"]["volumes"] = [{"name": f"v{index}", "configMap": {"name": "m", "items": items}} for index in range(2)]
    assert len(warned(POD, tree)) < 20_000

"""What pods may say of operating systems, security, annotations and volumes: the rarer of their rules."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.apps.deployment import RESOURCE as DEPLOYMENT
from sampan.api.groups.core.pod import RESOURCE as POD
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, defaulted, merged, update_errors
from tests.unit.groups.test_pod import pod, web

C = "spec.containers[0]"
NOT_ON_WINDOWS = "Forbidden: cannot be set for a windows pod"
OPTIONS = "spec.securityContext.windowsOptions"


def user(name: str) -> Tree:
    return {"securityContext": {"windowsOptions": {"runAsUserName": name}}}


def wrong_user(name: str, why: str) -> str:
    return f'Invalid {OPTIONS}.runAsUserName: Invalid value: "{name}": runAsUserName{why}'


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"os": {"name": "linux"}}, []),
        ({"os": {}}, ["Required spec.os.name: Required value: cannot be empty"]),
        (
            {"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}},
            [f"Forbidden {OPTIONS}: Forbidden: windows options cannot be set for a linux pod"],
        ),
        (
            {
                "os": {"name": "windows"},
                "hostPID": True,
                "hostUsers": True,
                "shareProcessNamespace": False,
                "securityContext": {"fsGroup": 1, "seLinuxOptions": {}, "supplementalGroups": []},
            },
            [
                f"Forbidden spec.securityContext.seLinuxOptions: {NOT_ON_WINDOWS}",
                f"Forbidden spec.securityContext.fsGroup: {NOT_ON_WINDOWS}",
                f"Forbidden spec.hostUsers: {NOT_ON_WINDOWS}",
                f"Forbidden spec.shareProcessNamespace: {NOT_ON_WINDOWS}",
                f"Forbidden spec.hostPID: {NOT_ON_WINDOWS}",
            ],
        ),
        (
            {"securityContext": {"windowsOptions": {"hostProcess": True}}},
            [
                "Invalid spec.hostNetwork: Invalid value: false: "
                "hostNetwork must be true if pod contains any hostProcess containers"
            ],
        ),
        (
            {"securityContext": {"windowsOptions": {"gmsaCredentialSpec": ""}}},
            [f'Invalid {OPTIONS}.gmsaCredentialSpec: Invalid value: "": gmsaCredentialSpec cannot be an empty string'],
        ),
        (user("domain.example\\\\someone".replace("\\\\", "\\")), []),
        (user(""), [wrong_user("", " cannot be an empty string")]),
        (user(".."), [wrong_user("..", "'s User cannot contain only periods or spaces")]),
        (user("a:b"), [wrong_user("a:b", '\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]')]),
        (user("x" * 105), [wrong_user("x" * 105, "'s User length must not be longer than 104 characters")]),
        (
            {"securityContext": {"seLinuxChangePolicy": "MountOption"}},
            [
                'NotSupported spec.securityContext.seLinuxChangePolicy: Unsupported value: "MountOption": '
                'supported values: "Recursive"'
            ],
        ),
        (
            {"securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": ""}}},
            [
                "Required spec.securityContext.appArmorProfile.localhostProfile: Required value: "
                "must be set when AppArmor type is Localhost"
            ],
        ),
        ({"dnsConfig": {"searches": ["_tcp.a_b.example.", "."]}}, []),
        (
            {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
            ['Invalid spec.tolerations[0].operator: Invalid value: "b": value must be empty when `operator` is \'Exists\''],
        ),
        (
            {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "topologyKey": "zone",
                    "labelSelector": {"matchLabels": {"b": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]},
                    "matchLabelKeys": ["a", "b"],
                    "mismatchLabelKeys": ["a"],
                }
            ]}}},
            [
                'Invalid spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0][1]: Invalid value: "b": '
                "exists in both matchLabelKeys and labelSelector",
                "Invalid spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys[0]: "
                'Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys',
            ],
        ),
    ],
)  # fmt: skip
def test_rules_of_systems_and_security(spec: Tree, expected: list[str]) -> None:
    assert create_errors(POD, pod(**spec)) == expected


@pytest.mark.parametrize(
    ("fields", "spec", "expected"),
    [
        (
            {"securityContext": {"procMount": "Unmasked"}},
            {},
            [f'Invalid {C}.securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`'],
        ),
        ({"securityContext": {"procMount": "Unmasked"}}, {"hostUsers": False}, []),
        (
            {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]},
            {"restartPolicy": "Never"},
            [
                f'Invalid {C}.resizePolicy: Invalid value: "RestartContainer": '
                "must be 'NotRequired' when `restartPolicy` is 'Never'"
            ],
        ),
        (
            {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}] * 2},
            {},
            [f'Duplicate {C}.resizePolicy[1]: Duplicate value: "cpu"'],
        ),
        (
            {"securityContext": {"windowsOptions": {"hostProcess": True}}},
            {"hostNetwork": True, "securityContext": {"windowsOptions": {"hostProcess": False}}},
            [
                f"Invalid {C}.securityContext.windowsOptions.hostProcess: Invalid value: true: "
                "pod hostProcess value must be identical if both are specified, was false"
            ],
        ),
        ({"securityContext": {"capabilities": {}}}, {"os": {"name": "windows"}}, [
            f"Forbidden {C}.securityContext.capabilities: {NOT_ON_WINDOWS}"
        ]),
        (
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "3"}}}]},
            {},
            [
                f'Invalid {C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.memory": '
                "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei "
                "are supported with the memory resource"
            ],
        ),
    ],
)  # fmt: skip
def test_rules_of_containers(fields: Tree, spec: Tree, expected: list[str]) -> None:
    assert create_errors(POD, merged(web(**fields), {"spec": spec})) == expected


V = "spec.volumes[0]"


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([{"configMap": {"name": "c"}, "emptyDir": {}}], [
            f"Forbidden {V}.configMap: Forbidden: may not specify more than 1 volume type"
        ]),
        ([{"image": {"reference": "a"}}], [f"Required {V}: Required value: must specify a volume type"]),
        ([{"projected": {"sources": [{"clusterTrustBundle": {"path": "a"}}]}}], []),
        (
            [{"iscsi": {"targetPortal": "1" * 60, "iqn": "iqn.2024-01.a:b", "initiatorName": "iqn.2024-01.a:c"}}],
            [
                f'Invalid {V}.name: Invalid value: "volume-0": Total length of <volume name>:<iscsi.targetPortal> '
                "must be under 64 characters if iscsi.initiatorName is specified."
            ],
        ),
        (
            [{"persistentVolumeClaim": {"claimName": "web-volume-1"}}, {"ephemeral": {"volumeClaimTemplate": {"spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}
            }}}}],
            [
                f'Invalid {V}.persistentVolumeClaim.claimName: Invalid value: "web-volume-1": '
                "must not reference a PVC that gets created for an ephemeral volume"
            ],
        ),
    ],
)  # fmt: skip
def test_rules_of_volumes(volumes: list[Tree], expected: list[str]) -> None:
    named = [{"name": f"volume-{index}"} | volume for index, volume in enumerate(volumes)]
    assert create_errors(POD, pod(volumes=named)) == expected


def test_a_spec_that_suited_one_pod_is_judged_anew_where_the_name_of_the_pod_matters() -> None:
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    volumes = [
        {"name": "claimed", "persistentVolumeClaim": {"claimName": "other-made"}},
        {"name": "made", "ephemeral": {"volumeClaimTemplate": claim}},
    ]
    for name, count in (("web", 0), ("other", 1), ("web", 0)):
        errors = create_errors(POD, merged(pod(volumes=volumes), {"metadata": {"name": name}}))
        assert len(errors) == count, errors


def test_a_mount_that_is_recursively_read_only_is_read_only() -> None:
    mount = {"name": "v", "mountPath": "/a", "recursiveReadOnly": "Enabled"}
    tree = merged(web(volumeMounts=[mount]), {"spec": {"volumes": [{"name": "v"}]}})
    assert create_errors(POD, tree) == [
        f"Forbidden {C}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true"
    ]


A = "metadata.annotations"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/web"
COST = "controller.kubernetes.io/pod-deletion-cost"


@pytest.mark.parametrize(
    ("annotations", "spec", "expected"),
    [
        ({COST: "-10"}, {}, []),
        ({COST: "08"}, {}, [f'Invalid {A}[{COST}]: Invalid value: "08": must be a 32bit integer']),
        ({COST: "2147483648"}, {}, [f'Invalid {A}[{COST}]: Invalid value: "2147483648": must be a 32bit integer']),
        ({SECCOMP: "x"}, {}, [f'Invalid {A}.{SECCOMP}: Invalid value: "x": must be a valid seccomp profile']),
        (
            {SECCOMP: "unconfined"},
            {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
            ["Forbidden spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match"],
        ),
        (
            {APPARMOR: "localhost/a"},
            {"containers": [{"name": "web", "image": "i", "securityContext": {
                "appArmorProfile": {"type": "Localhost", "localhostProfile": "b"}
            }}]},
            [
                "Forbidden spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: "
                "apparmor profile in annotation and field must match"
            ],
        ),
        (
            {"container.apparmor.security.beta.kubernetes.io/other": "unconfined"},
            {},
            [f'Invalid {A}[container.apparmor.security.beta.kubernetes.io/other]: Invalid value: "other": container not found'],
        ),
        (
            {"scheduler.alpha.kubernetes.io/tolerations": '[{"operator": "Exists", "effect": "Never"}]'},
            {},
            [
                f'NotSupported {A}.scheduler.alpha.kubernetes.io/tolerations[0].effect: Unsupported value: "Never": '
                'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'
            ],
        ),
    ],
)  # fmt: skip
def test_annotations_say_what_they_may_in_pods_and_templates(
    annotations: dict[str, str], spec: Tree, expected: list[str]
) -> None:
    tree = merged(pod(**spec), {"metadata": {"annotations": annotations}})
    assert create_errors(POD, tree) == expected
    template = {"metadata": {"labels": {"a": "b"}, "annotations": annotations}, "spec": tree["spec"]}
    deployment = {
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    assert len(create_errors(DEPLOYMENT, deployment)) == len(expected)


def required(*terms: Tree) -> Tree:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


ONE = {"key": "a", "operator": "Exists"}
TWO = {"key": "b", "operator": "Exists"}
TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"


@pytest.mark.parametrize(
    ("affinity", "expected"),
    [
        (required({"matchExpressions": [ONE, TWO]}), []),
        (
            required({"matchExpressions": [TWO]}),
            [f'Invalid {TERMS}[0]: Invalid value: {{"matchExpressions":[{{"key":"b","operator":"Exists"}}]}}: '
             "only additions are allowed (no mutations or deletions)"],
        ),
        (
            {},
            [f"Invalid {TERMS}: Invalid value: []string{{}}: "
             "no additions/deletions to non-empty NodeSelectorTerms list are allowed"],
        ),
    ],
)  # fmt: skip
def test_a_gated_pod_may_come_to_require_more_of_nodes(affinity: Tree, expected: list[str]) -> None:
    old = pod(schedulingGates=[{"name": "x.io/y"}], affinity=required({"matchExpressions": [ONE]}))
    new = created(POD, old)
    new["spec"]["affinity"] = affinity
    before = created(POD, old)
    for tree in (new, before):
        tree["metadata"]["resourceVersion"] = "5"
    found = POD.strategy.validate_update(defaulted(POD, new), before)
    assert [f"{error.reason.removeprefix('FieldValue')} {error}" for error in found] == expected


def test_features_that_are_off_leave_no_trace() -> None:
    fields: dict[str, Any] = {"resources": {"claims": [{"name": "a"}]}, "lifecycle": {"stopSignal": "SIGTERM"}}
    tree = created(POD, merged(web(**fields), {"spec": {"resourceClaims": [{"name": "a"}], "resources": {}}}))
    container = tree["spec"]["containers"][0]
    assert (container["resources"], container["lifecycle"]) == ({}, {})
    assert not {"resources", "resourceClaims"} & tree["spec"].keys()


def test_what_is_required_of_nodes_stays_once_no_gate_is_left() -> None:
    [error] = update_errors(POD, pod(affinity=required({"matchExpressions": [ONE]})), {"spec": {"affinity": None}})
    assert error.startswith("Forbidden spec: Forbidden: pod updates may not change fields other than")

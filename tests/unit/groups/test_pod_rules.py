"""What a Pod's spec may not say: each bad field and its cause."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.pod import RESOURCE as POD
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, merged
from tests.unit.groups.test_pod import pod, web

AN_INT = "must be between 1 and 65535, inclusive"
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
C = "spec.containers[0]"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"image": ""}, [f"Required {C}.image: Required value"]),
        ({"image": " x"}, [f'Invalid {C}.image: Invalid value: " x": must not have leading or trailing whitespace']),
        ({"name": ""}, [f"Required {C}.name: Required value"]),
        ({"name": "A"}, [f'Invalid {C}.name: Invalid value: "A": {LABEL}']),
        (
            {"imagePullPolicy": "Maybe"},
            [
                f'NotSupported {C}.imagePullPolicy: Unsupported value: "Maybe": '
                'supported values: "Always", "IfNotPresent", "Never"'
            ],
        ),
        (
            {"terminationMessagePolicy": "x"},
            [
                f'NotSupported {C}.terminationMessagePolicy: Unsupported value: "x": '
                'supported values: "File", "FallbackToLogsOnError"'
            ],
        ),
        ({"restartPolicy": "Always"}, [f"Forbidden {C}.restartPolicy: Forbidden: may not be set for non-init containers"]),
        ({"ports": [{}]}, [f"Required {C}.ports[0].containerPort: Required value"]),
        ({"ports": [{"containerPort": 65536}]}, [f"Invalid {C}.ports[0].containerPort: Invalid value: 65536: {AN_INT}"]),
        (
            {"ports": [{"containerPort": 1, "protocol": "tcp"}]},
            [f'NotSupported {C}.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"ports": [{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]},
            [f'Duplicate {C}.ports[1].hostPort: Duplicate value: "TCP//9"'],
        ),
        (
            {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
            [f'Duplicate {C}.ports[1].name: Duplicate value: "a"'],
        ),
        ({"env": [{"value": "x"}]}, [f"Required {C}.env[0].name: Required value"]),
        (
            {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            [f'Invalid {C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {}}]},
            [
                f'Invalid {C}.env[0].valueFrom: Invalid value: "": '
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            ],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nope"}}}]},
            [
                f'Invalid {C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.nope": '
                "error converting fieldPath: field label not supported: metadata.nope"
            ],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
            [
                f'NotSupported {C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: '
                '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
                '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
            ],
        ),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}]}, []),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]},
            [f"Required {C}.env[0].valueFrom.secretKeyRef.key: Required value"],
        ),
        ({"envFrom": [{}]}, [f'Invalid {C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']),
        ({"envFrom": [{"configMapRef": {}}]}, [f"Required {C}.envFrom[0].configMapRef.name: Required value"]),
        (
            {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
            [f'Invalid {C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
        ),
        ({"resources": {"limits": {"cpu": "-1"}}}, [
            f'Invalid {C}.resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
            f'Invalid {C}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        ]),
        ({"resources": {"requests": {"gpu": "1"}}}, [
            f'Invalid {C}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
            f'Invalid {C}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
        ]),
        ({"resources": {"requests": {"x.io/gpu": "1"}}}, [
            f"Required {C}.resources.limits: Required value: Limit must be set for non overcommitable resources"
        ]),
        ({"resources": {"limits": {"x.io/gpu": "500m"}}}, [
            f'Invalid {C}.resources.limits[x.io/gpu]: Invalid value: "500m": must be an integer',
            f'Invalid {C}.resources.requests[x.io/gpu]: Invalid value: "500m": must be an integer',
        ]),
        (
            {"resources": {"limits": {"hugepages-2Mi": "4Mi"}}},
            [f"Forbidden {C}.resources: Forbidden: HugePages require cpu or memory"],
        ),
        ({"livenessProbe": {}}, [f"Required {C}.livenessProbe: Required value: must specify a handler type"]),
        (
            {"livenessProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}}},
            [f"Forbidden {C}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
        ),
        (
            {"livenessProbe": {"tcpSocket": {"port": 0}, "successThreshold": 2}},
            [
                f"Invalid {C}.livenessProbe.tcpSocket.port: Invalid value: 0: {AN_INT}",
                f"Invalid {C}.livenessProbe.successThreshold: Invalid value: 2: must be 1",
            ],
        ),
        (
            {"readinessProbe": {"exec": {}, "initialDelaySeconds": -1}},
            [
                f"Required {C}.readinessProbe.exec.command: Required value",
                f"Invalid {C}.readinessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}, [
            f"Invalid {C}.lifecycle.preStop.sleep: Invalid value: 31: "
            "must be non-negative and less than terminationGracePeriodSeconds (30)"
        ]),
        ({"volumeMounts": [{"name": "v", "mountPath": "/x"}]}, [f'NotFound {C}.volumeMounts[0].name: Not found: "v"']),
        (
            {"securityContext": {"runAsUser": -1}},
            [f"Invalid {C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
            [
                f"Required {C}.securityContext.seccompProfile.localhostProfile: Required value: "
                "must be set when seccomp type is Localhost"
            ],
        ),
        (
            {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
            [
                f'Invalid {C}.securityContext: Invalid value: {{"privileged":true,"allowPrivilegeEscalation":false}}: '
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            ],
        ),
    ],
)  # fmt: skip
def test_container_rules(fields: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(POD, web(**fields)) == expected


TWO = [{"name": "web", "image": "x"}, {"name": "web", "image": "x"}]
INIT = {"name": "init", "image": "x"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": []}, ["Required spec.containers: Required value"]),
        ({"containers": TWO}, ['Duplicate spec.containers[1].name: Duplicate value: "web"']),
        ({"initContainers": [INIT | {"name": "web"}]}, ['Duplicate spec.initContainers[0].name: Duplicate value: "web"']),
        (
            {"initContainers": [INIT | {"livenessProbe": {"tcpSocket": {"port": 1}}}]},
            [
                "Forbidden spec.initContainers[0].livenessProbe: Forbidden: "
                "may not be set for init containers without restartPolicy=Always"
            ],
        ),
        ({"initContainers": [INIT | {"restartPolicy": "Always", "livenessProbe": {"tcpSocket": {"port": 1}}}]}, []),
        (
            {"initContainers": [INIT | {"restartPolicy": "Never"}]},
            ['NotSupported spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"'],
        ),
        ({"ephemeralContainers": [INIT]}, ["Forbidden spec.ephemeralContainers: Forbidden: cannot be set on create"]),
        (
            {"restartPolicy": "Sometimes"},
            [
                'NotSupported spec.restartPolicy: Unsupported value: "Sometimes": '
                'supported values: "Always", "OnFailure", "Never"'
            ],
        ),
        (
            {"dnsPolicy": "x"},
            [
                'NotSupported spec.dnsPolicy: Unsupported value: "x": '
                'supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'
            ],
        ),
        ({"dnsPolicy": "None"}, ["Required spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
        (
            {"dnsConfig": {"nameservers": ["1.1.1.1", "x", "1.1.1.2", "1.1.1.3"]}},
            [
                'Invalid spec.dnsConfig.nameservers: Invalid value: []string{"1.1.1.1", "x", "1.1.1.2", "1.1.1.3"}: '
                "must not have more than 3 nameservers",
                'Invalid spec.dnsConfig.nameservers[1]: Invalid value: "x": '
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            ],
        ),
        ({"activeDeadlineSeconds": 0}, [
            "Invalid spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"
        ]),
        ({"hostname": "a.b"}, ['Invalid spec.hostname: Invalid value: "a.b": must not contain dots']),
        (
            {"hostNetwork": True, "containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 1, "hostPort": 2}]}]},
            [f"Invalid {C}.ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"],
        ),
        ({"hostUsers": False, "hostPID": True}, ["Forbidden spec.HostPID: Forbidden: when `hostUsers` is false"]),
        ({"schedulingGates": [{"name": "a/b"}], "nodeName": "n"}, [
            "Forbidden spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"
        ]),
        (
            {"tolerations": [{"operator": "Equal"}]},
            [
                'Invalid spec.tolerations[0].operator: Invalid value: "Equal": '
                'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            ],
        ),
        (
            {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]},
            [
                'Invalid spec.tolerations[0].effect: Invalid value: "NoSchedule": '
                "effect must be 'NoExecute' when `tolerationSeconds` is set"
            ],
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "x"}]},
            [
                "Invalid spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
                "Required spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
                'NotSupported spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "x": '
                'supported values: "DoNotSchedule", "ScheduleAnyway"',
            ],
        ),
        (
            {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}},
            [
                "Required spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
                "Required value: must have at least one node selector term"
            ],
        ),
        (
            {"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 101, "podAffinityTerm": {"topologyKey": "zone"}}
            ]}}},
            [
                "Invalid spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: "
                "Invalid value: 101: must be in the range 1-100"
            ],
        ),
        ({"os": {"name": "beos"}}, [
            'NotSupported spec.os: Unsupported value: "beos": supported values: "linux", "windows"'
        ]),
        (
            {"securityContext": {"sysctls": [{"name": "net.a"}], "fsGroup": -1}, "hostNetwork": True},
            [
                "Invalid spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive",
                'Invalid spec.securityContext.sysctls[0].name: Invalid value: "net.a": '
                "may not be specified when 'hostNetwork' is true",
            ],
        ),
    ],
)  # fmt: skip
def test_pod_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(POD, pod(**spec)) == expected


V = "spec.volumes[0]"


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"name": ""}, [f"Required {V}.name: Required value"]),
        ({"emptyDir": {}, "hostPath": {"path": "/x"}}, [
            f"Forbidden {V}.hostPath: Forbidden: may not specify more than 1 volume type"
        ]),
        ({"hostPath": {"path": "/a/../b"}}, [f"Invalid {V}.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"]),
        (
            {"hostPath": {"path": "/a", "type": "Pipe"}},
            [
                f'NotSupported {V}.hostPath.type: Unsupported value: "Pipe": supported values: "", "BlockDevice", '
                '"CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'
            ],
        ),
        (
            {"configMap": {"defaultMode": 512}},
            [
                f"Required {V}.configMap.name: Required value",
                f"Invalid {V}.configMap.defaultMode: Invalid value: 512: "
                "must be a number between 0 and 0777 (octal), both inclusive",
            ],
        ),
        (
            {"secret": {"secretName": "s", "items": [{"key": "a", "path": "/b"}, {"key": "a", "path": "..b"}]}},
            [
                f'Invalid {V}.secret.items[0].path: Invalid value: "/b": must be a relative path',
                f"Invalid {V}.secret.items[1].path: Invalid value: \"..b\": must not start with '..'",
            ],
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 599}}]}},
            [
                f"Invalid {V}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: "
                "may not specify a duration less than 10 minutes",
                f"Forbidden {V}.projected.sources[0].serviceAccountToken: Forbidden: "
                "must not be specified when serviceAccountName is not set",
            ],
        ),
        (
            {"projected": {"sources": [{"secret": {"name": "s"}, "configMap": {"name": "c"}}]}},
            [f"Forbidden {V}.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source"],
        ),
        ({"persistentVolumeClaim": {}}, [f"Required {V}.persistentVolumeClaim.claimName: Required value"]),
        (
            {"downwardAPI": {"items": [{"path": "a"}]}},
            [f"Required {V}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"],
        ),
    ],
)  # fmt: skip
def test_volume_rules(volume: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(POD, pod(volumes=[{"name": "v"} | volume])) == expected


M = f"{C}.volumeMounts"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([{"mountPath": "/a"}, {"mountPath": "/b"}], []),
        ([{"mountPath": "/a"}, {"mountPath": "/a"}], [f'Invalid {M}[1].mountPath: Invalid value: "/a": must be unique']),
        ([{}], [f"Required {M}[0].mountPath: Required value"]),
        (
            [{"mountPath": "/a", "subPath": "../b"}],
            [f"Invalid {M}.subPath: Invalid value: \"../b\": must not contain '..'"],
        ),
        (
            [{"mountPath": "/a", "mountPropagation": "Bidirectional"}],
            [
                f"Forbidden {M}.mountPropagation: Forbidden: "
                "Bidirectional mount propagation is available only to privileged containers"
            ],
        ),
    ],
)
def test_mount_rules(mounts: list[Tree], expected: list[str]) -> None:
    tree = merged(web(volumeMounts=[{"name": "v"} | mount for mount in mounts]), {"spec": {"volumes": [{"name": "v"}]}})
    assert create_errors(POD, tree) == expected


def test_a_mirror_pod_has_a_node() -> None:
    annotated = merged(pod(), {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}})
    assert create_errors(POD, annotated) == [
        'Invalid metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": '
        "must set spec.nodeName if mirror pod annotation is set"
    ]
    assert create_errors(POD, merged(annotated, {"spec": {"nodeName": "n"}})) == []

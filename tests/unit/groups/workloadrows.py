"""What the defaults of the kinds with pods add to their samples, and something their rules refuse."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.unit.groups.kinds import Tree


class Row(NamedTuple):
    added: Tree
    """What defaults add to the sample, by path."""
    wrong: Tree
    """What is laid over the sample that the rules refuse."""
    errors: list[str]
    """How they refuse it; a text that ends in … is only the beginning."""


def pod_defaults(path: str, **more: Any) -> Tree:
    """The defaults of the pod's spec at `path`."""
    added = {
        "containers[0].imagePullPolicy": "IfNotPresent",
        "containers[0].terminationMessagePath": "/dev/termination-log",
        "containers[0].terminationMessagePolicy": "File",
        "containers[0].resources": {},
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
    } | more
    return {path + key: value for key, value in added.items()}


WORKLOADS = {
    "Pod": Row(
        pod_defaults("spec.", restartPolicy="Always")
        | {"metadata.generation": 1, "spec.enableServiceLinks": True, "status": {"phase": "Pending", "qosClass": "BestEffort"}},
        {"spec": {"containers": []}},
        ["Required spec.containers: Required value"],
    ),
    "PodTemplate": Row(
        pod_defaults("template.spec.", restartPolicy="Always") | {"metadata.generation": 1},
        {"template": {"spec": {"restartPolicy": "Sometimes"}}},
        ['NotSupported template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always"…'],
    ),
    "ReplicationController": Row(
        pod_defaults("spec.template.spec.", restartPolicy="Always")
        | {"metadata.labels": {"app": "sample"}, "metadata.generation": 1, "spec.replicas": 1, "status": {"replicas": 0}},
        {"spec": {"replicas": -1}},
        ["Invalid spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "DaemonSet": Row(
        pod_defaults("spec.template.spec.", restartPolicy="Always")
        | {
            "metadata.generation": 1,
            "metadata.annotations": {"deprecated.daemonset.template.generation": "1"},
            "spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "spec.revisionHistoryLimit": 10,
            "status": {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0},
        },
        {"spec": {"template": {"spec": {"restartPolicy": "Never"}}}},
        ['NotSupported spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    "Deployment": Row(
        pod_defaults("spec.template.spec.", restartPolicy="Always")
        | {
            "metadata.generation": 1,
            "spec.replicas": 1,
            "spec.strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "spec.revisionHistoryLimit": 10,
            "spec.progressDeadlineSeconds": 600,
        },
        {"spec": {"replicas": -1}},
        ["Invalid spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "ReplicaSet": Row(
        pod_defaults("spec.template.spec.", restartPolicy="Always")
        | {"metadata.generation": 1, "spec.replicas": 1, "status": {"replicas": 0}},
        {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
        ['Invalid spec.template.metadata.labels: Invalid value: map[string]string{"app":"sample"}: `selector` …'],
    ),
    "StatefulSet": Row(
        pod_defaults("spec.template.spec.", restartPolicy="Always")
        | {
            "metadata.generation": 1,
            "spec.podManagementPolicy": "OrderedReady",
            "spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "spec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "spec.replicas": 1,
            "spec.revisionHistoryLimit": 10,
            "status": {"replicas": 0, "availableReplicas": 0},
        },
        {"spec": {"podManagementPolicy": "Random"}},
        ["Invalid spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"],
    ),
    "CronJob": Row(
        pod_defaults("spec.jobTemplate.spec.template.spec.")
        | {
            "metadata.generation": 1,
            "spec.concurrencyPolicy": "Allow",
            "spec.suspend": False,
            "spec.successfulJobsHistoryLimit": 3,
            "spec.failedJobsHistoryLimit": 1,
        },
        {"spec": {"schedule": "never"}},
        ['Invalid spec.schedule: Invalid value: "never": expected exactly 5 fields, found 1: [never]'],
    ),
    "Job": Row(
        pod_defaults("spec.template.spec.")
        | {
            "metadata.generation": 1,
            "metadata.labels": {
                "controller-uid": "u",
                "job-name": "sample",
                "batch.kubernetes.io/controller-uid": "u",
                "batch.kubernetes.io/job-name": "sample",
            },
            "spec.template.metadata": {
                "labels": {
                    "controller-uid": "u",
                    "job-name": "sample",
                    "batch.kubernetes.io/controller-uid": "u",
                    "batch.kubernetes.io/job-name": "sample",
                }
            },
            "spec.parallelism": 1,
            "spec.completions": 1,
            "spec.backoffLimit": 6,
            "spec.completionMode": "NonIndexed",
            "spec.suspend": False,
            "spec.podReplacementPolicy": "TerminatingOrFailed",
            "spec.manualSelector": False,
            "spec.selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
        },
        {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}},
        ['Required spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ),
}

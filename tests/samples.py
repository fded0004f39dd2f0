"""One object of every kind that a server stores, as small as it may be and still be taken: for fuzzers and clients."""

from __future__ import annotations

import base64
import copy
from typing import Any

from sampan.api.resource import Resource
from tests.unit.groups.requests import request_pem

Tree = dict[str, Any]

NAME = "sample"
LABELS = {"app": "sample"}
CONTAINERS = [{"name": "c", "image": "registry.example/c:1"}]
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": CONTAINERS}}
JOB_TEMPLATE = {"spec": {"containers": CONTAINERS, "restartPolicy": "Never"}}
SELECTED: Tree = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
TIME = "2024-05-06T07:08:09Z"
MICRO_TIME = "2024-05-06T07:08:09.000001Z"
WEBHOOK = {
    "name": "w.example.com",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "clientConfig": {"url": "https://127.0.0.1:1/hook"},
    "rules": [{"apiGroups": ["never.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothings"]}],
}
POLICY = {
    "matchConstraints": {
        "resourceRules": [
            {"apiGroups": ["never.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothings"]}
        ]
    },
    "validations": [{"expression": "true"}],
}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
SUBJECT = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
FLOW = {
    "priorityLevelConfiguration": {"name": "workload-low"},
    "rules": [
        {
            "subjects": [{"kind": "User", "user": {"name": "nobody"}}],
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/nowhere"]}],
        }
    ],
}
CRON_SCHEMA = {
    "type": "object",
    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "status": {"type": "object"}},
}


def _definition() -> Tree:
    names = {"plural": "samples", "singular": "sample", "kind": "Sample"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": CRON_SCHEMA}}
    spec = {"group": "fuzz.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": "samples.fuzz.example.com"}, "spec": spec}


def _signing_request() -> Tree:
    request = base64.b64encode(request_pem()).decode()
    return {"spec": {"request": request, "signerName": "example.com/signer", "usages": ["client auth"]}}


SAMPLES: dict[tuple[str, str], Tree] = {
    ("", "ConfigMap"): {"data": {"k": "v"}},
    ("", "Endpoints"): {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]},
    ("", "Event"): {
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Started",
        "type": "Normal",
        "message": "m",
    },
    ("", "LimitRange"): {"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "64Gi"}}]}},
    ("", "Namespace"): {},
    ("", "Node"): {"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}},
    ("", "PersistentVolumeClaim"): {"spec": CLAIM},
    ("", "PersistentVolume"): {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp"}}
    },
    ("", "Pod"): {"spec": {"containers": CONTAINERS}},
    ("", "PodTemplate"): {"template": TEMPLATE},
    ("", "ReplicationController"): {"spec": {"selector": LABELS, "template": TEMPLATE}},
    ("", "ResourceQuota"): {"spec": {"hard": {"count/nothings.never.example.com": "5"}}},
    ("", "Secret"): {"stringData": {"k": "v"}},
    ("", "ServiceAccount"): {},
    ("", "Service"): {"spec": {"selector": LABELS, "ports": [{"port": 80}]}},
    ("apiregistration.k8s.io", "APIService"): {
        "metadata": {"name": "v1.absent.example.com"},
        "spec": {
            "group": "absent.example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": "default", "name": "absent"},
        },
    },
    ("apps", "ControllerRevision"): {"revision": 1, "data": {"a": 1}},
    ("apps", "DaemonSet"): {"spec": SELECTED},
    ("apps", "Deployment"): {"spec": SELECTED},
    ("apps", "ReplicaSet"): {"spec": SELECTED},
    ("apps", "StatefulSet"): {"spec": {**SELECTED, "serviceName": "s"}},
    ("events.k8s.io", "Event"): {
        "eventTime": MICRO_TIME,
        "reportingController": "example.com/c",
        "reportingInstance": "c-1",
        "action": "Do",
        "reason": "Done",
        "type": "Normal",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
    },
    ("autoscaling", "HorizontalPodAutoscaler"): {"spec": {"scaleTargetRef": TARGET, "maxReplicas": 3}},
    ("batch", "CronJob"): {
        "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": JOB_TEMPLATE}}},
    },
    ("batch", "Job"): {"spec": {"template": JOB_TEMPLATE}},
    ("certificates.k8s.io", "CertificateSigningRequest"): _signing_request(),
    ("networking.k8s.io", "IngressClass"): {"spec": {"controller": "example.com/c"}},
    ("networking.k8s.io", "Ingress"): {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    ("networking.k8s.io", "IPAddress"): {
        "metadata": {"name": "192.168.7.7"},
        "spec": {"parentRef": {"resource": "services", "name": "s", "namespace": "default"}},
    },
    ("networking.k8s.io", "NetworkPolicy"): {"spec": {"podSelector": {"matchLabels": LABELS}}},
    ("networking.k8s.io", "ServiceCIDR"): {"spec": {"cidrs": ["10.200.0.0/24"]}},
    ("policy", "PodDisruptionBudget"): {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "other"}}}},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {"roleRef": ROLE, "subjects": [SUBJECT]},
    ("rbac.authorization.k8s.io", "ClusterRole"): {"rules": [RULE]},
    ("rbac.authorization.k8s.io", "RoleBinding"): {"roleRef": ROLE, "subjects": [SUBJECT]},
    ("rbac.authorization.k8s.io", "Role"): {"rules": [RULE]},
    ("storage.k8s.io", "CSIDriver"): {"spec": {"attachRequired": False}},
    ("storage.k8s.io", "CSINode"): {"spec": {"drivers": [{"name": "d.example.com", "nodeID": "n", "topologyKeys": ["a"]}]}},
    ("storage.k8s.io", "CSIStorageCapacity"): {"storageClassName": "fast", "capacity": "1Gi"},
    ("storage.k8s.io", "StorageClass"): {"provisioner": "example.com/p"},
    ("storage.k8s.io", "VolumeAttachment"): {
        "spec": {"attacher": "a.example.com", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}
    },
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): {"webhooks": [WEBHOOK]},
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): {"spec": POLICY},
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): {
        "spec": {"policyName": "absent", "validationActions": ["Audit"]}
    },
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): {"webhooks": [WEBHOOK]},
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition(),
    ("scheduling.k8s.io", "PriorityClass"): {"value": 1000},
    ("coordination.k8s.io", "Lease"): {"spec": {"holderIdentity": "h", "leaseDurationSeconds": 15}},
    ("node.k8s.io", "RuntimeClass"): {"handler": "h"},
    ("discovery.k8s.io", "EndpointSlice"): {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.2.3"]}],
        "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
    },
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): {"spec": FLOW},
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): {
        "spec": {
            "type": "Limited",
            "limited": {"nominalConcurrencyShares": 1, "limitResponse": {"type": "Reject"}},
        }
    },
}


def sample(resource: Resource, name: str = NAME) -> Tree:
    """A fresh object of the kind; `name` holds unless the kind dictates one."""
    tree = copy.deepcopy(SAMPLES[resource.group, resource.kind])
    meta = {"name": name, **tree.pop("metadata", {})}
    return {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": meta, **tree}


def is_named_by_its_kind(resource: Resource) -> bool:
    """Whether there can be only one sample of it at a time."""
    return "metadata" in SAMPLES[resource.group, resource.kind]

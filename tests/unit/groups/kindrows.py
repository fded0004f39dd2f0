"""What the defaults of every kind that can be created add to its sample, and something its rules refuse."""

from __future__ import annotations

from tests.unit.groups.workloadrows import WORKLOADS, Row

ROWS = WORKLOADS | {
    "ConfigMap": Row(
        {},
        {"data": {"a/b": "x"}},
        ['Invalid data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters,…'],
    ),
    "Endpoints": Row(
        {"subsets[0].ports[0].protocol": "TCP"},
        {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 0}]}]},
        ["Invalid subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"],
    ),
    "Event": Row(
        {},
        {"involvedObject": {"namespace": "other"}},
        ['Invalid involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ),
    "LimitRange": Row(
        {},
        {"spec": {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]}},
        ["Forbidden spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
    ),
    "Namespace": Row(
        {
            "metadata.labels": {"kubernetes.io/metadata.name": "sample"},
            "status": {"phase": "Active"},
            "spec": {"finalizers": ["kubernetes"]},
        },
        {"metadata": {"name": "a.b"}},
        ['Invalid metadata.name: Invalid value: "a.b": must not contain dots'],
    ),
    "Node": Row({}, {"spec": {"taints": [{"key": "a"}]}}, ["Required metadata.taints[0].effect: Required value"]),
    "PersistentVolumeClaim": Row(
        {"spec.volumeMode": "Filesystem", "status": {"phase": "Pending"}},
        {"spec": {"accessModes": []}},
        ["Required spec.accessModes: Required value: at least 1 access mode is required"],
    ),
    "PersistentVolume": Row(
        {
            "spec.hostPath.type": "",
            "spec.persistentVolumeReclaimPolicy": "Retain",
            "spec.volumeMode": "Filesystem",
            "status": {"phase": "Pending"},
        },
        {"spec": {"capacity": {"storage": "0"}}},
        ['Invalid spec.capacity[storage]: Invalid value: "0": must be greater than zero'],
    ),
    "ResourceQuota": Row(
        {},
        {"spec": {"hard": {"gpu": "1"}}},
        [
            'Invalid spec.hard[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
            'Invalid spec.hard[gpu]: Invalid value: "gpu": must be a standard resource for quota',
        ],
    ),
    "Secret": Row(
        {"type": "Opaque", "data": {"k": "dg=="}},
        {"type": "kubernetes.io/tls"},
        ["Required data[tls.crt]: Required value", "Required data[tls.key]: Required value"],
    ),
    "ServiceAccount": Row(
        {},
        {"metadata": {"name": "A"}},
        ['Invalid metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case…'],
    ),
    "Service": Row(
        {
            "spec.ports[0].protocol": "TCP",
            "spec.ports[0].targetPort": 80,
            "spec.sessionAffinity": "None",
            "spec.type": "ClusterIP",
            "spec.internalTrafficPolicy": "Cluster",
            "status": {"loadBalancer": {}},
        },
        {"spec": {"ports": [{"port": 0}]}},
        [
            "Invalid spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "Invalid spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    ),
    "APIService": Row(
        {"spec.service.port": 443},
        {"spec": {"versionPriority": 0}},
        ["Invalid spec.versionPriority: Invalid value: 0: must be positive and less than 1000"],
    ),
    "ControllerRevision": Row(
        {}, {"revision": -1}, ["Invalid revision: Invalid value: -1: must be greater than or equal to 0"]
    ),
    "HorizontalPodAutoscaler": Row(
        {
            "spec.minReplicas": 1,
            "spec.metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
            ],
            "status": {"desiredReplicas": 0},
        },
        {"spec": {"maxReplicas": 0}},
        [
            "Invalid spec.maxReplicas: Invalid value: 0: must be greater than 0",
            "Invalid spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        ],
    ),
    "CertificateSigningRequest": Row(
        {},
        {"spec": {"usages": ["cooking"]}},
        ['NotSupported spec.usages[0]: Unsupported value: "cooking": supported values: "any", "cert sign", "cl…'],
    ),
    "IngressClass": Row(
        {"metadata.generation": 1},
        {"spec": {"controller": "nodomain"}},
        ['Invalid spec.controller: Invalid value: "nodomain": must be a domain-prefixed path (such as "acme.io…'],
    ),
    "Ingress": Row(
        {"metadata.generation": 1, "status": {"loadBalancer": {}}},
        {"spec": {"rules": [{"host": "10.0.0.1"}]}},
        ['Invalid spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
    ),
    "IPAddress": Row({}, {"spec": {"parentRef": None}}, ["Required spec.parentRef: Required value"]),
    "NetworkPolicy": Row(
        {"metadata.generation": 1, "spec.policyTypes": ["Ingress"]},
        {"spec": {"policyTypes": ["Sideways"]}},
        ['NotSupported spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"'],
    ),
    "ServiceCIDR": Row(
        {},
        {"spec": {"cidrs": ["10.0.0.1/24"]}},
        ['Invalid spec.cidrs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length'],
    ),
    "PodDisruptionBudget": Row(
        {
            "metadata.generation": 1,
            "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
        },
        {"spec": {"maxUnavailable": 1}},
        ['Invalid spec: Invalid value: {"minAvailable":1,"selector":{"matchLabels":{"app":"other"}},"maxUnavai…'],
    ),
    "ClusterRoleBinding": Row(
        {},
        {"roleRef": {"kind": "Group"}},
        ['NotSupported roleRef.kind: Unsupported value: "Group": supported values: "ClusterRole"'],
    ),
    "ClusterRole": Row(
        {},
        {"rules": [{"verbs": []}]},
        [
            "Required rules[0].verbs: Required value: verbs must contain at least one value",
            "Required rules[0].apiGroups: Required value: resource rules must supply at least one api group",
            "Required rules[0].resources: Required value: resource rules must supply at least one resource",
        ],
    ),
    "RoleBinding": Row(
        {},
        {"subjects": [{"kind": "Robot", "name": "a"}]},
        ['NotSupported subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User…'],
    ),
    "Role": Row(
        {},
        {"rules": [{"nonResourceURLs": ["/a"], "verbs": ["get"]}]},
        ['Invalid rules[0].nonResourceURLs: Invalid value: []string{"/a"}: namespaced rules cannot apply to no…'],
    ),
    "CSIDriver": Row(
        {
            "spec.podInfoOnMount": False,
            "spec.storageCapacity": False,
            "spec.fsGroupPolicy": "ReadWriteOnceWithFSType",
            "spec.volumeLifecycleModes": ["Persistent"],
            "spec.requiresRepublish": False,
            "spec.seLinuxMount": False,
        },
        {"spec": {"volumeLifecycleModes": ["Forever"]}},
        ['NotSupported spec.volumeLifecycleModes: Unsupported value: "Forever": supported values: "Persistent"…'],
    ),
    "CSINode": Row(
        {}, {"spec": {"drivers": [{"name": "d", "nodeID": ""}]}}, ["Required spec.drivers[0].nodeID: Required value"]
    ),
    "CSIStorageCapacity": Row(
        {}, {"capacity": "-1"}, ['Invalid capacity: Invalid value: "-1": must be greater than or equal to 0']
    ),
    "StorageClass": Row(
        {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
        {"volumeBindingMode": "Later"},
        ['NotSupported volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForF…'],
    ),
    "VolumeAttachment": Row(
        {"status": {"attached": False}},
        {"spec": {"attacher": ""}},
        [
            "Required spec.attacher: Required value",
            "Required spec.attacher: Required value",
            'Invalid spec.attacher: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case …',
        ],
    ),
    "MutatingWebhookConfiguration": Row(
        {
            "metadata.generation": 1,
            "webhooks[0].rules[0].scope": "*",
            "webhooks[0].failurePolicy": "Fail",
            "webhooks[0].timeoutSeconds": 10,
            "webhooks[0].matchPolicy": "Equivalent",
            "webhooks[0].namespaceSelector": {},
            "webhooks[0].objectSelector": {},
            "webhooks[0].reinvocationPolicy": "Never",
        },
        {"webhooks": [{"name": "w"}]},
        [
            'Invalid webhooks[0].name: Invalid value: "w": should be a domain with at least three segments separa…',
            "Required webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
            "Required webhooks[0].clientConfig: Required value: exactly one of url or service is required",
            "Required webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
        ],
    ),
    "ValidatingAdmissionPolicy": Row(
        {
            "metadata.generation": 1,
            "spec.matchConstraints.resourceRules[0].scope": "*",
            "spec.matchConstraints.matchPolicy": "Equivalent",
            "spec.matchConstraints.namespaceSelector": {},
            "spec.matchConstraints.objectSelector": {},
            "spec.failurePolicy": "Fail",
        },
        {"spec": {"failurePolicy": "Maybe"}},
        ['NotSupported spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"'],
    ),
    "ValidatingAdmissionPolicyBinding": Row(
        {"metadata.generation": 1},
        {"spec": {"validationActions": []}},
        ["Required spec.validationActions: Required value: at least one validation action is required"],
    ),
    "ValidatingWebhookConfiguration": Row(
        {
            "metadata.generation": 1,
            "webhooks[0].rules[0].scope": "*",
            "webhooks[0].failurePolicy": "Fail",
            "webhooks[0].timeoutSeconds": 10,
            "webhooks[0].matchPolicy": "Equivalent",
            "webhooks[0].namespaceSelector": {},
            "webhooks[0].objectSelector": {},
        },
        {
            "webhooks": [
                {
                    "name": "w.example.com",
                    "sideEffects": "Some",
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {"url": "https://a.b"},
                }
            ]
        },
        ['NotSupported webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ),
    "CustomResourceDefinition": Row(
        {
            "metadata.generation": 1,
            "spec.names.listKind": "SampleList",
            "spec.conversion": {"strategy": "None"},
            "status": {"storedVersions": ["v1"]},
        },
        {"spec": {"scope": "Galaxy"}},
        ['NotSupported spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'],
    ),
    "PriorityClass": Row(
        {"metadata.generation": 1, "preemptionPolicy": "PreemptLowerPriority"},
        {"value": 2000000000},
        ["Forbidden value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    ),
    "Lease": Row(
        {},
        {"spec": {"leaseDurationSeconds": 0}},
        ["Invalid spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    ),
    "RuntimeClass": Row(
        {},
        {"handler": "A"},
        ['Invalid handler: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanume…'],
    ),
    "EndpointSlice": Row(
        {"metadata.generation": 1},
        {"addressType": "MAC"},
        ['NotSupported addressType: Unsupported value: "MAC": supported values: "FQDN", "IPv4", "IPv6"'],
    ),
    "FlowSchema": Row(
        {"metadata.generation": 1, "spec.matchingPrecedence": 1000},
        {"spec": {"matchingPrecedence": 10001}},
        ["Invalid spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000"],
    ),
    "PriorityLevelConfiguration": Row(
        {"metadata.generation": 1, "spec.limited.lendablePercent": 0},
        {"spec": {"type": "Exempt"}},
        [
            "Invalid spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
            "Forbidden spec.limited: Forbidden: must be nil if the type is not Limited",
        ],
    ),
}

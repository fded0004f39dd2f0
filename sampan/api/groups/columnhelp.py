"""What tables say of their columns: texts, and for those that begin with a dot the description of a field in the definition.

After pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from sampan.api.definitions import OBJECT_META, REFERENCE_PREFIX, Tree, definition
from sampan.api.resource import Resource

_OF_METADATA: Final = {"Name": ".name", "Age": ".creationTimestamp"}
_OF_TEMPLATES: Final = {
    "Containers": "Names of each container in the template.",
    "Images": "Images referenced by each container in the template.",
}
_DESCRIBED_BY: Final = {
    "Event": "io.k8s.api.core.v1.Event",
    "HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
}
"""Of kinds in several forms, whose columns are those of one."""

_HELP: Final[Mapping[str, Mapping[str, str]]] = {
    "APIService": {
        "Service": "The reference to the service that hosts this API endpoint.",
        "Available": "Whether this service is available.",
    },
    "CSIDriver": {
        "AttachRequired": ".spec.attachRequired",
        "PodInfoOnMount": ".spec.podInfoOnMount",
        "StorageCapacity": ".spec.storageCapacity",
        "TokenRequests": ".spec.tokenRequests",
        "RequiresRepublish": ".spec.requiresRepublish",
        "Modes": ".spec.volumeLifecycleModes",
    },
    "CSINode": {
        "Drivers": "Drivers indicates the number of CSI drivers registered on the node",
    },
    "CSIStorageCapacity": {
        "StorageClassName": ".storageClassName",
        "Capacity": ".capacity",
    },
    "CertificateSigningRequest": {
        "SignerName": ".spec.signerName",
        "Requestor": "Base64-encoded PKCS#10 CSR data",
        "RequestedDuration": ".spec.expirationSeconds",
        "Condition": "Conditions applied to the request, such as approval or denial.",
    },
    "ClusterRole": {
        "Created At": ".metadata.creationTimestamp",
    },
    "ClusterRoleBinding": {
        "Role": ".roleRef",
        "Users": "Users in the clusterRoleBinding",
        "Groups": "Groups in the clusterRoleBinding",
        "ServiceAccounts": "ServiceAccounts in the clusterRoleBinding",
    },
    "ComponentStatus": {
        "Status": "Status of the component conditions",
        "Message": "Message of the component conditions",
        "Error": "Error of the component conditions",
    },
    "ConfigMap": {
        "Data": ".data",
    },
    "ControllerRevision": {
        "Controller": "Controller of the object",
        "Revision": ".revision",
    },
    "CronJob": {
        "Schedule": ".spec.schedule",
        "Timezone": ".spec.timeZone",
        "Suspend": ".spec.suspend",
        "Active": ".status.active",
        "Last Schedule": ".status.lastScheduleTime",
        "Selector": ".spec.jobTemplate.spec.selector",
    },
    "DaemonSet": {
        "Desired": ".status.desiredNumberScheduled",
        "Current": ".status.currentNumberScheduled",
        "Ready": ".status.numberReady",
        "Up-to-date": ".status.updatedNumberScheduled",
        "Available": ".status.numberAvailable",
        "Node Selector": ".spec.template.spec.nodeSelector",
        "Selector": ".spec.selector",
    },
    "Deployment": {
        "Ready": "Number of the pod with ready state",
        "Up-to-date": ".status.updatedReplicas",
        "Available": ".status.availableReplicas",
        "Selector": ".spec.selector",
    },
    "EndpointSlice": {
        "AddressType": ".addressType",
        "Ports": ".ports",
        "Endpoints": ".endpoints",
    },
    "Endpoints": {
        "Endpoints": ".subsets",
    },
    "Event": {
        "Last Seen": ".lastTimestamp",
        "Type": ".type",
        "Reason": ".reason",
        "Object": "The object that this event is about.",
        "Subobject": ".involvedObject.fieldPath",
        "Source": ".source",
        "Message": ".message",
        "First Seen": ".firstTimestamp",
        "Count": ".count",
    },
    "FlowSchema": {
        "PriorityLevel": ".spec.priorityLevelConfiguration.name",
        "MatchingPrecedence": ".spec.matchingPrecedence",
        "DistinguisherMethod": ".spec.distinguisherMethod",
        "MissingPL": "references a broken or non-existent PriorityLevelConfiguration",
    },
    "HorizontalPodAutoscaler": {
        "Reference": ".spec.scaleTargetRef",
        "Targets": ".spec.metrics",
        "MinPods": ".spec.minReplicas",
        "MaxPods": ".spec.maxReplicas",
        "Replicas": ".status.currentReplicas",
    },
    "IPAddress": {
        "ParentRef": ".spec.parentRef",
    },
    "Ingress": {
        "Class": "The name of the IngressClass resource that should be used for additional configuration",
        "Hosts": "Hosts that incoming requests are matched against before the ingress rule",
        "Address": "Address is a list containing ingress points for the load-balancer",
        "Ports": "Ports of TLS configurations that open",
    },
    "IngressClass": {
        "Controller": "Controller that is responsible for handling this class",
        "Parameters": "A reference to a resource with additional parameters",
    },
    "Job": {
        "Status": "Status of the job.",
        "Completions": ".status.succeeded",
        "Duration": "Time required to complete the job.",
        "Selector": ".spec.selector",
    },
    "Lease": {
        "Holder": ".spec.holderIdentity",
    },
    "LimitRange": {
        "Created At": ".metadata.creationTimestamp",
    },
    "MutatingWebhookConfiguration": {
        "Webhooks": "Webhooks indicates the number of webhooks registered in this configuration",
    },
    "Namespace": {
        "Status": "The status of the namespace",
    },
    "NetworkPolicy": {
        "Pod-Selector": ".spec.podSelector",
    },
    "Node": {
        "Status": "The status of the node",
        "Roles": "The roles of the node",
        "Version": ".status.nodeInfo.kubeletVersion",
        "Internal-IP": ".status.addresses",
        "External-IP": ".status.addresses",
        "OS-Image": ".status.nodeInfo.osImage",
        "Kernel-Version": ".status.nodeInfo.kernelVersion",
        "Container-Runtime": ".status.nodeInfo.containerRuntimeVersion",
    },
    "PersistentVolume": {
        "Capacity": ".spec.capacity",
        "Access Modes": ".spec.accessModes",
        "Reclaim Policy": ".spec.persistentVolumeReclaimPolicy",
        "Status": ".status.phase",
        "Claim": ".spec.claimRef",
        "StorageClass": "StorageClass of the pv",
        "VolumeAttributesClass": "VolumeAttributesClass of the pv",
        "Reason": ".status.reason",
        "VolumeMode": ".spec.volumeMode",
    },
    "PersistentVolumeClaim": {
        "Status": ".status.phase",
        "Volume": ".spec.volumeName",
        "Capacity": ".status.capacity",
        "Access Modes": ".status.accessModes",
        "StorageClass": "StorageClass of the pvc",
        "VolumeAttributesClass": "VolumeAttributesClass of the pvc",
        "VolumeMode": ".spec.volumeMode",
    },
    "Pod": {
        "Ready": "The aggregate readiness state of this pod for accepting traffic.",
        "Status": "The aggregate status of the containers in this pod.",
        "Restarts": "The number of times the containers in this pod have been restarted.",
        "IP": ".status.podIP",
        "Node": ".spec.nodeName",
        "Nominated Node": ".status.nominatedNodeName",
        "Readiness Gates": ".spec.readinessGates",
    },
    "PodDisruptionBudget": {
        "Min Available": "The minimum number of pods that must be available.",
        "Max Unavailable": "The maximum number of pods that may be unavailable.",
        "Allowed Disruptions": "Calculated number of pods that may be disrupted at this time.",
    },
    "PodTemplate": {
        "Pod Labels": "The labels for the pod template.",
    },
    "PriorityClass": {
        "Value": ".value",
        "Global-Default": ".globalDefault",
        "PreemptionPolicy": ".preemptionPolicy",
    },
    "PriorityLevelConfiguration": {
        "Type": ".spec.type",
        "NominalConcurrencyShares": ".spec.limited.nominalConcurrencyShares",
        "Queues": ".spec.limited.limitResponse.queuing.queues",
        "HandSize": ".spec.limited.limitResponse.queuing.handSize",
        "QueueLengthLimit": ".spec.limited.limitResponse.queuing.queueLengthLimit",
    },
    "ReplicaSet": {
        "Desired": ".spec.replicas",
        "Current": ".status.replicas",
        "Ready": ".status.readyReplicas",
        "Selector": ".spec.selector",
    },
    "ReplicationController": {
        "Desired": ".spec.replicas",
        "Current": ".status.replicas",
        "Ready": ".status.readyReplicas",
        "Selector": ".spec.selector",
    },
    "ResourceQuota": {
        "Request": "Request represents a minimum amount of cpu/memory that a container may consume.",
        "Limit": "Limits control the maximum amount of cpu/memory that a container may use independent of contention "
        "on the node.",
    },
    "Role": {
        "Created At": ".metadata.creationTimestamp",
    },
    "RoleBinding": {
        "Role": ".roleRef",
        "Users": "Users in the roleBinding",
        "Groups": "Groups in the roleBinding",
        "ServiceAccounts": "ServiceAccounts in the roleBinding",
    },
    "RuntimeClass": {
        "Handler": "",
    },
    "Secret": {
        "Type": ".type",
        "Data": ".data",
    },
    "Service": {
        "Type": ".spec.type",
        "Cluster-IP": ".spec.clusterIP",
        "External-IP": ".spec.externalIPs",
        "Port(s)": ".spec.ports",
        "Selector": ".spec.selector",
    },
    "ServiceAccount": {
        "Secrets": ".secrets",
    },
    "ServiceCIDR": {
        "CIDRs": ".spec.cidrs",
    },
    "StatefulSet": {
        "Ready": "Number of the pod with ready state",
    },
    "StorageClass": {
        "Provisioner": ".provisioner",
        "ReclaimPolicy": ".reclaimPolicy",
        "VolumeBindingMode": ".volumeBindingMode",
        "AllowVolumeExpansion": ".allowVolumeExpansion",
    },
    "ValidatingAdmissionPolicy": {
        "Validations": "Validations indicates the number of validation rules defined in this configuration",
        "ParamKind": "ParamKind specifies the kind of resources used to parameterize this policy",
    },
    "ValidatingAdmissionPolicyBinding": {
        "PolicyName": "PolicyName indicates the policy definition which the policy binding binded to",
        "ParamRef": "ParamRef indicates the param reference which sets the configration param",
    },
    "ValidatingWebhookConfiguration": {
        "Webhooks": "Webhooks indicates the number of webhooks registered in this configuration",
    },
    "VolumeAttachment": {
        "Attacher": ".spec.attacher",
        "PV": ".spec.source.persistentVolumeName",
        "Node": ".spec.nodeName",
        "Attached": ".status.attached",
    },
}


def column_help(resource: Resource, name: str) -> str:
    """What a column is about that does not say so itself."""
    if name in _OF_METADATA:
        return _description(OBJECT_META, _OF_METADATA[name])
    if resource.custom_schema is not None:
        return ""
    text = _HELP.get(resource.kind, {}).get(name, _OF_TEMPLATES.get(name, ""))
    if not text.startswith("."):
        return text
    return _description(_DESCRIBED_BY.get(resource.kind, resource.definition), text)


@lru_cache(maxsize=1024)
def _description(name: str, path: str) -> str:
    field: Tree = {"$ref": REFERENCE_PREFIX + name}
    for step in path[1:].split("."):
        reference = field.get("$ref") or field["allOf"][0]["$ref"]
        field = definition(reference.removeprefix(REFERENCE_PREFIX))["properties"][step]
    return str(field.get("description", ""))

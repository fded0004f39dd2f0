"""What differs because upstream changed between 1.20 and 1.33, or on purpose, each with its reason in a few words."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.upstream.comparing import ABSENT, Difference, Explained
from tests.upstream.explained_betas import ROWS as OF_BETAS
from tests.upstream.explained_tables import ROWS as OF_TABLES

YOUNGER = (
    *("completionMode", "suspend", "manualSelector", "podReplacementPolicy", "podFailurePolicy", "successPolicy"),
    *("backoffLimitPerIndex", "maxFailedIndexes", "managedBy", "internalTrafficPolicy", "persistentVolumeClaimRetentionPolicy"),
    *("ordinals", "minReadySeconds", "availableReplicas", "maxSurge", "requiresRepublish", "seLinuxMount", "tokenRequests"),
    *("nodeAllocatableUpdatePeriodSeconds", "lastPhaseTransitionTime", "volumeAttributesClassName", "expirationSeconds"),
    *("dataSourceRef", "schedulingGates", "os", "resizePolicy", "ipMode", "scope", "namespaceSelector", "endPort"),
    *("matchConditions", "hostUsers", "resourceClaims", "allocatedResources", "timeZone", "unhealthyPodEvictionPolicy"),
    *("matchLabelKeys", "mismatchLabelKeys", "nodeInclusionPolicy", "nodeAffinityPolicy", "nodeTaintsPolicy", "minDomains"),
    *("appArmorProfile", "hostProcess", "recursiveReadOnly", "sleep", "preStop", "terminationGracePeriodSeconds", "grpc"),
    *("completedIndexes", "failedIndexes", "ready", "terminating", "uncountedTerminatedPods", "hostIPs", "stopSignal"),
    *("allocatedResourceStatuses", "storageCapacity", "emulationMajor", "emulationMinor", "minCompatibilityMajor"),
    *(
        "minCompatibilityMinor",
        "controllerExpandSecretRef",
        "nodeExpandSecretRef",
        "parameters.namespace",
        "rules.containerName",
    ),
)
"""Fields that came after 1.20."""
_YOUNGER = rf"\.(f:)?({'|'.join(map(re.escape, YOUNGER))})\b"
_ABSENT = re.escape(json.dumps(ABSENT))
_ATOMIC = (
    r"managedFields.*\.f:(involvedObject|regarding|related|roleRef|selector|nodeSelector|fieldRef|scaleTargetRef|scopeSelector"
    r"|podSelector|dataSource|required|port|controllerExpandSecretRef|secrets)\b"
)
_CAUSE = r"^body\.details\.causes|^verdict$|^body\.message$"

_RULES_SINCE = (
    r"422 .*(pod-deletion-cost|when completion mode is Indexed|may not be set for non-init containers|for a (windows|linux) pod"
    r"|spec\.ephemeralContainers: Forbidden|initContainers\[0\]\.restartPolicy: Unsupported|seLinuxChangePolicy: Unsupported"
    r"|spec\.volumes\[0\]: Required value: must specify a volume type)"
)
_RULES_BEFORE = (
    r"startupProbe: Required value|livenessProbe: .*must not be set for init|422 spec\.dnsConfig\.searches"
    r"|CrossNamespacePodAffinity|maxUnavailable: .*cannot be 0|400 DaemonSet in version .*strconv\.ParseInt"
)

ROWS: tuple[Explained, ...] = (
    # Fields and kinds
    Explained("a younger field", _YOUNGER),
    Explained("a younger field", r"^verdict$|causes", ours=_YOUNGER[2:]),
    Explained("a younger field or kind, in OpenAPI", r"^properties\.", "GET definition", _ABSENT),
    Explained(
        "1.21: namespaces have a label with their name", "metadata", "/namespaces/?[^/]*", ours="kubernetes.io/metadata.name"
    ),
    Explained("1.27: labels of Jobs have a domain", r"labels|matchLabels|cells|managedFields", "/jobs"),
    Explained("1.29: a backoffLimit per index unbounds the other", r"spec\.backoffLimit$", "/jobs", "6", "2147483647"),
    Explained("1.22: generation counts the spec's changes", r"metadata\.generation$"),
    Explained("1.22: a dry run shows the address that would be taken", r"spec\.clusterIPs?$", "services.*dryRun", _ABSENT),
    Explained("1.27: the template generation is an annotation of DaemonSets", "annotations|f:metadata", "/daemonsets"),
    Explained("1.32: who asked is told with his credential's id", r"spec\.extra$", "/certificatesigningrequests"),
    Explained("1.22: a status keeps its qosClass", r"status(\.qosClass)?$", "/pods/", _ABSENT, "qosClass"),
    Explained("1.27: pods with scheduling gates say so", r"status\.conditions$", "/pods", ours="SchedulingGated"),
    Explained("1.28: sidecars", r"initContainers.*restartPolicy$", "/pods", _ABSENT, "Always"),
    Explained("1.33: an unmasked /proc is kept for user namespaces", "procMount$", "/pods", "Default", "Unmasked"),
    Explained("1.29: keys of labels become requirements", r"labelSelector\.matchExpressions$", "/pods"),
    Explained("1.22: a claim's data source is shown in both fields", r"spec\.dataSource$", "/persistentvolumeclaims"),
    Explained("1.24: external addresses have a traffic policy", r"spec\.externalTrafficPolicy$", "/services"),
    Explained("1.24: tokens name their account", r"metadata(\.name|\.namespace)?$", "/token", _ABSENT),
    # Who owns what
    Explained("1.22: what a writer may not set is not his", r"managedFields.*f:status|managedFields\[\d+\]$|managedFields$"),
    Explained("1.22: which write was to a subresource is recorded", r"managedFields\[\d+\]\.(subresource|manager|fieldsV1\.)"),
    Explained("1.21: references, selectors and more are atomic", _ATOMIC),
    # Warnings, tables, lists
    Explained("warnings came after 1.20", r"^headers\.warning", theirs=_ABSENT),
    Explained(
        "1.27: what is listed from the cache is sorted",
        r"(items\[\d+\]|body\[\d+\]\.object)\.metadata\.(name|labels)",
        "(resourceVersion|watch)=",
    ),
    Explained("1.21: partial lists tell how many remain", "remainingItemCount$"),
    Explained("1.28: partial lists are refused to watchers later", "^body$", "watch=1.*PartialObjectMetadataList"),
    # Words
    Explained(
        "1.23: errors of decoding are encoding/json's",
        _CAUSE,
        theirs=r"error found in #|readObjectStart|unmarshalerDecoder|unexpected EOF|decode base64|valueUnstructured",
    ),
    Explained(
        "1.23: patches are decoded before they are applied",
        _CAUSE,
        "PATCH",
        r"500|jsonpatch\.|^\"200\"|cannot restore slice|\[\]",
    ),
    Explained("1.23: an unreadable patch shows its keys in another order", r"causes\[\d+\]\.message$", "PATCH", r"apiVersion"),
    Explained(
        "1.29: server-side apply checks the type first",
        _CAUSE,
        "PATCH .*fieldManager",
        r"Incorrect version|no corresponding type|typed patch object",
    ),
    Explained(
        "1.24: the groups of Ingresses and NetworkPolicies are not extensions'",
        "message$|group$|kind$",
        "networking",
        "extensions",
    ),
    Explained("1.22: bad revisions are 400", "^verdict$", "", r"500 .*ParseUint|500 resourceVersion"),
    Explained("on purpose 400 and 422 where upstream has 500", "^verdict$", "DELETE|POST", "500 "),
    Explained("1.22: a bad timeout is refused", "^verdict$", "timeout=x", "20[01]", "400 invalid timeout specified"),
    Explained("1.26: words of label selectors", r"^body\.message$", "GET", "unable to parse requirement"),
    Explained("1.31: Services are found by their spec", _CAUSE, "/services ", "not a known field selector"),
    Explained("1.24: Pods are found by hostNetwork", _CAUSE, "/pods spec.hostNetwork", "400 field label not supported", "200"),
    Explained("1.27: watches may start with the list", _CAUSE, "watch=1", "forbidden for watch"),
    Explained(
        "media types are refused in other words",
        r"^body\.message$|^verdict$|^body\.details$",
        "",
        r"40[6]|415|media types|\{\}",
    ),
    Explained("1.21: continue tokens without a version", r"^body\.message$", "continue", "encoded version"),
    Explained("upstream lists the same error twice", r"causes\[\d+\]$", ours=f"^{_ABSENT}$"),
    Explained("Go's structs and pointers", r"causes\[\d+\]\.message$", "", r"\{…\}|\(nil\)|core\.|apps\."),
    Explained(
        "changed leaves instead of whole structs",
        r"causes\[\d+\]\.message$",
        "PUT|PATCH",
        "may not change fields other than|immutable",
    ),
    Explained("malformed certificates", r"message$", "certificatesigningrequests", "asn1"),
    Explained(
        "1.22: the addresses of a Service are checked before all else",
        r"causes\[\d\]\.field$",
        "/services",
        r"spec\.(ipFamilies|clusterIPs)\[\d\]",
        r"spec\.(clusterIPs|ipFamilies)\b",
    ),
    Explained(
        "1.22: the addresses of a Service are checked before all else",
        r"causes\[1\]\.message$",
        "PUT .*/services/",
        "expected an IPv6 value",
        "may not change once set",
    ),
    Explained(
        "1.24: the policy of traffic from outside is for what is reached from there",
        r"causes\[\d\](\.message)?$",
        "POST .*/services",
        rf"^{_ABSENT}$|ExternalTrafficPolicy can only be set on",
        "may only be set for externally-accessible services",
    ),
    Explained(
        "ranges of sources are told of one by one",
        r"causes\[0\]\.message$",
        "POST .*/services",
        "must be a list of IP ranges",
        "must be a valid CIDR value",
    ),
    Explained(
        "only a LoadBalancer has an ingress",
        r"causes\[0\]\.(field|message|reason)$",
        "PUT .*/services/.*/status",
        r"ingress\[0\]\.ip|must be a valid IP address|FieldValueInvalid",
        r"loadBalancer\.ingress\"$|may only be used when `spec\.type` is|FieldValueForbidden",
    ),
    Explained(
        "1.27: labels of Jobs have a domain",
        r"causes\[\d\]\.field$",
        "POST .*/jobs",
        r"spec\.selector|spec\.template\.(metadata\.labels|spec\.restartPolicy)",
        r"labels\[batch\.kubernetes\.io|spec\.selector|spec\.template\.spec\.restartPolicy",
    ),
    Explained(
        "1.27: labels of Jobs have a domain",
        r"causes\[[23]\]\.(message|reason)$",
        "POST .*/jobs",
        "valid values: .*OnFailure|FieldValue(Required|Invalid)",
        "`selector` not auto-generated|FieldValue(Required|Invalid)",
    ),
    Explained("1.25: projected volumes name one source each", r"causes", "/pods", "more than 1 volume type", "per source"),
    Explained(
        "1.28: host ports are the field at fault", r"causes", "/pods", "containerPort|hostPort", "hostPort|containerPort"
    ),
    Explained("1.28: limits are named", r"causes", "", "cpu limit", "cpu limit of"),
    Explained(
        "1.25: labels say that dots are the trouble", r"causes|^verdict", "", "", "must not contain dots|invalid DNS label"
    ),
    Explained("1.30: unsupported rather than invalid", r"causes", "", "", "Unsupported value|FieldValueNotSupported"),
    Explained("1.22: node ids may be longer", r"causes", "/csinodes", "128 characters"),
    Explained("1.25: names of provisioners are checked in lower case", r"causes", "/storageclasses", "A_"),
    Explained("1.22: annotation and field of an Ingress's class may agree", r"causes", "/ingresses", "class field is also set"),
    Explained(
        "1.29: fields at fault have their real names",
        r"causes\[\d+\]\.field$",
        "",
        '"Value"|CSINodeDriver|"spec"|csi.namespace',
    ),
    Explained(
        "1.26: a driver's other fields may change", r"causes\[1\]$", "PUT .*/csidrivers/", f"^{_ABSENT}$", "field is immutable"
    ),
    Explained(
        "1.24: the resource of an update's scale has the namespace of its path",
        r"causes\[0\]\.|^verdict$",
        "PUT .*/scale",
        r"metadata\.namespace|^\"Required value\"$|FieldValueRequired",
    ),
    Explained(
        "1.24: reviews have the namespace of their path",
        r"causes\[1\]$|^verdict$",
        "/localsubjectaccessreviews",
        rf"^{_ABSENT}$|400 spec\.resourceAttributes\.namespace must match namespace",
        "must match metadata.namespace",
    ),
    Explained("1.23: sysctls of the network are the host's", r"causes", "/pods", "", "sysctls"),
    Explained("1.21: younger rules of Pods and what makes them", "^verdict$", "POST", '"201"', _RULES_SINCE),
    Explained(
        "1.23: statuses of claims and Jobs are checked",
        "^verdict$",
        "PUT .*/(persistentvolumeclaims|jobs)/[^/]*/status",
        '"200"',
        r"422 status\.(allocatedResourceStatus|completionTime|conditions|failed|startTime): ",
    ),
    Explained(
        "1.27: suspended and gated Pods and Jobs, and StatefulSets, may change more",
        "^verdict$",
        "PUT .*/(pods|statefulsets|jobs)/",
        r"422 spec: Forbidden: (pod updates|updates to statefulset)|422 spec\.(completions|template): .*field is immutable",
        '"200"',
    ),
    Explained("1.21: what has been allowed since", "^verdict$", "POST", _RULES_BEFORE, '"201"'),
    Explained(
        "1.24: what is applied has to have a name",
        "^verdict$",
        "PATCH .*fieldManager",
        "422 the server rejected our request",
        "400 the name of the object .* was undeterminable",
    ),
    Explained(
        "1.22: other kinds of error for the same",
        r"causes\[0\]\.reason$",
        "POST .*/(pods|daemonsets)",
        "FieldValue(Required|Invalid)",
        "FieldValue(Invalid|Forbidden|Required)",
    ),
    Explained(
        "Go goes through a quota in any order",
        r"causes\[[01]\]\.(field|message)$",
        "POST .*/resourcequotas",
        r"spec\.hard\[(pods|services)\]|must be greater than or equal to 0",
        r"spec\.hard\[(pods|services)\]|must be an integer",
    ),
    Explained("1.22: one pod may have a volume for itself", r"causes", "", "ReadWriteOncePod|NotSupported"),
    Explained(
        "1.23: objects in other namespaces are refused in creates' words", r"^body\.message$", "", "namespace of the object"
    ),
    Explained("Scales are decoded as what they must be", r"^body\.message$", "/scale", "unknown conversion"),
    Explained("1.22: what is only answered has no owners", r"^body\.metadata$", "reviews|/token", "managedFields"),
    Explained("1.30: AppArmor and seccomp are fields, not annotations", r"annotations|securityContext", "/pods"),
    Explained("1.27: nodes are configured by files", r"spec\.configSource$", "/nodes", r"^\{\}$", _ABSENT),
    Explained("only one address family is served", r"spec\.ipFamil", "/services"),
    Explained("empty lists are shown where they were sent", r"containers$", "", _ABSENT, r"\[\]"),
    Explained("1.21: statuses of finished indexes", r"^body\.status$", "/jobs/.*/status"),
    Explained("the condition of an APIService is there sooner", r"^body\.status$", "/apiservices", _ABSENT, "Available"),
    Explained("1.24: tokens are stamped", "creationTimestamp$", "/token", _ABSENT, "NOW"),
    Explained("1.22: a status keeps its qosClass", r"qosClass$", "/pods/"),
    Explained("1.21: namespaces have a label with their name", r"labels\.kubernetes\.io/metadata\.name$"),
    Explained("1.22: events do not change", "^verdict$", "PUT .*/events/", '"200"', "field is immutable"),
    Explained(
        "1.26: selectors of webhooks are strict",
        "^verdict$",
        "/(validating|mutating)webhookconfigurations",
        '"20[01]"',
        r"422 webhooks\[0\]\.objectSelector\..*a valid label must be",
    ),
    Explained("1.27: annotations about topology agree", "^verdict$", "/services", "201", "topology-mode"),
    Explained("1.24: templates have no ephemeral containers", "^verdict$", "/podtemplates", "201", "ephemeral"),
    Explained("1.29: tokens may be bound to nodes", "^verdict$", "/token", "cannot bind token"),
    Explained(
        "1.27: old labels of volumes' nodes may become new ones",
        "^verdict$",
        "PUT .*/persistentvolumes/",
        "422 nodeAffinity: .*field is immutable",
        '"200"',
    ),
    Explained(
        "1.22: a Service that leaves the cluster gives its address back", "^verdict$", "PUT .*/services/", "can not be unset"
    ),
    Explained("1.22: ports of kubelets may be exposed", "^verdict$", "/services", "used by kubelet"),
    # What stands around
    Explained("another program", r"^body\.(buildDate|compiler|git\w+|goVersion|minor|major|platform)$", "/version"),
    Explained("1.27: discovery has singular names", r"singularName$", "GET discovery", '""'),
    Explained("a younger resource", r"^resources\.[\w/]+$", "GET discovery", _ABSENT),
    Explained("1.22: evictions are policy/v1's", r"pods/eviction\.version$", "GET discovery"),
    Explained("1.22: collections of Services can be deleted", r"^resources\.services\.verbs", "GET discovery"),
    Explained("fields that went", r"^properties\.", "GET definition", "", _ABSENT),
    Explained("1.33's lists of required fields", r"(^|\.)required(\[\d+\])?$", "GET definition"),
    Explained("structures that came after 1.20", r"x-kubernetes-|\.(type|format|\$ref)$|^(type|format)", "GET definition"),
    Explained(
        "1.24: paths that are nobody's answer in plain text",
        r"^body$|content-type\[0\]$|x-content-type-options$",
        "GET /(api/v2|api//v1|apis/apps/v9|odd|healthz/odd) ",
        rf'"kind": "Status"|"paths": \[|"application/json"|{_ABSENT}',
        "404 page not found|text/plain|nosniff",
    ),
    Explained("headers of health checks", "x-content-type-options$", "GET /(healthz|livez|readyz)"),
    Explained("empty answers have a type all the same", "^body$|content-type$", "/log", _ABSENT + '|""'),
    Explained(
        "impersonation without a user is refused as a Status",
        "^body$|content-type",
        "configmaps",
        "Internal Server Error|text/plain|nosniff",
    ),
    Explained("1.23: deleting a Service answers with it", r"^body\.(metadata|spec)$", "DELETE .*/services/", _ABSENT),
    Explained(
        "1.23: deleting a Service answers with it",
        r"^body\.(details|kind|status)$",
        "DELETE .*/services/",
        '"Status"|"Success"|"kind": "services"',
        rf'^("Service"|{_ABSENT})$',
    ),
    Explained(
        "1.33: nodes have fewer rights",
        r"^body\.status\.(allowed|reason)$",
        "selfsubjectaccessreviews system:node",
        f"true|{_ABSENT}",
    ),
    Explained("1.33: nodes may see more", "^verdict$", "GET /api/v1/namespaces/default system:node", "403 ", '"200"'),
    Explained("1.33: other roles", r"^body\.status\.(nonR|r)esourceRules", "selfsubjectrulesreviews (system:node|alice)"),
)

REWORDED: tuple[tuple[str, str], ...] = (
    (r"must have at most (\d+) (bytes|characters)", r"may not be more than \1 bytes"),
    (r"must be valid IP address|must be a valid IP address$", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    ("not a valid CIDR$", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    (r"\(127\.0\.0\.0/8\)", "(127.0.0.0/8, ::1/128)"),
    (r"\(169\.254\.0\.0/16\)", "(169.254.0.0/16, fe80::/10)"),
    ("host must be provided", "host must be specified"),
    ("must to greater or equal than 0", "must be greater than or equal to 0"),
    (r"capacity \(or configSource, if the DynamicKubeletConfig feature gate is enabled\)", "capacity"),
    (": signerName must be provided", ""),
    (r"^data\[%s\]", "data"),
    (r"Expected exactly 5 fields, found (\d): (.*)", r"expected exactly 5 fields, found \1: [\2]"),
)
"""Words of 1.20 and what 1.33 says instead."""


def is_explained(request: str, found: Difference) -> str:
    """The reason, or nothing."""
    theirs, ours = (json.dumps(value, ensure_ascii=False) for value in (found.theirs, found.ours))
    for row in (*ROWS, *OF_BETAS, *OF_TABLES):
        wanted = ((row.at, found.at), (row.request, request), (row.theirs, theirs), (row.ours, ours))
        if all(re.search(pattern, text) for pattern, text in wanted):
            return row.reason
    return ""


def reworded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reworded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [reworded(inner) for inner in value]
    if isinstance(value, str):
        for old, new in REWORDED:
            value = re.sub(old, new, value)
    return value

"""Why kinds that 1.20 had only as betas differ from what 1.33 serves of them."""

from __future__ import annotations

import json
import re

from tests.upstream.comparing import ABSENT, Explained

_ABSENT = re.escape(json.dumps(ABSENT))

ROWS: tuple[Explained, ...] = (
    # autoscaling/v2beta2
    Explained(
        "v2: an autoscaler that counted nothing yet does not say how many there are",
        r"^body\.(rows\[0\]\.object\.)?status\.currentReplicas$",
        "autoscaling/v2/.*/horizontalpodautoscalers",
        "^0$",
        _ABSENT,
    ),
    Explained(
        "autoscalers are stored as v2, not as v1, which has the share of the CPU apart from all metrics",
        r"^body\.spec\.metrics\[[23]\]\.(object|resource|type)$",
        "horizontalpodautoscalers",
    ),
    Explained(
        "autoscalers are stored as v2, not as v1, which has a value in each status",
        r"^body\.status\.currentMetrics\[\d\]\.external\.current\.value$",
        "PUT .*horizontalpodautoscalers",
        '^"0"$',
        _ABSENT,
    ),
    Explained(
        "empty lists are shown where they were sent",
        r"^body\.status\.currentMetrics$",
        "PUT .*horizontalpodautoscalers",
        _ABSENT,
        r"^\[\]$",
    ),
    Explained(
        "autoscalers are stored as v2, not as v1, of whose annotations a patch sees two sets",
        r"^body\.spec\.(behavior|metrics\[\d\])$",
        "PATCH .*horizontalpodautoscalers",
        "",
        _ABSENT,
    ),
    # batch/v1beta1
    Explained("1.21: generations of CronJobs", "^$", "generation of CronJob .*spec", "^0$", "^1$"),
    Explained(
        "v1: CronJobs are found as kinds are that say nothing of it",
        r"^body\.message$",
        "GET .*/cronjobs",
        "^.field label .* not supported for",
        "is not a known field selector",
    ),
    # policy/v1beta1
    Explained(
        "v1: a selector is replaced, not merged",
        r"^body\.spec\.selector\.matchLabels\.",
        "PATCH .*/poddisruptionbudgets",
        "",
        _ABSENT,
    ),
    # discovery.k8s.io/v1beta1
    Explained("labels of a slice count as generations", "^$", "generation of EndpointSlice .*labels", "^0$", "^1$"),
    Explained(
        "1.21: endpoints are not where nobody else can reach them",
        "^verdict$",
        "POST .*/endpointslices",
        '"201"',
        r"422 endpoints\[0\]\.addresses\[0\]: .*may not be in the loopback range",
    ),
    Explained("1.21: hints", r"^body\.endpoints\[\d\]\.hints$", "/endpointslices", _ABSENT, "forZones"),
    Explained("v1: only what v1beta1 stored has a topology", r"^body\.endpoints\[\d\]\.deprecatedTopology$", "", "", _ABSENT),
    Explained("a slice may have more ports", "^verdict$", "POST .*/endpointslices", "ports: Too many: 101", '"201"'),
    Explained(
        "empty lists are shown where they were sent",
        r"^body\.(endpoints|ports)$",
        "(POST|PUT|PATCH) .*slices",
        _ABSENT,
        r"^\[\]$",
    ),
    # flowcontrol.apiserver.k8s.io/v1beta1
    Explained(
        "empty lists are shown where they were sent", r"resourceRules\[0\]\.namespaces$", "/flowschemas", _ABSENT, r"^\[\]$"
    ),
    Explained(
        "the condition of a FlowSchema is applied, and each server sets it when it comes to it",
        r"^body\.(rows\[0\]\.object\.)?(metadata\.managedFields\[\d\]\.operation|status(\.conditions(\[[01]\](\.\w+)?)?)?)$|cells\.MissingPL$",
        "/flowschemas",
    ),
    Explained(
        "1.26: levels lend", r"^body\.(rows\[0\]\.object\.)?spec\.limited\.lendablePercent$", "/prioritylevel", _ABSENT, "^0$"
    ),
    Explained(
        "1.26: levels lend and borrow",
        r"^body\.details\.causes\[[12]\]$",
        "/prioritylevel",
        _ABSENT,
        r"spec\.limited\.(lendable|borrowingLimit)Percent",
    ),
    Explained("v1: no share is a share", r"limited\.nominalConcurrencyShares$", "/prioritylevel", "^30$", "^0$"),
    Explained(
        "v1: no share is a share",
        r"causes\[0\]\.message$",
        "/prioritylevel",
        "-1: must be positive",
        "must be a non-negative integer",
    ),
    Explained(
        "1.28: the exempt may lend",
        r"^body\.details\.causes\[0\]\.message$",
        "/prioritylevel",
        "must not be empty when type is Limited",
        "must be nil if the type is Limited",
    ),
    Explained("1.28: the exempt may lend", r"causes\[0\]\.field$", "/prioritylevel", r"spec\.limited", r"spec\.exempt"),
    Explained("1.28: the exempt may lend", r"causes\[0\]\.reason$", "/prioritylevel", "ValueRequired", "ValueForbidden"),
    Explained(
        "1.28: the exempt may lend", r"causes\[1\]$", "/prioritylevel", _ABSENT, "must not be empty when type is Limited"
    ),
    Explained(
        "1.21: what an applier had wholly and gives up goes, with what was set by default within",
        r"^body\.details\.causes\[0\]\.(field|message|reason)$",
        "PATCH .*/prioritylevel.*fieldManager=a",
        r"limitResponse\.type|Unsupported value|NotSupported",
        r"spec\.limited|must not be empty when type is Limited|FieldValueRequired",
    ),
)

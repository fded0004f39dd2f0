"""What Go's own types say of fields and OpenAPI does not: their protobuf numbers, and which of them are pointers.

A field that is no pointer has no way to say that its zero value was meant: a client's `hostNetwork: false` and a client's
silence are one and the same, and the server answers both with silence. The facts stand in protobuf_fields.txt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_CORE: Final = "io.k8s.api.core.v1"
_FLOW: Final = "io.k8s.api.flowcontrol.v1"

SHOWN: Final[Mapping[str, frozenset[str]]] = {
    "io.k8s.api.apps.v1.StatefulSetOrdinals": frozenset(("start",)),
    "io.k8s.api.apps.v1.StatefulSetSpec": frozenset(("serviceName",)),
    "io.k8s.api.apps.v1.StatefulSetStatus": frozenset(("availableReplicas",)),
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus": frozenset(("currentMetrics",)),
    f"{_CORE}.ContainerImage": frozenset(("names",)),
    f"{_CORE}.Event": frozenset(("reportingComponent", "reportingInstance")),
    f"{_CORE}.LimitRangeSpec": frozenset(("limits",)),
    f"{_CORE}.NodeRuntimeHandler": frozenset(("name",)),
    f"{_CORE}.ProjectedVolumeSource": frozenset(("sources",)),
    "io.k8s.api.discovery.v1.EndpointSlice": frozenset(("endpoints", "ports")),
    f"{_FLOW}.FlowSchemaSpec": frozenset(("matchingPrecedence",)),
    f"{_FLOW}.QueuingConfiguration": frozenset(("handSize", "queueLengthLimit", "queues")),
    f"{_FLOW}.ResourcePolicyRule": frozenset(("namespaces",)),
    "io.k8s.api.rbac.v1.ClusterRole": frozenset(("rules",)),
    "io.k8s.api.rbac.v1.Role": frozenset(("rules",)),
    "io.k8s.api.storage.v1.CSINodeSpec": frozenset(("drivers",)),
    "io.k8s.api.storage.v1.CSINodeDriver": frozenset(("topologyKeys",)),
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus": frozenset(
        ("conditions", "storedVersions")
    ),
}
"""Fields that may be empty and are written all the same, besides those that OpenAPI requires: those that it calls optional, and
lists that may be null though it requires them."""

NULLS: Final[Mapping[str, frozenset[str]]] = {
    "io.k8s.api.authentication.v1.TokenRequestSpec": frozenset(("boundObjectRef",)),
    f"{_CORE}.AzureFilePersistentVolumeSource": frozenset(("secretNamespace",)),
    f"{_CORE}.TypedLocalObjectReference": frozenset(("apiGroup",)),
    f"{_CORE}.TypedObjectReference": frozenset(("apiGroup",)),
}
"""Pointers that Go writes as null when they point nowhere, of those that may."""


@cache
def numbers() -> dict[str, dict[str, str]]:
    """Definition → field → number as written in the file."""
    found: dict[str, dict[str, str]] = {}
    group = ""
    for line in files(__package__).joinpath("protobuf_fields.txt").read_text().splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line and not line.startswith("#"):
            kind, _, fields = line.partition(":")
            found[f"{group}.{kind}"] = dict(field.split("=") for field in fields.split())
    return found


def plain_fields(definition: str) -> frozenset[str]:
    """The fields of a definition that are no pointers in Go; none of a definition that Go has no type for."""
    return frozenset(_plain(definition))


def _plain(definition: str) -> Iterator[str]:
    for name, written in numbers().get(definition, {}).items():
        if name.startswith("+"):
            yield from _plain(f"{definition.rpartition('.')[0]}.{name[1:]}")
        elif not written.endswith("*"):
            yield name

"""The downward API: what `fieldRef` and `resourceFieldRef` say of a pod. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from sampan.api import quantity
from sampan.api.types.core_v1 import ObjectFieldSelector, Pod, ResourceFieldSelector

from .labels import AnyContainer

_SUBSCRIPT = re.compile(r"^(metadata\.(?:labels|annotations))\['(.*)'\]$")


class FieldRefError(Exception):
    """The selector names nothing there is; the text is for the user."""


def format_map(values: Mapping[str, str]) -> str:
    """One sorted line a pair: key="escaped value"."""
    return "\n".join(f"{key}={json.dumps(values[key], ensure_ascii=False)}" for key in sorted(values))


def field_value(selector: ObjectFieldSelector, pod: Pod, ips: Sequence[str], host_ip: str) -> str:
    path = selector.fieldPath
    meta = pod.metadata
    subscript = _SUBSCRIPT.match(path)
    if subscript is not None:
        source = meta.labels if subscript.group(1) == "metadata.labels" else meta.annotations
        return source.get(subscript.group(2), "")
    match path:
        case "metadata.name":
            return meta.name
        case "metadata.namespace":
            return meta.namespace
        case "metadata.uid":
            return meta.uid
        case "metadata.labels":
            return format_map(meta.labels)
        case "metadata.annotations":
            return format_map(meta.annotations)
        case "spec.nodeName":
            return pod.spec.nodeName
        case "spec.serviceAccountName":
            return pod.spec.serviceAccountName
        case "status.hostIP" | "status.hostIPs":
            return host_ip
        case "status.podIP":
            return ips[0] if ips else ""
        case "status.podIPs":
            return ",".join(ips)
    raise FieldRefError(f"unsupported fieldPath: {path}")


def resource_value(selector: ResourceFieldSelector, pod: Pod, container: AnyContainer | None, node: Mapping[str, str]) -> str:
    """`container` is the one that asks, used where the selector names none. A limit that is not set is what the node has."""
    if selector.containerName:
        everyone = (*pod.spec.initContainers, *pod.spec.containers)
        container = next((c for c in everyone if c.name == selector.containerName), None)
    if container is None:
        raise FieldRefError(f"container {selector.containerName} not found")
    which, _, name = selector.resource.partition(".")
    wanted = container.resources
    match which:
        case "limits":
            text = (wanted.limits.get(name) if wanted else None) or node.get(name, "0")
        case "requests":
            text = (wanted.requests.get(name) if wanted else None) or "0"
        case _:
            raise FieldRefError(f"unsupported container resource : {selector.resource}")
    divisor = selector.divisor if selector.divisor and quantity.parse(selector.divisor) else "1"
    if name == "cpu":
        # Rounded up, so that half a CPU counts as one thread rather than none.
        return str(-(-quantity.milli_value(text) // quantity.milli_value(divisor)))
    return str(-(-quantity.value(text) // quantity.value(divisor)))

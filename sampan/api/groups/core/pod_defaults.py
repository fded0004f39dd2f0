"""Defaults of a pod's spec, in a Pod as in a template; after pkg/apis/core/v1/defaults.go.

It runs on every write of a Pod or a workload, so it is straight-line code over the tree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.api.resource import Tree
from sampan.lib.remember import remember

SERVICE_ACCOUNT_TOKEN_SECONDS = 3600

_VOLUME_MODE = 0o644
_MODE_SOURCES = ("configMap", "secret", "projected", "downwardAPI")
_SOURCE_DEFAULTS = {
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

_reference = re.compile(
    r"(?:[A-Za-z0-9.\-\[\]:]+/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?P<digest>@[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,})?"
).fullmatch


@remember(1024)
def pull_policy(image: str) -> str:
    """Always for the tag latest, said or meant; IfNotPresent for the rest, also for what is no image name."""
    match = _reference(image)
    if match is None:
        return "IfNotPresent"
    tag = match["tag"] or ("" if match["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def default_pod(tree: Tree) -> None:
    """A Pod: what every pod spec gets, and what upstream adds for Pods alone."""
    spec = tree.setdefault("spec", {})
    default_pod_spec(spec)
    if "enableServiceLinks" not in spec:
        spec["enableServiceLinks"] = True
    host_network = spec.get("hostNetwork")
    for field in ("containers", "initContainers"):
        for container in spec.get(field, ()):
            resources = container["resources"]
            if limits := resources.get("limits"):
                resources["requests"] = limits | resources.get("requests", {})
            if host_network:
                for port in container.get("ports", ()):
                    if not port.get("hostPort"):
                        port["hostPort"] = port.get("containerPort", 0)


def default_template(spec: Tree) -> None:
    """The pod template of a workload's spec."""
    default_pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def default_pod_spec(spec: Tree) -> None:
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if "securityContext" not in spec:
        spec["securityContext"] = {}
    if "terminationGracePeriodSeconds" not in spec:
        spec["terminationGracePeriodSeconds"] = 30
    if not spec.get("schedulerName"):
        spec["schedulerName"] = "default-scheduler"
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        # The old name of the field is kept in step for clients that still read it.
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    # Pod-level resources and claims to devices are features that are off by default: the fields are dropped.
    spec.pop("resources", None)
    spec.pop("resourceClaims", None)
    for field in ("containers", "initContainers", "ephemeralContainers"):
        if field in spec:
            for container in spec[field]:
                _default_container(container)
    if "volumes" in spec:
        for volume in spec["volumes"]:
            _default_volume(volume)


def _default_container(container: Tree) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image", ""))
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    if "resources" not in container:
        container["resources"] = {}
    elif "claims" in container["resources"]:
        del container["resources"]["claims"]
    if "ports" in container:
        for port in container["ports"]:
            if not port.get("protocol"):
                port["protocol"] = "TCP"
    if "env" in container:
        for variable in container["env"]:
            if source := variable.get("valueFrom"):
                _default_field_source(source)
    for field in _PROBES:
        if field in container:
            _default_probe(container[field])
    if "lifecycle" in container:
        container["lifecycle"].pop("stopSignal", None)  # of the feature ContainerStopSignals, which is off by default
        for handler in container["lifecycle"].values():
            if isinstance(handler, dict) and "httpGet" in handler:
                _default_http_get(handler["httpGet"])


def _default_field_source(source: Tree) -> None:
    """Env variables and downward API files name fields alike."""
    if (reference := source.get("fieldRef")) is not None:
        if not reference.get("apiVersion"):
            reference["apiVersion"] = "v1"
    elif (reference := source.get("resourceFieldRef")) is not None:
        reference.setdefault("divisor", "0")


def _default_probe(probe: Tree) -> None:
    if not probe.get("timeoutSeconds"):
        probe["timeoutSeconds"] = 1
    if not probe.get("periodSeconds"):
        probe["periodSeconds"] = 10
    if not probe.get("successThreshold"):
        probe["successThreshold"] = 1
    if not probe.get("failureThreshold"):
        probe["failureThreshold"] = 3
    if "httpGet" in probe:
        _default_http_get(probe["httpGet"])
    elif "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _default_http_get(action: Tree) -> None:
    if not action.get("path"):
        action["path"] = "/"
    if not action.get("scheme"):
        action["scheme"] = "HTTP"


def _default_volume(volume: Tree) -> None:
    if len(volume) == ("name" in volume):
        volume["emptyDir"] = {}
        return
    for field in _MODE_SOURCES:
        if field in volume:
            source = volume[field]
            if "defaultMode" not in source:
                source["defaultMode"] = _VOLUME_MODE
            if field == "projected":
                _default_projections(source.get("sources") or ())
            elif field == "downwardAPI":
                for item in source.get("items", ()):
                    _default_field_source(item)
            return
    for field, defaults in _SOURCE_DEFAULTS.items():
        if field in volume:
            volume[field] = defaults | volume[field]
            return
    # Images as volumes are a feature that is off by default; what is left has no source, and is refused.
    volume.pop("image", None)
    if "ephemeral" in volume:
        claim = volume["ephemeral"].get("volumeClaimTemplate", {})
        if claim:
            claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
            claim["spec"].get("resources", {}).pop("claims", None)


def _default_projections(sources: Sequence[Tree]) -> None:
    for source in sources:
        source.pop("clusterTrustBundle", None)  # of a feature that is off by default
        if (token := source.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", SERVICE_ACCOUNT_TOKEN_SECONDS)
        for item in source.get("downwardAPI", {}).get("items", ()):
            _default_field_source(item)

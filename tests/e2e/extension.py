"""An extension of the cluster in a pod: admission and conversion webhooks and an aggregated API, over TLS.

The images of a cluster hold no TLS server, so the pod mounts this machine's Python, read-only.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Any

from sampan.pki.certificates import CA, SERVER
from tests.e2e.space import BUSYBOX, Manifest, Space

NAME = "extension"
GROUP_VERSION = "metrics.example.com/v1beta1"
PORT = 8443
SCRIPT = (Path(__file__).parent / "extensionserver.py").read_text()


class Extension:
    """The manifests of an extension in a namespace."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.ca = CA.create("extension-ca")

    @property
    def bundle(self) -> str:
        return base64.b64encode(self.ca.cert_pem).decode()

    def start(self) -> None:
        """Two replicas behind the Service, ready."""
        host = f"{NAME}.{self.space.name}.svc"
        cert, key = self.ca.issue("extension", dns_names=[host], usages=[SERVER])
        tls = {name: base64.b64encode(pem).decode() for name, pem in (("tls.crt", cert), ("tls.key", key))}
        self.space.apply(
            named("v1", "Secret", type="kubernetes.io/tls", data=tls),
            named("v1", "ConfigMap", data={"server.py": SCRIPT}),
            named("v1", "Service", spec={"selector": {"app": NAME}, "ports": [{"port": 443, "targetPort": PORT}]}),
            named("apps/v1", "Deployment", spec=deployment()),
        )
        said = self.space.out("rollout", "status", f"deployment/{NAME}", "--timeout=30s")
        assert said.endswith("successfully rolled out\n")

    def client_config(self, path: str) -> Manifest:
        service = {"namespace": self.space.name, "name": NAME, "path": path}
        return {"service": service, "caBundle": self.bundle}

    def webhook(self, kind: str, path: str, rule: Manifest, **fields: Any) -> Manifest:
        """A webhook configuration that looks at this namespace only."""
        hook = {
            "name": f"{path}.example.com",
            "clientConfig": self.client_config(f"/{path}"),
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.space.name}},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            **fields,
        }
        found = named("admissionregistration.k8s.io/v1", kind, webhooks=[hook])
        found["metadata"]["name"] = f"{self.space.name}-{path}"
        return found

    def api_service(self) -> Manifest:
        group, version = GROUP_VERSION.split("/")
        service = {"namespace": self.space.name, "name": NAME}
        spec: Manifest = {"group": group, "version": version, "service": service, "caBundle": self.bundle}
        spec |= {"groupPriorityMinimum": 100, "versionPriority": 100}
        found = named("apiregistration.k8s.io/v1", "APIService", spec=spec)
        found["metadata"]["name"] = f"{version}.{group}"
        return found


def named(version: str, kind: str, **fields: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": NAME}, **fields}


def deployment() -> Manifest:
    volumes: list[Manifest] = [
        {"name": "script", "configMap": {"name": NAME}},
        {"name": "tls", "secret": {"secretName": NAME}},
    ]
    mounts: list[Manifest] = [{"name": "script", "mountPath": "/script"}, {"name": "tls", "mountPath": "/tls"}]
    for number, path in enumerate(places_of_python()):
        volumes.append({"name": f"host-{number}", "hostPath": {"path": path, "type": "Directory"}})
        mounts.append({"name": f"host-{number}", "mountPath": path, "readOnly": True})
    container = {
        "name": "server",
        "image": BUSYBOX,
        "command": [os.path.realpath(sys.executable), "-I", "-S", "-B", "/script/server.py", str(PORT)],
        "env": [{"name": "LD_LIBRARY_PATH", "value": f"{sys.base_prefix}/lib"}],
        "volumeMounts": mounts,
        "readinessProbe": {"httpGet": {"scheme": "HTTPS", "path": "/healthz", "port": PORT}, "periodSeconds": 1},
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes}
    template = {"metadata": {"labels": {"app": NAME}}, "spec": spec}
    return {"replicas": 2, "selector": {"matchLabels": {"app": NAME}}, "template": template}


def places_of_python() -> list[str]:
    """The directories that this Python needs of its machine."""
    wanted = [path for path in ("/usr", "/lib", "/lib64") if Path(path).is_dir()]
    return wanted if sys.base_prefix.startswith("/usr") else [*wanted, sys.base_prefix]

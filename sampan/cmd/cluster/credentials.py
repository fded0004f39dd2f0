"""The keys and certificates of a cluster and the kubeconfigs of its components, under the data directory, root's alone.

What exists stays, so that `up` on an existing cluster keeps every credential that was handed out; what is missing or nearly
a year old is issued anew. After kubeadm's layout (https://kubernetes.io/docs/setup/best-practices/certificates/).
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from sampan.client.config import ClientConfig
from sampan.client.kubeconfig import dump
from sampan.cmd.cluster.plan import CLUSTER_DOMAIN, SERVICE_CIDR, ClusterPlan, NodePlan, make_private, write_private

if TYPE_CHECKING:
    from sampan.pki.certificates import CA

AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca"}
"""Common names by file. What a front proxy says of others is believed, so its authority signs nothing else."""
DAYS = 365
RENEW_SECONDS = (DAYS - 30) * 86400.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate to have: the file's name, the subject, and what it may be used for."""

    file: str
    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    usages: tuple[str, ...] = ("client",)
    authority: str = "ca"
    """The file of the authority that signs it."""
    server: str = ""
    """For a kubeconfig: the server's URL. Then the certificate is kept in the kubeconfig alone."""


def certificates(plan: ClusterPlan, hostname: str) -> list[Certificate]:
    """All certificates of the cluster."""
    service = f"kubernetes.default.svc.{CLUSTER_DOMAIN}"
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", service, "localhost", hostname)
    first_service_ip = str(IPv4Network(SERVICE_CIDR)[1])
    apiserver_ips = ("127.0.0.1", plan.host_ip, first_service_ip)
    masters = ("system:masters",)
    common = [
        Certificate("apiserver", "kube-apiserver", dns_names=names, ips=apiserver_ips, usages=("server",)),
        Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client", masters),
        Certificate("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
        Certificate("admin", "kubernetes-admin", masters, server=plan.server),
        Certificate("controller-manager", "system:kube-controller-manager", server=plan.server),
        Certificate("scheduler", "system:kube-scheduler", server=plan.server),
    ]
    return common + [certificate for node in plan.nodes for certificate in node_certificates(plan, node)]


def node_certificates(plan: ClusterPlan, node: NodePlan) -> list[Certificate]:
    user = f"system:node:{node.name}"
    return [
        Certificate(node.name, user, ("system:nodes",), (node.name,), (node.ip,), ("server",)),
        Certificate(node.name, user, ("system:nodes",), server=plan.node_server),
    ]


def ensure(plan: ClusterPlan) -> bool:
    """Issue what is missing; whether anything was."""
    wanted = certificates(plan, socket.gethostname())
    missing = [certificate for certificate in wanted if not _good(_file_of(plan, certificate))]
    if not missing and all((plan.pki_dir / f"{name}.key").exists() for name in (*AUTHORITIES, "sa")):
        return False
    from sampan.pki.certificates import new_key_pem

    make_private(plan.pki_dir)
    make_private(plan.kubeconfig_dir)
    if not (plan.pki_dir / "sa.key").exists():
        write_private(plan.pki_dir / "sa.key", new_key_pem())
    for name, common_name in AUTHORITIES.items():
        authority, is_new = _authority(plan, name, common_name)
        for certificate in wanted:
            # Certificates of a lost authority are worth nothing.
            if certificate.authority == name and (is_new or certificate in missing):
                _issue(plan, authority, certificate)
    return True


def _authority(plan: ClusterPlan, name: str, common_name: str) -> tuple[CA, bool]:
    """The authority of that file, and whether it had to be made."""
    from sampan.pki.certificates import CA

    files = (plan.pki_dir / f"{name}.crt", plan.pki_dir / f"{name}.key")
    if all(file.exists() for file in files):
        return CA.load(*(file.read_bytes() for file in files)), False
    authority = CA.create(common_name)
    write_private(files[0], authority.cert_pem)
    write_private(files[1], authority.key_pem)
    return authority, True


def _issue(plan: ClusterPlan, authority: CA, certificate: Certificate) -> None:
    cert_pem, key_pem = authority.issue(
        certificate.common_name,
        certificate.organizations,
        certificate.dns_names,
        certificate.ips,
        usages=certificate.usages,
        days=DAYS,
    )
    file = _file_of(plan, certificate)
    if certificate.server:
        config = ClientConfig(certificate.server, ca_pem=authority.cert_pem, cert_pem=cert_pem, key_pem=key_pem)
        write_private(file, dump(config, plan.context))
    else:
        write_private(file.with_suffix(".key"), key_pem)
        write_private(file, cert_pem)


def _file_of(plan: ClusterPlan, certificate: Certificate) -> Path:
    if certificate.server:
        return plan.kubeconfig_dir / f"{certificate.file}.conf"
    return plan.pki_dir / f"{certificate.file}.crt"


def _good(file: Path) -> bool:
    try:
        return time.time() - file.stat().st_mtime < RENEW_SECONDS
    except FileNotFoundError:
        return False

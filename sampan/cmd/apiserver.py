"""Run the API server alone: HTTPS, authentication, RBAC, the registry of every kind, and the store behind it.

    sampan apiserver --datastore=sqlite:///var/lib/x/state.db --tls-cert-file=… --tls-private-key-file=… \\
        --client-ca-file=… --service-account-signing-key-file=…

Flags have kube-apiserver's names where it has them.
"""

from __future__ import annotations

import argparse
import asyncio

from sampan.cmd import process
from sampan.cmd.cluster.shell import ClusterError

STOP_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--datastore", required=True, metavar="URL", help="sqlite:///PATH or memory://")
    add("--bind-address", default="0.0.0.0", metavar="IP[,IP]", help="addresses to listen on (%(default)s)")
    add("--secure-port", type=int, default=6443, metavar="PORT", help="port to listen on (%(default)s)")
    add(
        "--advertise-address",
        default="",
        metavar="IP",
        help="where the cluster finds this server; default: the first bound one",
    )
    add("--tls-cert-file", required=True, metavar="FILE", help="the serving certificate")
    add("--tls-private-key-file", required=True, metavar="FILE", help="its key")
    add("--client-ca-file", required=True, metavar="FILE", help="the CA whose client certificates are believed")
    add("--service-account-signing-key-file", required=True, metavar="FILE", help="the key that signs service-account tokens")
    add(
        "--service-account-key-file",
        default="",
        metavar="FILE",
        help="accepted for upstream's sake: the signing key verifies too",
    )
    add("--service-account-issuer", default="https://kubernetes.default.svc.cluster.local", metavar="URL", help="(%(default)s)")
    add("--service-cluster-ip-range", default="10.96.0.0/12", metavar="CIDR", help="addresses of Services (%(default)s)")
    add(
        "--service-node-port-range",
        default="30000-32767",
        metavar="FIRST-LAST",
        help="ports of NodePort Services (%(default)s)",
    )
    add("--kubelet-client-certificate", default="", metavar="FILE", help="what the server shows to kubelets")
    add("--kubelet-client-key", default="", metavar="FILE", help="its key")
    add("--kubelet-certificate-authority", default="", metavar="FILE", help="CA of the kubelets; default: the client CA")
    add("--event-ttl", type=int, default=3600, metavar="SECONDS", help="how long Events are kept (%(default)s)")
    process.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from sampan.apiserver.config import APIServerConfig
    from sampan.apiserver.server import APIServer
    from sampan.lib.clock import RealClock
    from sampan.store.factory import make_store

    config = APIServerConfig(
        bind=tuple((address, arguments.secure_port) for address in arguments.bind_address.split(",")),
        tls_cert_pem=process.read_file(arguments.tls_cert_file, "--tls-cert-file"),
        tls_key_pem=process.read_file(arguments.tls_private_key_file, "--tls-private-key-file"),
        client_ca_pem=process.read_file(arguments.client_ca_file, "--client-ca-file"),
        service_account_key_pem=process.read_file(
            arguments.service_account_signing_key_file, "--service-account-signing-key-file"
        ),
        issuer=arguments.service_account_issuer,
        service_cidr=arguments.service_cluster_ip_range,
        node_port_range=port_range(arguments.service_node_port_range),
        advertise_address=arguments.advertise_address,
        kubelet_client_cert_pem=process.read_file(arguments.kubelet_client_certificate, "--kubelet-client-certificate"),
        kubelet_client_key_pem=process.read_file(arguments.kubelet_client_key, "--kubelet-client-key"),
        kubelet_ca_pem=process.read_file(arguments.kubelet_certificate_authority, "--kubelet-certificate-authority"),
        event_ttl_seconds=arguments.event_ttl,
    )
    clock = RealClock()
    try:
        store = make_store(arguments.datastore, clock)
    except ValueError as error:
        raise ClusterError(f"--datastore: {error}") from None

    async def work() -> None:
        server = APIServer(store, config=config, clock=clock)
        await server.start()
        process.settle()
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop(STOP_SECONDS)

    return process.serve("apiserver", arguments, work)


def port_range(text: str) -> tuple[int, int]:
    """ "30000-32767" as its two ends. Raises ClusterError."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) <= 65535):
        raise ClusterError(f"--service-node-port-range {text!r} is not FIRST-LAST, such as 30000-32767")
    return int(first), int(last)

"""Run the API server alone: HTTPS, authentication, RBAC, the registry of every kind, and the store behind it.

    sampan apiserver --datastore=sqlite:///var/lib/x/state.db --tls-cert-file=… --tls-private-key-file=… \\
        --client-ca-file=… --service-account-signing-key-file=…

Flags have kube-apiserver's names where it has them.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sampan.api import duration
from sampan.cmd import datastoreoptions, process
from sampan.cmd.cluster.shell import ClusterError

if TYPE_CHECKING:
    from sampan.apiserver.admission.configuration import AdmissionSettings

STOP_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    datastoreoptions.add_arguments(parser)
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
        action="append",
        default=[],
        metavar="FILE",
        help="further keys, public or private, that tokens may be signed with; may be repeated",
    )
    add("--token-auth-file", default="", metavar="FILE", help='fixed tokens: lines of token,user,uid,"group1,group2"')
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
    add("--requestheader-client-ca-file", default="", metavar="FILE", help="CA of front proxies, whose headers say who asks")
    add("--requestheader-allowed-names", default="", metavar="NAME[,NAME]", help="common names of front proxies; default: any")
    add("--proxy-client-cert-file", default="", metavar="FILE", help="what the server shows to those behind APIServices")
    add("--proxy-client-key-file", default="", metavar="FILE", help="its key")
    add("--admission-control-config-file", default="", metavar="FILE", help="configuration of admission plugins")
    for which in ("enable", "disable"):
        add(
            f"--{which}-admission-plugins",
            action="append",
            default=[],
            metavar="NAME[,NAME]",
            help=f"admission plugins to {which} besides upstream's defaults",
        )
    add("--max-requests-inflight", type=int, default=600, metavar="N", help="requests that run at once (%(default)s)")
    add("--shutdown-delay-duration", default="0s", metavar="TIME", help="serve on, unready, after SIGTERM (%(default)s)")
    add("--event-ttl", type=int, default=3600, metavar="SECONDS", help="how long Events are kept (%(default)s)")
    process.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from sampan.apiserver.config import APIServerConfig
    from sampan.apiserver.server import APIServer
    from sampan.lib.clock import RealClock
    from sampan.store.base import StoreUnavailable

    config = APIServerConfig(
        bind=tuple((address, arguments.secure_port) for address in arguments.bind_address.split(",")),
        tls_cert_pem=process.read_file(arguments.tls_cert_file, "--tls-cert-file"),
        tls_key_pem=process.read_file(arguments.tls_private_key_file, "--tls-private-key-file"),
        client_ca_pem=process.read_file(arguments.client_ca_file, "--client-ca-file"),
        service_account_key_pem=process.read_file(
            arguments.service_account_signing_key_file, "--service-account-signing-key-file"
        ),
        service_account_verify_keys_pem=[key for path in arguments.service_account_key_file for key in keys_of(path)],
        token_file=process.read_file(arguments.token_auth_file, "--token-auth-file").decode(errors="replace"),
        issuer=arguments.service_account_issuer,
        service_cidr=arguments.service_cluster_ip_range,
        node_port_range=port_range(arguments.service_node_port_range),
        advertise_address=arguments.advertise_address,
        kubelet_client_cert_pem=process.read_file(arguments.kubelet_client_certificate, "--kubelet-client-certificate"),
        kubelet_client_key_pem=process.read_file(arguments.kubelet_client_key, "--kubelet-client-key"),
        kubelet_ca_pem=process.read_file(arguments.kubelet_certificate_authority, "--kubelet-certificate-authority"),
        requestheader_client_ca_pem=process.read_file(arguments.requestheader_client_ca_file, "--requestheader-client-ca-file"),
        requestheader_allowed_names=[name for name in arguments.requestheader_allowed_names.split(",") if name],
        proxy_client_cert_pem=process.read_file(arguments.proxy_client_cert_file, "--proxy-client-cert-file"),
        proxy_client_key_pem=process.read_file(arguments.proxy_client_key_file, "--proxy-client-key-file"),
        admission=_admission(arguments),
        shutdown_delay_seconds=seconds_of(arguments.shutdown_delay_duration, "--shutdown-delay-duration"),
        max_requests_inflight=arguments.max_requests_inflight,
        event_ttl_seconds=arguments.event_ttl,
    )
    clock = RealClock()
    store = datastoreoptions.store_of(arguments, clock)

    async def work() -> None:
        try:
            server = APIServer(store, config=config, clock=clock)
        except ValueError as error:  # a key of a kind that is not known, a token file that is none
            raise ClusterError(f"the API server cannot start: {error}") from None
        try:
            await server.start()
        except StoreUnavailable as error:
            raise ClusterError(f"the datastore cannot be used: {error}") from None
        process.settle()
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop(STOP_SECONDS)

    return process.serve("apiserver", arguments, work)


def _admission(arguments: argparse.Namespace) -> AdmissionSettings:
    """Raises ClusterError."""
    from sampan.apiserver.admission.configuration import AdmissionSettings, plugins_off, read_settings

    flag, path = "--admission-control-config-file", arguments.admission_control_config_file

    def read(name: str) -> bytes:
        return process.read_file(str(Path(path).parent / name), flag)

    try:
        found = read_settings(process.read_file(path, flag), read) if path else AdmissionSettings()
    except ValueError as error:
        raise ClusterError(f"{flag} {path}: {error}") from None
    names = [
        ",".join(said).split(",") if said else []
        for said in (arguments.enable_admission_plugins, arguments.disable_admission_plugins)
    ]
    try:
        return replace(found, off=plugins_off(*names))
    except ValueError as error:
        raise ClusterError(str(error)) from None


def seconds_of(text: str, flag: str) -> float:
    """Of a duration such as "1m30s". Raises ClusterError."""
    try:
        return duration.parse(text)
    except ValueError as error:
        raise ClusterError(f"{flag}: {error}") from None


def keys_of(path: str) -> list[bytes]:
    """Each key of a file of one or several. Raises ClusterError."""
    flag = "--service-account-key-file"
    # What stands between them is left out: OpenSSL writes the curve's parameters there.
    found = re.findall(rb"-----BEGIN [A-Z ]*KEY-----.*?-----END [A-Z ]*KEY-----\n?", process.read_file(path, flag), re.DOTALL)
    if not found:
        raise ClusterError(f"{flag} {path} holds no key in PEM")
    return found


def port_range(text: str) -> tuple[int, int]:
    """ "30000-32767" as its two ends. Raises ClusterError."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) <= 65535):
        raise ClusterError(f"--service-node-port-range {text!r} is not FIRST-LAST, such as 30000-32767")
    return int(first), int(last)

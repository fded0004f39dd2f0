"""Run a node's agent alone: kubelet, service proxy, cluster DNS and pod routes, on one event loop, for the node it runs on.

It works in the network namespace it is started in: on a real machine the host's, under sampan up a local node's.
Flags have the kubelet's names where it has them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sampan.client.config import ClientConfig
from sampan.cmd import process
from sampan.cmd.cluster.shell import ClusterError
from sampan.lib.log import get_logger

if TYPE_CHECKING:
    from sampan.client.rest import Client
    from sampan.dns.server import DNSServer

FIRST_RETRY_SECONDS = 0.1
ANNOUNCE_SECONDS = 30.0
SYSTEMD_RESOLV_CONF = Path("/run/systemd/resolve/resolv.conf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    process.add_client_arguments(parser)
    add("--node-name", default=socket.gethostname().lower(), metavar="NAME", help="name of the Node object (the host's name)")
    add("--node-ip", required=True, metavar="IP", help="the node's address, by which other nodes reach it")
    add(
        "--container-runtime-endpoint",
        default="unix:///run/containerd/containerd.sock",
        metavar="URL",
        help="the runtime's CRI socket (%(default)s)",
    )
    add("--root-dir", default="/var/lib/kubelet", metavar="DIR", help="pods' volumes and the agent's own state (%(default)s)")
    add("--port", type=int, default=10250, help="port the API server reaches the kubelet at (%(default)s)")
    add("--tls-cert-file", required=True, metavar="FILE", help="the kubelet's serving certificate")
    add("--tls-private-key-file", required=True, metavar="FILE", help="its key")
    add("--client-ca-file", required=True, metavar="FILE", help="the CA whose client certificates are believed")
    add("--cluster-dns", default="10.96.0.10", metavar="IP", help="nameserver of pods (%(default)s)")
    add("--cluster-domain", default="cluster.local", help="domain of Services (%(default)s)")
    add("--cluster-cidr", default="10.244.0.0/16", metavar="CIDR", help="pod network of the cluster (%(default)s)")
    add("--service-cluster-ip-range", default="10.96.0.0/12", metavar="CIDR", help="addresses of Services (%(default)s)")
    add("--resolv-conf", default="/etc/resolv.conf", metavar="FILE", help="the node's resolvers; empty: none (%(default)s)")
    add("--cgroup-root", default="/", metavar="PATH", help="cgroup under which pods are put (%(default)s)")
    add(
        "--default-registry",
        action="append",
        default=[],
        metavar="HOST",
        help="host whose pull secrets serve images without one",
    )
    add("--max-pods", type=int, default=110, metavar="N", help="(%(default)s)")
    add("--node-labels", default="", metavar="K=V[,K=V]", help="labels the node registers with")
    add("--cni-conf-dir", default="/etc/cni/net.d", metavar="DIR", help="where the CNI configuration is written (%(default)s)")
    add("--cni-ipam-dir", default="/var/lib/cni", metavar="DIR", help="where pods' address leases are kept (%(default)s)")
    process.add_arguments(parser)


def resolv_conf(path: str) -> Path | None:
    """The file that names real resolvers: behind systemd-resolved's stub on loopback, which another network namespace does
    not reach, stands another file."""
    if not path:
        return None
    file = Path(path)
    if SYSTEMD_RESOLV_CONF.exists() and file.exists() and "127.0.0.53" in file.read_text():
        return SYSTEMD_RESOLV_CONF
    return file


def labels(text: str) -> dict[str, str]:
    """ "a=b,c=d" as a dict. Raises ClusterError."""
    found = {}
    for item in filter(None, text.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise ClusterError(f"--node-labels: {item!r} is not KEY=VALUE")
        found[key] = value
    return found


def socket_path(endpoint: str) -> str:
    """Raises ClusterError for what is not a unix socket."""
    if not endpoint.startswith("unix://"):
        raise ClusterError(f"--container-runtime-endpoint {endpoint} is not unix:///PATH")
    return endpoint.removeprefix("unix://")


def run(arguments: argparse.Namespace) -> int:
    config = process.client_config(arguments, "kubelet")
    files = {
        "serving_cert": process.read_file(arguments.tls_cert_file, "--tls-cert-file"),
        "serving_key": process.read_file(arguments.tls_private_key_file, "--tls-private-key-file"),
        "client_ca": process.read_file(arguments.client_ca_file, "--client-ca-file"),
    }
    # The agent forks helpers (nft, ip), and gRPC's fork handlers would only complain that they cannot run.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    # Not uvloop: it raises where a helper (nft, ip) ends without having read its input.
    return process.serve("agent", arguments, lambda: work(arguments, config, files))


async def work(arguments: argparse.Namespace, config: ClientConfig, files: Mapping[str, bytes]) -> None:
    """All of an agent's parts, sharing one connection pool and one set of informers, until cancelled."""
    from sampan.api.types.core_v1 import Service
    from sampan.client.informer import InformerFactory
    from sampan.client.rest import Client
    from sampan.client.transport import Transport
    from sampan.dns.forward import servers_of
    from sampan.dns.server import DNSServer
    from sampan.kubelet.agent import Agent
    from sampan.kubelet.config import AgentConfig
    from sampan.kubelet.runtime.cri import CRIRuntime
    from sampan.network.routes import PodNetwork
    from sampan.proxy.backends.nftables import NFTables
    from sampan.proxy.proxy import Proxy

    name, ip = arguments.node_name, arguments.node_ip
    services = {"cluster_cidr": arguments.cluster_cidr, "service_cidr": arguments.service_cluster_ip_range}
    resolvers = resolv_conf(arguments.resolv_conf)
    runtime = CRIRuntime(socket_path(arguments.container_runtime_endpoint))
    async with AsyncExitStack() as leaving, Transport(config) as transport, asyncio.TaskGroup() as tasks:
        leaving.push_async_callback(runtime.close)
        client = Client(transport)
        informers = InformerFactory(client)
        kubelet = AgentConfig(
            node_name=name,
            node_ip=ip,
            root_dir=Path(arguments.root_dir),
            port=arguments.port,
            cluster_dns=(arguments.cluster_dns,),
            cluster_domain=arguments.cluster_domain,
            labels=labels(arguments.node_labels),
            max_pods=arguments.max_pods,
            default_registries=arguments.default_registry,
            serving_cert=files["serving_cert"],
            serving_key=files["serving_key"],
            client_ca=files["client_ca"],
            cgroup_root=arguments.cgroup_root.rstrip("/"),
            resolv_conf=str(resolvers or ""),
        )
        routes = PodNetwork(
            client,
            node_name=name,
            node_ip=ip,
            cni_dir=Path(arguments.cni_conf_dir),
            state_dir=Path(arguments.cni_ipam_dir),
            informers=informers,
            **services,
        )
        proxy = Proxy(client, node_name=name, backend=NFTables(**services), informers=informers)
        upstream = servers_of(resolvers.read_text()) if resolvers and resolvers.exists() else []
        dns = DNSServer(
            client, bind=[(ip, 53)], cluster_domain=arguments.cluster_domain, upstream=upstream, informers=informers
        )
        agent = Agent(client, runtime, config=kubelet, services=informers.informer(Service))
        tasks.create_task(agent.run(), name="kubelet")
        tasks.create_task(routes.run(), name="routes")
        tasks.create_task(proxy.run(), name="proxy")
        tasks.create_task(dns.run(), name="dns")
        tasks.create_task(announce_dns(client, dns, name, ip), name="dns-endpoint")
        tasks.create_task(informers.run(), name="informers")
        process.settle()


async def announce_dns(client: Client, dns: DNSServer, node_name: str, node_ip: str) -> None:
    """Keep this node's DNS server an endpoint of the kube-dns Service."""
    from sampan.api.errors import StatusError
    from sampan.dns.endpoint import publish

    log = get_logger("agent")
    await dns.ready.wait()
    wait_seconds = FIRST_RETRY_SECONDS
    while True:
        try:
            await publish(client, node_name=node_name, node_ip=node_ip)
            wait_seconds = ANNOUNCE_SECONDS
        except (StatusError, OSError, TimeoutError) as error:
            log.warning("cannot announce cluster DNS yet", error=str(error), again_in_seconds=wait_seconds)
            wait_seconds = min(wait_seconds * 2, ANNOUNCE_SECONDS)
        await client.clock.sleep(wait_seconds)

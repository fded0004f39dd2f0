"""Run the controllers alone: Deployment, ReplicaSet, EndpointSlice, Namespace, garbage collection and the others.

Flags have kube-controller-manager's names where it has them.
"""

from __future__ import annotations

import argparse

from sampan.cmd import process


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    process.add_client_arguments(parser)
    add("--root-ca-file", default="", metavar="FILE", help="the CA put into every namespace's kube-root-ca.crt")
    add("--service-account-private-key-file", default="", metavar="FILE", help="the key that signs tokens in Secrets")
    add(
        "--cluster-cidr",
        default="10.244.0.0/16",
        metavar="CIDR",
        help="pod network, of which each node gets a part (%(default)s)",
    )
    add("--service-cluster-ip-range", default="10.96.0.0/12", metavar="CIDR", help="addresses of Services (%(default)s)")
    add(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="work only while holding the lease kube-system/kube-controller-manager (no)",
    )
    process.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from sampan.client.rest import Client
    from sampan.client.transport import Transport
    from sampan.controllers.manager import ControllerManager, ControllerManagerOptions

    config = process.client_config(arguments, "kube-controller-manager")
    options = ControllerManagerOptions(
        ca_pem=process.read_file(arguments.root_ca_file, "--root-ca-file"),
        service_account_key_pem=process.read_file(
            arguments.service_account_private_key_file, "--service-account-private-key-file"
        ),
        cluster_cidr=arguments.cluster_cidr,
        service_cidr=arguments.service_cluster_ip_range,
        leader_elect=arguments.leader_elect,
    )

    async def work() -> None:
        async with Transport(config) as transport:
            manager = ControllerManager(Client(transport), options=options)
            process.settle()
            await manager.run()

    return process.serve("controller-manager", arguments, work)

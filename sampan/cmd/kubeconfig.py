"""Print the administrator's kubeconfig of a cluster."""

from __future__ import annotations

import argparse

from sampan.cmd import status
from sampan.cmd.cluster.plan import DEFAULT_NAME
from sampan.cmd.cluster.shell import ClusterError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=DEFAULT_NAME, metavar="N", help="the cluster's name (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    plan = status.find(arguments.name, "kubeconfig")
    try:
        print(plan.admin_kubeconfig.read_text(), end="")
    except FileNotFoundError:
        raise ClusterError(f"{plan.admin_kubeconfig} is missing: run sampan up --name {plan.name}, which makes it") from None
    return 0

"""Load image archives (docker save, OCI layouts in a tar) into every node of a cluster, or list what the nodes have."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sampan.cmd import status
from sampan.cmd.cluster import images, preflight
from sampan.cmd.cluster.plan import DEFAULT_NAME, ClusterPlan, NodePlan
from sampan.cmd.cluster.shell import ClusterError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=DEFAULT_NAME, metavar="N", help="the cluster's name (%(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="load|list")
    load = verbs.add_parser("load", help="import archives into every node")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE")
    listing = verbs.add_parser("list", help="the images of each node")
    for verb in (load, listing):
        # After the verb, too, where one looks for it; without a default, which would undo the one before the verb.
        verb.add_argument("--name", default=argparse.SUPPRESS, metavar="N", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    plan = status.find(arguments.name, "image")
    preflight.complete_path()
    if not plan.node_count:
        raise ClusterError(f"cluster {plan.name} has no nodes: start one with sampan up --nodes 1 --name NAME")
    return _load(plan, arguments.files) if arguments.verb == "load" else _list(plan)


def _load(plan: ClusterPlan, files: list[Path]) -> int:
    for file in files:
        if not file.is_file():
            raise ClusterError(f"{file} is not a file: give an archive written by docker save or an OCI layout in a tar")

    def load(node: NodePlan) -> list[str]:
        return [name for file in files for name in images.load(node, file)]

    with ThreadPoolExecutor() as pool:
        for node, names in zip(plan.nodes, pool.map(load, plan.nodes), strict=True):
            print(f"{node.name}: {', '.join(names) or 'nothing new'}")
    return 0


def _list(plan: ClusterPlan) -> int:
    cells = [(node.name, name) for node in plan.nodes for name in images.present(node) if not name.startswith("sha256:")]
    print("\n".join(status.table(("NODE", "IMAGE"), cells)))
    return 0

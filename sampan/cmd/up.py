"""Start a cluster on this machine and wait until it is usable; repair one that is there, touching nothing healthy.

A cluster is a control plane (processes of this machine) and local nodes (network namespaces with a containerd and an agent
each). Its administrator's kubeconfig becomes the context sampan-NAME of the user's kubeconfig.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from sampan.cmd import datastoreoptions
from sampan.cmd.cluster import cgroups, credentials, images, lock, network, nodes, preflight, processes, userconfig
from sampan.cmd.cluster.plan import (
    CLUSTER_DNS,
    DEFAULT_API_PORT,
    DEFAULT_NAME,
    STATE_ROOT,
    ClusterPlan,
    load,
    make_private,
    plans,
    with_free_subnet,
)
from sampan.cmd.cluster.progress import Progress
from sampan.cmd.cluster.shell import ClusterError
from sampan.lib.clock import RealClock

DEFAULT_WAIT_SECONDS = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--name", default=DEFAULT_NAME, metavar="N", help="the cluster's name (%(default)s)")
    add("--nodes", type=int, metavar="K", help="how many nodes; 0 is a control plane alone (1, or what the cluster has)")
    add("--api-port", type=int, metavar="P", help=f"port of the API server on this machine ({DEFAULT_API_PORT})")
    add("--data-dir", type=Path, metavar="D", help=f"where the cluster keeps its data ({STATE_ROOT}/NAME)")
    datastoreoptions.add_arguments(parser, "what it has, or SQLite in its data directory")
    add(
        "--wait",
        type=float,
        default=DEFAULT_WAIT_SECONDS,
        metavar="S",
        help="longest time to wait for it; 0: not at all (%(default)g)",
    )
    add(
        "--isolated",
        action="store_true",
        default=None,
        help="keep packets of the nodes and pods on this machine, and forward no DNS query to its resolvers",
    )
    add("--no-kubeconfig", action="store_true", help="leave the user's kubeconfig alone")


def run(arguments: argparse.Namespace) -> int:
    preflight.require_root("up")
    preflight.complete_path()
    progress = Progress()
    with lock.machine():
        existing = load(arguments.name)
        plan = decide(arguments, existing)
        make(plan, progress, fresh=existing is None)
    if arguments.wait > 0:
        wait_until_usable(plan, arguments.wait, progress)
    if not arguments.no_kubeconfig:
        file = userconfig.add_context(plan, os.environ)
        progress.say(f"context {plan.context} is the current one of {file}")
    print(farewell(plan))
    return 0


def decide(arguments: argparse.Namespace, existing: ClusterPlan | None) -> ClusterPlan:
    """The plan: the existing cluster's, with more nodes if asked for, or a new one. Raises ClusterError."""
    try:
        return _grown(arguments, existing) if existing else _new(arguments)
    except ValueError as error:
        raise ClusterError(str(error)) from None


def _grown(arguments: argparse.Namespace, existing: ClusterPlan) -> ClusterPlan:
    remedy = f"run sampan down --name {existing.name} first, or choose another --name"
    if arguments.api_port not in (None, existing.api_port):
        raise ClusterError(f"cluster {existing.name} serves port {existing.api_port}, not {arguments.api_port}: {remedy}")
    if arguments.data_dir and arguments.data_dir.resolve() != existing.data_dir:
        raise ClusterError(f"cluster {existing.name} keeps its data in {existing.data_dir}: {remedy}")
    if arguments.isolated and not existing.isolated:
        raise ClusterError(f"cluster {existing.name} was made without --isolated: {remedy}")
    store = asked_datastore(arguments) or existing.datastore
    if store != existing.datastore and _serving(existing):
        raise ClusterError(
            f"cluster {existing.name} has its state in {existing.datastore}: to move it, run sampan down --keep-data "
            f"--name {existing.name} and sampan datastore migrate first"
        )
    count = existing.node_count if arguments.nodes is None else arguments.nodes
    if count < existing.node_count or (count and not existing.node_count):
        raise ClusterError(
            f"cluster {existing.name} has {existing.node_count} nodes and cannot become one of {count}: {remedy}"
        )
    plan = replace(existing, node_count=count, store_url="" if store == existing.own_datastore else store)
    preflight.check(plan, serving=_serving(plan))
    return plan


def _new(arguments: argparse.Namespace) -> ClusterPlan:
    others = plans()
    port = arguments.api_port
    if port is None:
        # Beside another cluster the next free port serves; a stranger on the usual port is an error to be told.
        used = {other.api_port for other in others}
        port = next(number for number in range(DEFAULT_API_PORT, DEFAULT_API_PORT + 1000) if number not in used)
    data_dir = (arguments.data_dir or STATE_ROOT / arguments.name).resolve()
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise ClusterError(f"{data_dir} is not empty and belongs to no cluster: choose an empty --data-dir")
    count = 1 if arguments.nodes is None else arguments.nodes
    plan = ClusterPlan(
        arguments.name,
        data_dir,
        node_count=count,
        api_port=port,
        isolated=bool(arguments.isolated),
        store_url=asked_datastore(arguments),
    )
    preflight.check(plan, serving=False)
    return with_free_subnet(plan, [*network.taken_networks(), *(other.network for other in others)])


def asked_datastore(arguments: argparse.Namespace) -> str:
    """The URL that was given, its files by their whole paths, as processes of the cluster run elsewhere; "" for none.
    Raises ClusterError for one that is no datastore."""
    if not arguments.datastore:
        return ""
    for option in ("datastore_cafile", "datastore_certfile", "datastore_keyfile"):
        if path := getattr(arguments, option):
            setattr(arguments, option, os.path.abspath(path))
    datastoreoptions.store_of(arguments, RealClock())
    return datastoreoptions.url_of(arguments)


def _serving(plan: ClusterPlan) -> bool:
    """Whether the port is the cluster's own already."""
    apiserver = processes.states(plan).get("apiserver")
    return bool(processes.supervisor_pid(plan) or (apiserver and apiserver.running))


def make(plan: ClusterPlan, progress: Progress, *, fresh: bool) -> None:
    """Everything up to the running processes."""
    plan.save()
    state = f", state in {plan.store_url}" if plan.store_url else ""
    progress.say(f"cluster {plan.name}: {'new' if fresh else 'checking what is there'}, data in {plan.data_dir}{state}")
    if credentials.ensure(plan):
        progress.say("keys and certificates")
    if plan.node_count:
        network.load_modules()
        network.make_bridge(plan)
        controllers = cgroups.detect()
        made = [node.name for node in plan.nodes if nodes.make(plan, node, controllers)]
        if made:
            progress.say(f"{', '.join(made)}: network {plan.network} on {plan.bridge}, cgroups v{controllers.version}")
    running = {name for name, state in processes.states(plan).items() if state.running}
    specs = processes.all_processes(plan)
    make_private(plan.data_dir / "store")
    processes.supervise_cluster(plan, specs)
    started = [spec.name for spec in specs if spec.name not in running]
    progress.say(f"started {', '.join(started)}" if started else "every process is running")


def wait_until_usable(plan: ClusterPlan, seconds: float, progress: Progress) -> None:
    """Raises the first ClusterError of what is waited for at once."""
    failures: list[Exception] = []
    try:
        asyncio.run(wait(plan, seconds, progress))
    except* ClusterError as group:
        # Not raised here: Python before 3.11.4 would wrap it into a group again.
        failures.extend(group.exceptions)
    if failures:
        raise failures[0]


async def wait(plan: ClusterPlan, seconds: float, progress: Progress) -> None:
    """Until the API server answers, every node is Ready and DNS answers. Raises ClusterError."""
    from sampan.client.kubeconfig import load as load_kubeconfig
    from sampan.client.rest import Client
    from sampan.client.transport import Transport
    from sampan.cmd.cluster import readiness
    from sampan.dns.endpoint import ensure_service

    deadline = readiness.Deadline(seconds)
    async with Transport(load_kubeconfig(plan.admin_kubeconfig)) as transport, asyncio.TaskGroup() as tasks:
        loading = tasks.create_task(asyncio.to_thread(load_images, plan, seconds))
        client = Client(transport)
        await readiness.api_server(client, plan, deadline)
        progress.say(f"the API server answers at {plan.server}")
        if not plan.node_count:
            return
        await ensure_service(client, CLUSTER_DNS)
        await readiness.nodes(client, plan, deadline, lambda node: progress.say(f"{node.name} is Ready at {node.ip}"))
        await readiness.dns(plan, deadline)
        progress.say("cluster DNS answers")
        await loading
        progress.say(f"images in place: {', '.join(images.BUILTIN)}")


def load_images(plan: ClusterPlan, seconds: float) -> None:
    if not plan.node_count:
        return
    machine = os.uname().machine
    archive = images.write_builtin(plan.data_dir / "images", images.ARCHITECTURES.get(machine, machine))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: nodes.load_images(node, archive, seconds), plan.nodes))


def farewell(plan: ClusterPlan) -> str:
    named = "" if plan.name == DEFAULT_NAME else f" --name {plan.name}"
    lines = ["", f"Cluster {plan.name} is up. Try:"]
    lines += (
        ["  kubectl get nodes", "  kubectl apply -f examples/hello.yaml"] if plan.node_count else ["  kubectl get namespaces"]
    )
    return "\n".join([*lines, f"  sampan status{named}", f"  sampan down{named}"])

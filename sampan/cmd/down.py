"""Remove a cluster from this machine: processes, containers, mounts, network, cgroups, files and its kubeconfig context.

It works on whatever is left of a cluster, in any state, as often as it is called. With --keep-data, what a reboot would keep
is kept (store, keys, images, logs), and sampan up brings the cluster back. A datastore that `up` was given is left alone.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sampan.cmd.cluster import cgroups, lock, mounts, network, nodes, preflight, processes, userconfig
from sampan.cmd.cluster.plan import DEFAULT_NAME, OWN_ENTRIES, RUN_ROOT, STATE_ROOT, ClusterPlan, load
from sampan.cmd.cluster.progress import Progress
from sampan.cmd.cluster.shell import ClusterError

GRACE_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=DEFAULT_NAME, metavar="N", help="the cluster's name (%(default)s)")
    parser.add_argument("--keep-data", action="store_true", help="keep what a reboot would keep, for sampan up to start from")


def run(arguments: argparse.Namespace) -> int:
    preflight.require_root("down")
    preflight.complete_path()
    progress = Progress()
    with lock.machine():
        try:
            plan = load(arguments.name)
            ClusterPlan(arguments.name, STATE_ROOT / arguments.name)
        except ValueError as error:
            raise ClusterError(str(error)) from None
        if plan is None and not remains(arguments.name):
            print(f"there is no cluster {arguments.name}")
            lock.remove_if_last()
            return 0
        remove(arguments.name, plan, progress, keep_data=arguments.keep_data)
        lock.remove_if_last()
    if left := remains(arguments.name, keep_data=arguments.keep_data):
        raise ClusterError(f"cluster {arguments.name} is not wholly gone, {'; '.join(left)}: run sampan down again")
    if plan and plan.store_url:
        progress.say(f"its state stays in {plan.store_url}")
    progress.say(f"cluster {arguments.name} is {'stopped, its data kept' if arguments.keep_data else 'gone'}")
    return 0


def remove(name: str, plan: ClusterPlan | None, progress: Progress, *, keep_data: bool) -> None:
    """The order matters: what restarts others ends first, what runs ends before what it runs in, files go last."""
    ended = processes.end(name, grace_seconds=GRACE_SECONDS)
    killed = _end_containers(name)
    # The shims of killed containers have tidied up or are gone themselves; whoever is left has lost what it watched.
    ended += processes.end(name, grace_seconds=0.0)
    progress.say(f"{ended} processes and {killed} processes of containers ended")
    directories = [RUN_ROOT / name, _data_dir(name, plan)]
    unmounted = mounts.unmount_below(directories)
    if unmounted:
        progress.say(f"{unmounted} mounts removed")
    network.remove(name, plan)
    progress.say("network removed")
    for node in plan.nodes if plan else []:
        nodes.remove_shim_sockets(node)
    mounts.remove_tree(RUN_ROOT / name)
    if not keep_data:
        _remove_data(name, plan)
        userconfig.remove_context(f"sampan-{name}", os.environ)


def _end_containers(name: str) -> int:
    try:
        controllers = cgroups.detect()
    except ClusterError:
        return 0
    killed = cgroups.kill(controllers, f"/sampan/{name}")
    cgroups.remove(controllers, f"/sampan/{name}")
    return killed


def _data_dir(name: str, plan: ClusterPlan | None) -> Path:
    return plan.data_dir if plan else (STATE_ROOT / name).resolve()


def _remove_data(name: str, plan: ClusterPlan | None) -> None:
    """Delete what the cluster put into its data directory, and the directory unless somebody else put something there."""
    directory = _data_dir(name, plan)
    for entry in OWN_ENTRIES:
        path = directory / entry
        if path.is_dir():
            mounts.remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
    link = STATE_ROOT / name
    if link.is_symlink():
        link.unlink()
    if STATE_ROOT.is_dir() and not any(STATE_ROOT.iterdir()):
        STATE_ROOT.rmdir()


def remains(name: str, *, keep_data: bool = False) -> list[str]:
    """What is left of a cluster on this machine, each a phrase; empty when nothing is."""
    left = [f"process {pid} ({line[:60]})" for pid, line in processes.marked(name).items()]
    left += network.remains(name)
    directories = [RUN_ROOT / name, (STATE_ROOT / name).resolve()]
    left += [f"mount {point}" for point in mounts.below(directories)]
    try:
        left += [f"cgroup {path}" for path in cgroups.exists(cgroups.detect(), f"/sampan/{name}")]
    except ClusterError:
        pass
    if directories[0].exists():
        left.append(f"directory {directories[0]}")
    if not keep_data:
        left += [f"{directories[1]}/{entry}" for entry in OWN_ENTRIES if (directories[1] / entry).exists()]
    return left

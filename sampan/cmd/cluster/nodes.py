"""Making a local node, mending it, and clearing away what it ran."""

from __future__ import annotations

import time
from pathlib import Path

from sampan.cmd.cluster import cgroups, containerd, images, mounts, network, processes
from sampan.cmd.cluster.cgroups import Cgroups
from sampan.cmd.cluster.plan import ClusterPlan, NodePlan
from sampan.cmd.cluster.shell import ClusterError


def make(plan: ClusterPlan, node: NodePlan, controllers: Cgroups) -> bool:
    """The node's cgroup, directories and network; whether its network had to be made.

    A node whose network namespace is lost (a reboot, an `ip netns del`) has lost its pods' networks with it: what still runs
    in the old namespace is cleared away, and the agent starts the pods anew.
    """
    cgroups.prepare(controllers, node.cgroup)
    if network.is_intact(node):
        if not node.containerd_config.exists():
            containerd.prepare(node)
        return False
    clear(plan, node, controllers)
    containerd.prepare(node)
    network.make_node(plan, node)
    return True


def clear(plan: ClusterPlan, node: NodePlan, controllers: Cgroups) -> None:
    """Stop what runs on the node and forget its run-time state; its images and its logs stay."""
    running = processes.states(plan)
    names = [f"containerd-{node.name}", f"agent-{node.name}"]
    if any(running[name].running for name in names if name in running):
        processes.retire(plan, names)
        # Times on the wire have whole seconds. The next agent starts in a later one than this one's last report was in, so
        # that a report can be told to be the next one's (readiness.is_ready).
        time.sleep(1 - time.time() % 1)
    cgroups.kill(controllers, node.cgroup)
    processes.end_shims(node)
    remove_shim_sockets(node)
    mounts.unmount_below([node.run_dir, node.data_dir])
    mounts.remove_tree(node.run_dir)


def remove_shim_sockets(node: NodePlan) -> None:
    for path in containerd.shim_sockets(node):
        path.unlink(missing_ok=True)


def load_images(node: NodePlan, archive: Path, seconds: float) -> None:
    """Wait for the node's containerd and import what it lacks. Raises ClusterError."""
    deadline = time.monotonic() + seconds
    while not images.is_ready(node):
        if time.monotonic() > deadline:
            raise ClusterError(f"containerd of {node.name} does not answer: see sampan logs containerd-{node.name}")
        time.sleep(0.05)
    images.load_builtin(node, archive)

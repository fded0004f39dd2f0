"""The processes of a cluster: what each is started with, who watches over them, how they are found and ended.

Every process carries `SAMPAN_PROCESS_OF=<cluster>` in its environment, and so does what it starts (containerd's shims), so
that `down` finds all of them when every file about them is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sampan.cmd import supervise
from sampan.cmd.cluster.network import enter
from sampan.cmd.cluster.plan import (
    CLUSTER_DNS,
    CLUSTER_DOMAIN,
    POD_CIDR,
    SERVICE_CIDR,
    ClusterPlan,
    NodePlan,
    make_private,
    write_private,
)
from sampan.cmd.cluster.shell import ClusterError

MARK = "SAMPAN_PROCESS_OF"
SUPERVISOR_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process the supervisor keeps running."""

    name: str
    argv: list[str]
    log: str
    environment: dict[str, str]
    umask: int = 0o077


@dataclass(frozen=True, slots=True)
class ProcessState:
    """How one process of a cluster is."""

    name: str
    pid: int
    """0 while it is not running."""
    started: float
    restarts: int
    last_exit: str

    @property
    def running(self) -> bool:
        return self.pid > 0


def sampan(*arguments: str) -> list[str]:
    """argv of a component. -P keeps the working directory out of the module path."""
    return [sys.executable, "-P", "-m", "sampan.cmd.main", *arguments]


def control_plane(plan: ClusterPlan) -> list[ProcessSpec]:
    pki, kubeconfigs = plan.pki_dir, plan.kubeconfig_dir
    apiserver = sampan(
        "apiserver",
        f"--datastore={plan.datastore}",
        f"--bind-address=127.0.0.1,{plan.host_ip}" if plan.node_count else "--bind-address=127.0.0.1",
        f"--secure-port={plan.api_port}",
        f"--advertise-address={plan.host_ip if plan.node_count else '127.0.0.1'}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
    )
    controllers = sampan(
        "controller-manager",
        f"--kubeconfig={kubeconfigs}/controller-manager.conf",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--cluster-cidr={POD_CIDR}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
    )
    scheduler = sampan("scheduler", f"--kubeconfig={kubeconfigs}/scheduler.conf")
    return [
        _spec(plan, "apiserver", apiserver),
        _spec(plan, "controller-manager", controllers),
        _spec(plan, "scheduler", scheduler),
    ]


def node_processes(plan: ClusterPlan, node: NodePlan) -> list[ProcessSpec]:
    containerd = [*enter(node), "containerd", "--config", str(node.containerd_config)]
    agent = [
        *enter(node),
        *sampan(
            "agent",
            f"--kubeconfig={plan.kubeconfig_dir}/{node.name}.conf",
            f"--node-name={node.name}",
            f"--node-ip={node.ip}",
            f"--container-runtime-endpoint=unix://{node.containerd_socket}",
            f"--root-dir={node.kubelet_root}",
            f"--cgroup-root={node.cgroup}",
            f"--cni-conf-dir={node.cni_conf_dir}",
            f"--cni-ipam-dir={node.ipam_dir}",
            f"--tls-cert-file={plan.pki_dir}/{node.name}.crt",
            f"--tls-private-key-file={plan.pki_dir}/{node.name}.key",
            f"--client-ca-file={plan.pki_dir}/ca.crt",
            f"--cluster-dns={CLUSTER_DNS}",
            f"--cluster-domain={CLUSTER_DOMAIN}",
            f"--cluster-cidr={POD_CIDR}",
            *(["--resolv-conf="] if plan.isolated else []),
        ),
    ]
    processes = [_spec(plan, f"containerd-{node.name}", containerd), _spec(plan, f"agent-{node.name}", agent)]
    # Both make files that containers see, whatever user they run as; the directories above are root's alone.
    return [replace(process, umask=0o022) for process in processes]


def all_processes(plan: ClusterPlan) -> list[ProcessSpec]:
    return control_plane(plan) + [spec for node in plan.nodes for spec in node_processes(plan, node)]


def _spec(plan: ClusterPlan, name: str, argv: list[str]) -> ProcessSpec:
    environment = {
        MARK: plan.name,
        # Small processes: glibc keeps two heaps and not eight a core, and the arithmetic libraries no threads.
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return ProcessSpec(name, argv, str(plan.log_dir / f"{name}.log"), environment)


def write_specs(plan: ClusterPlan, specs: Iterable[ProcessSpec]) -> bool:
    """Write what the supervisor reads; whether it differs from what was there."""
    text = json.dumps({"processes": [asdict(spec) for spec in specs]}, indent=1)
    path = plan.run_dir / "processes.json"
    if path.exists() and path.read_text() == text:
        return False
    write_private(path, text)
    return True


def supervise_cluster(plan: ClusterPlan, specs: Sequence[ProcessSpec]) -> None:
    """See to it that a supervisor runs and keeps `specs`; a running one reads them again. Raises ClusterError."""
    make_private(plan.run_dir)
    make_private(plan.log_dir)
    changed = write_specs(plan, specs)
    running = supervisor_pid(plan)
    if running and changed:
        os.kill(running, signal.SIGHUP)
    if not running:
        _start_supervisor(plan)
    deadline = time.monotonic() + SUPERVISOR_SECONDS
    names = {spec.name for spec in specs}
    while not (supervisor_pid(plan) and names <= set(states(plan))):
        if time.monotonic() > deadline:
            raise ClusterError(f"the supervisor did not start: see {plan.log_dir}/supervisor.log")
        time.sleep(0.01)


def _start_supervisor(plan: ClusterPlan) -> None:
    script = supervise.__file__
    log = os.open(plan.log_dir / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        subprocess.Popen(
            [sys.executable, "-I", "-S", script, str(plan.run_dir)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), MARK: plan.name},
            start_new_session=True,
        )
    finally:
        os.close(log)


def _state_document(plan: ClusterPlan) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((plan.run_dir / "supervisor.json").read_text())
        return document
    except (FileNotFoundError, ValueError):
        return {}


def supervisor(plan: ClusterPlan) -> tuple[int, float]:
    """The supervisor's process id and when it began, in seconds since the epoch; 0 while none runs."""
    document = _state_document(plan)
    pid = int(document.get("pid", 0))
    if not pid or supervise.start_time_of(pid) != document.get("start_time"):
        return 0, 0.0
    return pid, float(document["started"])


def supervisor_pid(plan: ClusterPlan) -> int:
    return supervisor(plan)[0]


def states(plan: ClusterPlan) -> dict[str, ProcessState]:
    """What the supervisor last wrote of each process, checked against the processes there are."""
    found = {}
    for name, state in _state_document(plan).get("processes", {}).items():
        pid = int(state["pid"])
        alive = pid > 0 and supervise.start_time_of(pid) == state["start_time"]
        found[name] = ProcessState(name, pid if alive else 0, state["started"], state["restarts"], state["last_exit"])
    return found


def retire(plan: ClusterPlan, names: Iterable[str]) -> None:
    """End some processes of the cluster for now. The supervisor ends too, for it would start them again; `supervise_cluster`
    starts it anew, and it finds the others running."""
    supervisor = supervisor_pid(plan)
    if supervisor:
        _signal(plan.name, [supervisor], signal.SIGTERM)
        _wait_gone([supervisor], 5.0)
    pids = [state.pid for name, state in states(plan).items() if name in names and state.running]
    _signal(plan.name, pids, signal.SIGKILL)
    _wait_gone(pids, 5.0)


def end_shims(node: NodePlan) -> None:
    """End the shims of a node's containerd, which name its socket on their command line."""
    shims = [pid for pid, line in _everyone().items() if f"-address {node.containerd_socket}" in line]
    for pid in shims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    _wait_gone(shims, 5.0)


def resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0


def marked(cluster: str) -> dict[int, str]:
    """Every process of the cluster, by its mark: pid → command line. Zombies are not processes any more."""
    mark = f"{MARK}={cluster}".encode()
    return {pid: line for pid, line in _everyone().items() if pid != os.getpid() and _has_mark(pid, mark)}


def _everyone() -> dict[int, str]:
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{entry}/cmdline").read_bytes()
        except OSError:
            continue
        if line:
            found[int(entry)] = line.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def end(cluster: str, *, grace_seconds: float) -> int:
    """End every process of the cluster: the supervisor first, so that nothing comes back; then the rest, asked and after
    `grace_seconds` forced, except for shims, which would stay when asked. How many there were. Raises ClusterError."""
    everyone = marked(cluster)
    supervisors = [pid for pid, line in everyone.items() if "supervise.py" in line]
    _signal(cluster, supervisors, signal.SIGKILL)
    _wait_gone(supervisors, 5.0)
    rest = [pid for pid, line in marked(cluster).items() if "containerd-shim" not in line]
    _signal(cluster, rest, signal.SIGTERM)
    _wait_gone(rest, grace_seconds)
    deadline = time.monotonic() + 10.0
    while left := marked(cluster):
        _signal(cluster, left, signal.SIGKILL)
        _wait_gone(left, 1.0)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes {sorted(left)} do not die: see `ps -o stat,wchan -p PID`")
    return len(everyone)


def _signal(cluster: str, pids: Iterable[int], number: signal.Signals) -> None:
    """Signal through a pidfd after looking at the mark once more: a pid may have passed to a stranger meanwhile."""
    mark = f"{MARK}={cluster}".encode()
    for pid in pids:
        try:
            descriptor = supervise.pidfd_of(pid)
        except ProcessLookupError:
            continue
        try:
            if _has_mark(pid, mark):
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            continue
        finally:
            os.close(descriptor)


def _wait_gone(pids: Iterable[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for pid in pids:
        try:
            descriptor = supervise.pidfd_of(pid)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        os.close(descriptor)

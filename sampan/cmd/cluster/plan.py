"""What a local cluster consists of, by name: its directories, addresses, interfaces, namespaces and cgroups.

The plan is decided once by `sampan up`, written to `cluster.json` in the data directory, and read by everything after it.
Two directories belong to a cluster: the data directory holds what a reboot must keep (keys, store, images), the run
directory what a reboot may lose (sockets, container state, address leases). `sampan down --keep-data` is a reboot.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

STATE_ROOT = Path("/var/lib/sampan")
RUN_ROOT = Path("/run/sampan")
DEFAULT_NAME = "default"
DEFAULT_API_PORT = 6443
NODE_NETWORK = IPv4Network("10.89.0.0/16")
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/12"
CLUSTER_DNS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
MAX_NODES = 200

OWN_ENTRIES = ("cluster.json", "pki", "kubeconfig", "store", "logs", "nodes", "images")
"""Everything a cluster puts into its data directory; `down` removes these and nothing else."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One local node: a network namespace with a containerd and an agent."""

    name: str
    ip: str
    netns: str
    veth: str
    """The host's end of its cable; the node's own end is eth0."""
    data_dir: Path
    run_dir: Path
    cgroup: str

    @property
    def netns_path(self) -> Path:
        return Path("/run/netns") / self.netns

    @property
    def containerd_socket(self) -> Path:
        return self.run_dir / "containerd.sock"

    @property
    def containerd_state(self) -> Path:
        return self.run_dir / "containerd"

    @property
    def containerd_config(self) -> Path:
        return self.run_dir / "containerd.toml"

    @property
    def containerd_root(self) -> Path:
        return self.data_dir / "containerd"

    @property
    def kubelet_root(self) -> Path:
        return self.data_dir / "kubelet"

    @property
    def cni_conf_dir(self) -> Path:
        return self.run_dir / "cni"

    @property
    def ipam_dir(self) -> Path:
        return self.run_dir / "ipam"


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """A cluster's choices; every name and path follows from them. Raises ValueError for a name or number that cannot be."""

    name: str
    data_dir: Path
    node_count: int = 1
    api_port: int = DEFAULT_API_PORT
    subnet: int = 0
    """Which 10.89.<subnet>.0/24 its nodes live in, which also numbers its interfaces."""
    isolated: bool = False
    """Whether packets of its nodes and pods are kept on this machine."""
    store_url: str = ""
    """The datastore it was given; "" is one of its own."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", self.name):
            raise ValueError(f"{self.name!r} cannot name a cluster: use at most 40 lower case letters, digits and '-'")
        if not 0 <= self.node_count <= MAX_NODES:
            raise ValueError(f"a local cluster has 0 to {MAX_NODES} nodes, not {self.node_count}")
        if not 1 <= self.api_port <= 65535:
            raise ValueError(f"{self.api_port} is not a TCP port")

    @property
    def network(self) -> IPv4Network:
        return list(NODE_NETWORK.subnets(new_prefix=24))[self.subnet]

    @property
    def host_ip(self) -> str:
        """The host's address on the node network: the nodes' gateway, and where they find the API server."""
        return str(self.network[1])

    @property
    def server(self) -> str:
        """The API server as a user on this machine reaches it."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def node_server(self) -> str:
        """The API server as a node reaches it."""
        return f"https://{self.host_ip}:{self.api_port}"

    @property
    def context(self) -> str:
        return f"sampan-{self.name}"

    @property
    def bridge(self) -> str:
        return f"sampan-br{self.subnet}"

    @property
    def table(self) -> str:
        """The nftables table of the cluster on the host."""
        return "sampan_" + self.name.replace("-", "_")

    @property
    def cgroup(self) -> str:
        return f"/sampan/{self.name}"

    @property
    def run_dir(self) -> Path:
        return RUN_ROOT / self.name

    @property
    def pki_dir(self) -> Path:
        return self.data_dir / "pki"

    @property
    def kubeconfig_dir(self) -> Path:
        return self.data_dir / "kubeconfig"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.kubeconfig_dir / "admin.conf"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def datastore(self) -> str:
        return self.store_url or self.own_datastore

    @property
    def own_datastore(self) -> str:
        return f"sqlite://{self.data_dir}/store/state.db"

    def node(self, number: int) -> NodePlan:
        """Node `number`, counted from 1."""
        name = f"node-{number}"
        return NodePlan(
            name=name,
            ip=str(self.network[1 + number]),
            netns=f"sampan-{self.name}-{name}",
            veth=f"sampan{self.subnet}n{number}",
            data_dir=self.data_dir / "nodes" / name,
            run_dir=self.run_dir / name,
            cgroup=f"{self.cgroup}/{name}",
        )

    @property
    def nodes(self) -> list[NodePlan]:
        return [self.node(number) for number in range(1, self.node_count + 1)]

    def save(self) -> None:
        """Write `cluster.json`, and leave the way to it in the state root when the data directory is elsewhere."""
        make_private(self.data_dir)
        document = asdict(self) | {"data_dir": str(self.data_dir)}
        write_private(self.data_dir / "cluster.json", json.dumps(document, indent=2) + "\n")
        link = STATE_ROOT / self.name
        if self.data_dir != link and not link.is_symlink():
            make_private(STATE_ROOT)
            link.symlink_to(self.data_dir)


def load(name: str) -> ClusterPlan | None:
    """The plan of the cluster called `name`, None if there is none on this machine."""
    try:
        document = json.loads((STATE_ROOT / name / "cluster.json").read_text())
    except FileNotFoundError:
        return None
    return ClusterPlan(**(document | {"data_dir": Path(document["data_dir"])}))


def names() -> list[str]:
    """The clusters of this machine."""
    if not STATE_ROOT.is_dir():
        return []
    return sorted(entry.name for entry in STATE_ROOT.iterdir() if (entry / "cluster.json").is_file())


def plans() -> list[ClusterPlan]:
    return [plan for plan in map(load, names()) if plan is not None]


def with_free_subnet(plan: ClusterPlan, taken: Iterable[IPv4Network]) -> ClusterPlan:
    """The plan with the first node network that overlaps none of `taken`. Raises ValueError when all are."""
    used = list(taken)
    for number, network in enumerate(NODE_NETWORK.subnets(new_prefix=24)):
        if not any(network.overlaps(other) for other in used):
            return replace(plan, subnet=number)
    raise ValueError(f"every /24 of {NODE_NETWORK} is in use on this machine: remove a cluster with sampan down --name N")


def make_private(directory: Path) -> None:
    """A directory only root can enter, its parents included where they are made now."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, content: str | bytes) -> None:
    """Replace a file at once and readable by its owner alone."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

"""How one node agent is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sampan.api.types.core_v1 import Taint


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    node_name: str
    node_ip: str
    root_dir: Path | None = None
    """Where pods' directories and logs lie. None writes nothing to disk, for nodes whose runtime is simulated."""
    port: int = 10250
    cluster_dns: Sequence[str] = ("10.96.0.10",)
    cluster_domain: str = "cluster.local"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()
    capacity: Mapping[str, str] = field(default_factory=dict)
    """Overrides of what the machine has, by resource name."""
    reserved: Mapping[str, str] = field(default_factory=dict)
    """What of the capacity pods may not have."""
    max_pods: int = 110
    default_registries: Sequence[str] = ()
    """Hosts of the registry that images without one come from: pull secrets for them serve such images, too."""
    provider_id: str = ""
    serving_cert: bytes = b""
    serving_key: bytes = b""
    client_ca: bytes = b""
    cgroup_root: str = ""
    """The cgroup under which `kubepods` is made, such as "/sampan/dev/node-1"; "" is the root."""
    manage_cgroups: bool = True
    resolv_conf: str = "/etc/resolv.conf"
    hosts_file: str = "/etc/hosts"

    status_seconds: float = 10.0
    """How often the node's status is looked at, and written if it changed."""
    report_seconds: float = 300.0
    """How often it is written even if it did not change."""
    lease_seconds: int = 40
    lease_renew_seconds: float = 10.0
    relist_seconds: float = 1.0
    refresh_seconds: float = 60.0
    """How often a running pod's volumes are compared with what they show."""
    register: bool = True

    @property
    def pods_dir(self) -> Path | None:
        return None if self.root_dir is None else self.root_dir / "pods"

    @property
    def logs_dir(self) -> Path | None:
        return None if self.root_dir is None else self.root_dir / "logs"

"""What runs containers, as the node agent sees it: the shape of CRI's runtime.v1 in small dataclasses of our own.

`cri.py` speaks to a real runtime, `simulated.py` pretends. Times are seconds since the epoch, 0.0 where not yet. Every call
raises `RuntimeFailure` for what the runtime answered; its text is worded as gRPC clients word it, for that text goes into
events and statuses.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class RuntimeFailure(Exception):
    """The runtime refused or failed. `code` is a gRPC code name: "NotFound", "Unknown", "Unavailable", …"""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {description}")
        self.code = code
        self.description = description


class NamespaceMode(enum.IntEnum):
    POD = 0
    CONTAINER = 1
    NODE = 2
    TARGET = 3


class State(enum.IntEnum):
    """A container's state, numbered as in CRI."""

    CREATED = 0
    RUNNING = 1
    EXITED = 2
    UNKNOWN = 3


class ProfileType(enum.IntEnum):
    RUNTIME_DEFAULT = 0
    UNCONFINED = 1
    LOCALHOST = 2


class Propagation(enum.IntEnum):
    PRIVATE = 0
    HOST_TO_CONTAINER = 1
    BIDIRECTIONAL = 2


@dataclass(frozen=True, slots=True)
class Profile:
    """A seccomp or AppArmor profile; `localhost` is its path or name when the type is LOCALHOST."""

    type: ProfileType = ProfileType.RUNTIME_DEFAULT
    localhost: str = ""


@dataclass(frozen=True, slots=True)
class Namespaces:
    network: NamespaceMode = NamespaceMode.POD
    pid: NamespaceMode = NamespaceMode.CONTAINER
    ipc: NamespaceMode = NamespaceMode.POD
    target_id: str = ""


@dataclass(frozen=True, slots=True)
class DNSConfig:
    servers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PortMapping:
    protocol: str
    """"TCP", "UDP" or "SCTP"."""
    container_port: int
    host_port: int
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class Security:
    """Of a sandbox (which uses the first half) or of a container."""

    namespaces: Namespaces = field(default_factory=Namespaces)
    run_as_user: int | None = None
    run_as_group: int | None = None
    supplemental_groups: Sequence[int] = ()
    privileged: bool = False
    readonly_rootfs: bool = False
    seccomp: Profile = field(default_factory=lambda: Profile(ProfileType.UNCONFINED))
    apparmor: Profile | None = None
    run_as_username: str = ""
    add_capabilities: Sequence[str] = ()
    drop_capabilities: Sequence[str] = ()
    no_new_privs: bool = False
    masked_paths: Sequence[str] = ()
    readonly_paths: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    """A container's share of the machine; 0 means not set."""

    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit_bytes: int = 0
    oom_score_adj: int = 0
    unified: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: str = ""
    dns: DNSConfig | None = None
    port_mappings: Sequence[PortMapping] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    security: Security = field(default_factory=Security)
    sysctls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mount:
    container_path: str
    host_path: str
    readonly: bool = False
    propagation: Propagation = Propagation.PRIVATE


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    name: str
    image: str
    """The image's id, as `ImageRef.id`."""
    attempt: int = 0
    user_specified_image: str = ""
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    working_dir: str = ""
    env: Sequence[tuple[str, str]] = ()
    mounts: Sequence[Mount] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""
    """Relative to the sandbox's log directory."""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resources: Resources = field(default_factory=Resources)
    security: Security = field(default_factory=Security)


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """A sandbox. `ips` is known only from `sandbox_status`, not from a list."""

    id: str
    name: str
    namespace: str
    uid: str
    attempt: int
    ready: bool
    created: float
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    ips: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """A container as a list has it."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    state: State
    created: float
    pod_uid: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    id: str
    name: str
    attempt: int
    state: State
    created: float
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    image: str = ""
    """The name the container was asked for by, where the runtime keeps it."""
    image_ref: str = ""
    """Digested reference of the image in use."""
    reason: str = ""
    message: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image the runtime has. `uid` and `username` say who runs its command."""

    id: str
    tags: Sequence[str] = ()
    digests: Sequence[str] = ()
    size_bytes: int = 0
    uid: int | None = None
    username: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class ImageCredentials:
    username: str = ""
    password: str = ""
    auth: str = ""
    server_address: str = ""
    identity_token: str = ""
    registry_token: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    stdout: bytes
    stderr: bytes
    exit_code: int


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}://{self.version}"


@dataclass(frozen=True, slots=True)
class RuntimeCondition:
    type: str
    status: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ContainerStats:
    """Usage of one container: CPU time since its start, and memory."""

    id: str
    pod_uid: str
    name: str
    timestamp: float
    cpu_nanoseconds: int
    memory_working_set_bytes: int
    rootfs_used_bytes: int = 0


class Runtime(Protocol):
    """CRI's RuntimeService and ImageService. Stopping and removing what is gone already succeeds."""

    async def version(self) -> RuntimeVersion: ...

    async def status(self) -> Sequence[RuntimeCondition]:
        """At least the conditions RuntimeReady and NetworkReady."""
        ...

    def changes(self) -> AsyncIterator[str] | None:
        """UIDs of pods in which something changed by itself; None from a runtime that must be asked by listing."""
        ...

    async def run_sandbox(self, config: SandboxConfig) -> str: ...

    async def stop_sandbox(self, sandbox_id: str) -> None: ...

    async def remove_sandbox(self, sandbox_id: str) -> None: ...

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus: ...

    async def list_sandboxes(self, pod_uid: str = "") -> Sequence[SandboxStatus]: ...

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: SandboxConfig) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, timeout_seconds: int) -> None:
        """Returns when the container has stopped: by its stop signal, or killed after the timeout."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def container_status(self, container_id: str) -> ContainerStatus: ...

    async def list_containers(self, pod_uid: str = "") -> Sequence[ContainerSummary]: ...

    async def update_resources(self, container_id: str, resources: Resources) -> None: ...

    async def reopen_log(self, container_id: str) -> None: ...

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: int) -> ExecResult:
        """Raises RuntimeFailure with code "DeadlineExceeded" when the command outlives the timeout."""
        ...

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, tty: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str: ...

    async def attach_url(self, container_id: str, *, tty: bool, stdin: bool, stdout: bool, stderr: bool) -> str: ...

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str: ...

    async def stats(self) -> Sequence[ContainerStats]: ...

    async def pull_image(self, image: str, credentials: ImageCredentials | None, sandbox: SandboxConfig | None) -> str:
        """Returns the pulled image's reference."""
        ...

    async def image_status(self, image: str) -> ImageRef | None: ...

    async def list_images(self) -> Sequence[ImageRef]: ...

    async def remove_image(self, image: str) -> None: ...

    async def close(self) -> None: ...

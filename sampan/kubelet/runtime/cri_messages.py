"""Our dataclasses to CRI messages and back."""

from __future__ import annotations

from . import cri_pb2 as pb
from .base import (
    ContainerConfig,
    ContainerStats,
    ContainerStatus,
    ContainerSummary,
    ImageCredentials,
    ImageRef,
    Namespaces,
    Profile,
    Resources,
    SandboxConfig,
    SandboxStatus,
    Security,
    State,
)

NANOSECONDS = 1_000_000_000
POD_UID_LABEL = "io.kubernetes.pod.uid"


def seconds(nanoseconds: int) -> float:
    return nanoseconds / NANOSECONDS if nanoseconds > 0 else 0.0


def _namespaces(value: Namespaces) -> pb.NamespaceOption:
    return pb.NamespaceOption(
        network=pb.NamespaceMode.Name(value.network),
        pid=pb.NamespaceMode.Name(value.pid),
        ipc=pb.NamespaceMode.Name(value.ipc),
        target_id=value.target_id,
    )


def _profile(value: Profile | None) -> pb.SecurityProfile | None:
    if value is None:
        return None
    name = pb.SecurityProfile.ProfileType.Name(value.type)
    return pb.SecurityProfile(profile_type=name, localhost_ref=value.localhost)


def _int64(value: int | None) -> pb.Int64Value | None:
    return None if value is None else pb.Int64Value(value=value)


def resources(value: Resources) -> pb.LinuxContainerResources:
    return pb.LinuxContainerResources(
        cpu_period=value.cpu_period,
        cpu_quota=value.cpu_quota,
        cpu_shares=value.cpu_shares,
        memory_limit_in_bytes=value.memory_limit_bytes,
        # Without this a limited container could use as much swap again.
        memory_swap_limit_in_bytes=value.memory_limit_bytes,
        oom_score_adj=value.oom_score_adj,
        unified=dict(value.unified),
    )


def _sandbox_security(value: Security) -> pb.LinuxSandboxSecurityContext:
    return pb.LinuxSandboxSecurityContext(
        namespace_options=_namespaces(value.namespaces),
        run_as_user=_int64(value.run_as_user),
        run_as_group=_int64(value.run_as_group),
        readonly_rootfs=value.readonly_rootfs,
        supplemental_groups=list(value.supplemental_groups),
        privileged=value.privileged,
        seccomp=_profile(value.seccomp),
        apparmor=_profile(value.apparmor),
    )


def _container_security(value: Security) -> pb.LinuxContainerSecurityContext:
    return pb.LinuxContainerSecurityContext(
        capabilities=pb.Capability(
            add_capabilities=list(value.add_capabilities), drop_capabilities=list(value.drop_capabilities)
        ),
        privileged=value.privileged,
        namespace_options=_namespaces(value.namespaces),
        run_as_user=_int64(value.run_as_user),
        run_as_username=value.run_as_username,
        run_as_group=_int64(value.run_as_group),
        readonly_rootfs=value.readonly_rootfs,
        supplemental_groups=list(value.supplemental_groups),
        no_new_privs=value.no_new_privs,
        masked_paths=list(value.masked_paths),
        readonly_paths=list(value.readonly_paths),
        seccomp=_profile(value.seccomp),
        apparmor=_profile(value.apparmor),
    )


def sandbox_config(value: SandboxConfig) -> pb.PodSandboxConfig:
    dns = value.dns
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=value.name, uid=value.uid, namespace=value.namespace, attempt=value.attempt),
        hostname=value.hostname,
        log_directory=value.log_directory,
        dns_config=None
        if dns is None
        else pb.DNSConfig(servers=list(dns.servers), searches=list(dns.searches), options=list(dns.options)),
        port_mappings=[
            pb.PortMapping(
                protocol=p.protocol or "TCP", container_port=p.container_port, host_port=p.host_port, host_ip=p.host_ip
            )
            for p in value.port_mappings
        ],
        labels=dict(value.labels),
        annotations=dict(value.annotations),
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=value.cgroup_parent, security_context=_sandbox_security(value.security), sysctls=dict(value.sysctls)
        ),
    )


def container_config(value: ContainerConfig) -> pb.ContainerConfig:
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=value.name, attempt=value.attempt),
        image=pb.ImageSpec(image=value.image, user_specified_image=value.user_specified_image),
        command=list(value.command),
        args=list(value.args),
        working_dir=value.working_dir,
        envs=[pb.KeyValue(key=k, value=v) for k, v in value.env],
        mounts=[
            pb.Mount(
                container_path=m.container_path,
                host_path=m.host_path,
                readonly=m.readonly,
                propagation=pb.MountPropagation.Name(m.propagation),
            )
            for m in value.mounts
        ],
        labels=dict(value.labels),
        annotations=dict(value.annotations),
        log_path=value.log_path,
        stdin=value.stdin,
        stdin_once=value.stdin_once,
        tty=value.tty,
        linux=pb.LinuxContainerConfig(
            resources=resources(value.resources), security_context=_container_security(value.security)
        ),
    )


def sandbox_of(item: pb.PodSandbox | pb.PodSandboxStatus, ips: tuple[str, ...] = ()) -> SandboxStatus:
    metadata = item.metadata
    return SandboxStatus(
        id=item.id,
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        attempt=metadata.attempt,
        ready=item.state == pb.SANDBOX_READY,
        created=seconds(item.created_at),
        labels=dict(item.labels),
        annotations=dict(item.annotations),
        ips=ips,
    )


def summary_of(item: pb.Container) -> ContainerSummary:
    labels = dict(item.labels)
    return ContainerSummary(
        id=item.id,
        sandbox_id=item.pod_sandbox_id,
        name=item.metadata.name,
        attempt=item.metadata.attempt,
        state=State(item.state),
        created=seconds(item.created_at),
        pod_uid=labels.get(POD_UID_LABEL, ""),
        labels=labels,
    )


def status_of(item: pb.ContainerStatus) -> ContainerStatus:
    return ContainerStatus(
        id=item.id,
        name=item.metadata.name,
        attempt=item.metadata.attempt,
        state=State(item.state),
        created=seconds(item.created_at),
        started=seconds(item.started_at),
        finished=seconds(item.finished_at),
        exit_code=item.exit_code,
        image=item.image.image,
        image_ref=item.image_ref,
        reason=item.reason,
        message=item.message,
        labels=dict(item.labels),
        annotations=dict(item.annotations),
        log_path=item.log_path,
    )


def image_of(item: pb.Image) -> ImageRef:
    return ImageRef(
        id=item.id,
        tags=tuple(item.repo_tags),
        digests=tuple(item.repo_digests),
        size_bytes=item.size,
        uid=item.uid.value if item.HasField("uid") else None,
        username=item.username,
        pinned=item.pinned,
    )


def stats_of(item: pb.ContainerStats) -> ContainerStats:
    return ContainerStats(
        id=item.attributes.id,
        pod_uid=item.attributes.labels.get(POD_UID_LABEL, ""),
        name=item.attributes.metadata.name,
        timestamp=seconds(item.cpu.timestamp),
        cpu_nanoseconds=item.cpu.usage_core_nano_seconds.value,
        memory_working_set_bytes=item.memory.working_set_bytes.value,
        rootfs_used_bytes=item.writable_layer.used_bytes.value,
    )


def credentials(value: ImageCredentials | None) -> pb.AuthConfig | None:
    if value is None:
        return None
    return pb.AuthConfig(
        username=value.username,
        password=value.password,
        auth=value.auth,
        server_address=value.server_address,
        identity_token=value.identity_token,
        registry_token=value.registry_token,
    )

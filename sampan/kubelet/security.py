"""Who a container runs as and what the kernel lets it do. Pure.

After k8s.io/kubernetes/pkg/securitycontext and kuberuntime's security_context.go.
"""

from __future__ import annotations

from sampan.api.types.core_v1 import (
    AppArmorProfile,
    Pod,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
)

from .env import ConfigError
from .labels import AnyContainer, pod_name
from .runtime.base import ImageRef, NamespaceMode, Namespaces, Profile, ProfileType, Security

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def namespaces(pod: Pod, target_id: str = "") -> Namespaces:
    spec = pod.spec
    pid = NamespaceMode.CONTAINER
    if spec.hostPID:
        pid = NamespaceMode.NODE
    elif spec.shareProcessNamespace:
        pid = NamespaceMode.POD
    elif target_id:
        pid = NamespaceMode.TARGET
    return Namespaces(
        network=NamespaceMode.NODE if spec.hostNetwork else NamespaceMode.POD,
        pid=pid,
        ipc=NamespaceMode.NODE if spec.hostIPC else NamespaceMode.POD,
        target_id=target_id if pid is NamespaceMode.TARGET else "",
    )


def _seccomp(profile: SeccompProfile | None) -> Profile:
    if profile is None or profile.type == "Unconfined":
        return Profile(ProfileType.UNCONFINED)
    if profile.type == "Localhost":
        return Profile(ProfileType.LOCALHOST, profile.localhostProfile)
    return Profile(ProfileType.RUNTIME_DEFAULT)


def _apparmor(profile: AppArmorProfile | None) -> Profile | None:
    if profile is None:
        return None
    match profile.type:
        case "Unconfined":
            return Profile(ProfileType.UNCONFINED)
        case "Localhost":
            return Profile(ProfileType.LOCALHOST, profile.localhostProfile)
    return Profile(ProfileType.RUNTIME_DEFAULT)


def _groups(context: PodSecurityContext) -> tuple[int, ...]:
    own = () if context.fsGroup is None else (context.fsGroup,)
    return tuple(dict.fromkeys((*own, *context.supplementalGroups)))


def is_privileged(container: AnyContainer) -> bool:
    return bool(container.securityContext is not None and container.securityContext.privileged)


def sandbox_security(pod: Pod) -> Security:
    context = pod.spec.securityContext or PodSecurityContext()
    containers: list[AnyContainer] = [*pod.spec.initContainers, *pod.spec.containers, *pod.spec.ephemeralContainers]
    return Security(
        namespaces=namespaces(pod),
        run_as_user=context.runAsUser,
        # CRI refuses a group without a user.
        run_as_group=context.runAsGroup if context.runAsUser is not None else None,
        supplemental_groups=_groups(context),
        privileged=any(is_privileged(c) for c in containers),
        seccomp=Profile(ProfileType.RUNTIME_DEFAULT) if context.seccompProfile is None else _seccomp(context.seccompProfile),
        apparmor=_apparmor(context.appArmorProfile),
    )


def container_security(pod: Pod, container: AnyContainer, image: ImageRef | None, target_id: str = "") -> Security:
    """Raises ConfigError where `runAsNonRoot` is broken. `image` None: the image does not matter yet."""
    context = pod.spec.securityContext or PodSecurityContext()
    own = container.securityContext or SecurityContext()
    user = own.runAsUser if own.runAsUser is not None else context.runAsUser
    group = own.runAsGroup if own.runAsGroup is not None else context.runAsGroup
    username = ""
    if image is not None:
        _check_non_root(pod, container, context, own, image)
        if user is None:
            username = image.username if image.uid is None else ""
            # An image that names nobody runs as root.
            user = None if username else image.uid or 0
    privileged = bool(own.privileged)
    capabilities = own.capabilities
    unmasked = privileged or own.procMount == "Unmasked"
    return Security(
        namespaces=namespaces(pod, target_id),
        run_as_user=user,
        run_as_username=username,
        run_as_group=group,
        supplemental_groups=_groups(context),
        privileged=privileged,
        readonly_rootfs=bool(own.readOnlyRootFilesystem),
        seccomp=_seccomp(own.seccompProfile or context.seccompProfile),
        apparmor=_apparmor(own.appArmorProfile or context.appArmorProfile),
        add_capabilities=tuple(capabilities.add) if capabilities else (),
        drop_capabilities=tuple(capabilities.drop) if capabilities else (),
        no_new_privs=own.allowPrivilegeEscalation is False,
        masked_paths=() if unmasked else MASKED_PATHS,
        readonly_paths=() if unmasked else READONLY_PATHS,
    )


def _check_non_root(
    pod: Pod, container: AnyContainer, context: PodSecurityContext, own: SecurityContext, image: ImageRef
) -> None:
    required = own.runAsNonRoot if own.runAsNonRoot is not None else context.runAsNonRoot
    if not required:
        return
    where = f'(pod: "{pod_name(pod)}", container: {container.name})'
    user = own.runAsUser if own.runAsUser is not None else context.runAsUser
    if user is not None:
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    if image.uid is None and image.username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    if not image.uid:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def sysctls(pod: Pod) -> dict[str, str]:
    context = pod.spec.securityContext
    return {s.name: s.value for s in context.sysctls} if context else {}

"""The checks of the Pod Security Standards, each in every version in which it is another one."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.podsecurity import BASELINE, RESTRICTED, LevelVersion, evaluate
from sampan.api.podsecurity.policy import LATEST
from tests.unit.admission.pods import Tree, container, pod, secured

GOOD = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
GOOD_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def detail(level: str, minor: int, given: Tree) -> str:
    return evaluate(LevelVersion(level, minor), given["metadata"], given["spec"]).detail


def annotated(given: Tree, **annotations: str) -> Tree:
    return given | {"metadata": {"annotations": annotations}}


def strict(*containers: Tree, context: Tree | None = None, **spec: Any) -> Tree:
    """A pod that breaks no rule, but for what is given."""
    made = [secured(**GOOD)] if not containers else list(containers)
    return pod(*made, securityContext=GOOD_POD | (context or {}), **spec)


def plain(context: Tree, *containers: Tree) -> Tree:
    return pod(*containers, securityContext=context)


APPARMOR = "container.apparmor.security.beta.kubernetes.io/a"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_A = "container.seccomp.security.alpha.kubernetes.io/a"
UNCONFINED = {"type": "Unconfined"}
SYSCTLS_27 = "net.ipv4.ip_local_reserved_ports"
SYSCTLS_29 = "net.ipv4.tcp_keepalive_time"
SYSCTLS_32 = "net.ipv4.tcp_rmem"


def sysctls(*names: str) -> Tree:
    return plain({"sysctls": [{"name": name, "value": "1"} for name in names]})


BASELINE_ROWS = [
    (0, pod(), ""),
    (LATEST, pod(), ""),
    # AppArmor
    (0, plain({"appArmorProfile": {"type": "RuntimeDefault"}}), ""),
    (0, annotated(pod(), **{APPARMOR: "localhost/x"}), ""),
    (0, annotated(pod(), **{APPARMOR: ""}), ""),
    (
        0,
        plain({"appArmorProfile": UNCONFINED}, secured("a", appArmorProfile=UNCONFINED), container("b")),
        'forbidden AppArmor profile (pod and container "a" must not set AppArmor profile type to "Unconfined")',
    ),
    (
        0,
        annotated(pod(secured("a", appArmorProfile=UNCONFINED)), **{APPARMOR: "unconfined"}),
        'forbidden AppArmor profiles (container "a" and annotation must not set AppArmor profile type to "Unconfined", '
        f'"{APPARMOR}="unconfined"")',
    ),
    # Capabilities
    (0, pod(secured(capabilities={"add": ["CHOWN"]})), ""),
    (
        0,
        pod(
            secured("a", capabilities={"add": ["SYS_ADMIN", "CHOWN"]}),
            initContainers=[secured("i", capabilities={"add": ["NET_RAW"]})],
            ephemeralContainers=[secured("e", capabilities={"add": ["NET_RAW"]})],
        ),
        'non-default capabilities (containers "i", "a", "e" must not include "NET_RAW", "SYS_ADMIN" in '
        "securityContext.capabilities.add)",
    ),
    # The host's namespaces, paths and ports
    (0, pod(hostNetwork=False), ""),
    (
        0,
        pod(hostNetwork=True, hostPID=True, hostIPC=True),
        "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    ),
    (0, pod(volumes=[{"name": "v", "emptyDir": {}}]), ""),
    (0, pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), 'hostPath volumes (volume "v")'),
    (
        0,
        pod(volumes=[{"name": name, "hostPath": {"path": "/"}} for name in ("v", "w")]),
        'hostPath volumes (volumes "v", "w")',
    ),
    (0, pod(container(ports=[{"containerPort": 80}])), ""),
    (0, pod(container(ports=[{"containerPort": 80, "hostPort": 80}])), 'hostPort (container "a" uses hostPort 80)'),
    (
        0,
        pod(*(container(name, ports=[{"containerPort": n, "hostPort": n} for n in (9, 80)]) for name in ("a", "b"))),
        'hostPort (containers "a", "b" use hostPorts 80, 9)',
    ),
    # Privileged
    (0, pod(secured(privileged=False)), ""),
    (0, pod(secured(privileged=True)), 'privileged (container "a" must not set securityContext.privileged=true)'),
    # /proc
    (0, pod(secured(procMount="Default")), ""),
    (
        0,
        pod(secured(procMount="Unmasked")),
        'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ),
    # SELinux
    (0, plain({"seLinuxOptions": {"type": "container_t", "level": "s0"}}), ""),
    (
        0,
        plain({"seLinuxOptions": {"type": "x", "user": "u"}}, secured("a", seLinuxOptions={"type": "y", "role": "r"})),
        'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: types "x", "y"; '
        "user may not be set; role may not be set)",
    ),
    (
        30,
        plain({"seLinuxOptions": {"type": "container_engine_t"}}),
        'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
    ),
    (31, plain({"seLinuxOptions": {"type": "container_engine_t"}}), ""),
    # seccomp: by annotation, later by field
    (18, annotated(pod(), **{SECCOMP: "runtime/default", SECCOMP_A: "localhost/x"}), ""),
    (
        18,
        annotated(pod(), **{SECCOMP: "unconfined", SECCOMP_A: "unconfined", f"{SECCOMP_A}b": "unconfined"}),
        f'seccompProfile (forbidden annotations {SECCOMP_A}="unconfined", {SECCOMP}="unconfined")',
    ),
    (18, plain({"seccompProfile": UNCONFINED}), ""),
    (19, annotated(pod(), **{SECCOMP: "unconfined"}), ""),
    (
        19,
        plain({"seccompProfile": UNCONFINED}, secured("a", seccompProfile={"type": "Odd"})),
        'seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to "Odd", "Unconfined")',
    ),
    # Sysctls
    (0, sysctls("kernel.shm_rmid_forced"), ""),
    (0, sysctls("kernel.msgmax", "net.ipv4.tcp_syncookies", "vm.x"), "forbidden sysctls (kernel.msgmax, vm.x)"),
    (26, sysctls(SYSCTLS_27), f"forbidden sysctls ({SYSCTLS_27})"),
    (27, sysctls(SYSCTLS_27), ""),
    (28, sysctls(SYSCTLS_29), f"forbidden sysctls ({SYSCTLS_29})"),
    (29, sysctls(SYSCTLS_29), ""),
    (31, sysctls(SYSCTLS_32), f"forbidden sysctls ({SYSCTLS_32})"),
    (32, sysctls(SYSCTLS_32), ""),
    (LATEST, sysctls(SYSCTLS_32), ""),
    # Windows
    (0, plain({"windowsOptions": {"hostProcess": False}}), ""),
    (
        0,
        plain({"windowsOptions": {"hostProcess": True}}, secured("a", windowsOptions={"hostProcess": True})),
        'hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    ),
    # What the restricted level asks for is not asked for here.
    (LATEST, plain({"runAsUser": 0}), ""),
    # Several at once, by the names of the checks.
    (
        LATEST,
        pod(secured(privileged=True), hostPID=True),
        'host namespaces (hostPID=true), privileged (container "a" must not set securityContext.privileged=true)',
    ),
]


@pytest.mark.parametrize(("minor", "given", "expected"), BASELINE_ROWS)
def test_the_baseline(minor: int, given: Tree, expected: str) -> None:
    assert detail(BASELINE, minor, given) == expected


ESCALATION = 'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)'
DROP = 'container "a" must set securityContext.capabilities.drop=["ALL"]'
PROFILE = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
WINDOWS = {"os": {"name": "windows"}}

RESTRICTED_ROWS = [
    (LATEST, strict(), ""),
    # Escalation, since v1.8; not of Windows since v1.25
    (8, strict(secured(capabilities=GOOD["capabilities"])), ESCALATION),
    (8, strict(secured(capabilities=GOOD["capabilities"], allowPrivilegeEscalation=True)), ESCALATION),
    (7, strict(secured(capabilities=GOOD["capabilities"])), ""),
    (24, strict(secured(capabilities=GOOD["capabilities"]), **WINDOWS), ESCALATION),
    (25, strict(secured(capabilities=GOOD["capabilities"]), **WINDOWS), ""),
    # Capabilities, since v1.22, in place of the baseline's
    (21, strict(secured(allowPrivilegeEscalation=False)), ""),
    (
        21,
        strict(secured(allowPrivilegeEscalation=False, capabilities={"add": ["SYS_TIME"]})),
        'non-default capabilities (container "a" must not include "SYS_TIME" in securityContext.capabilities.add)',
    ),
    (22, strict(secured(allowPrivilegeEscalation=False)), f"unrestricted capabilities ({DROP})"),
    (22, strict(secured(**GOOD | {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}})), ""),
    (
        22,
        strict(secured(allowPrivilegeEscalation=False, capabilities={"drop": ["KILL"], "add": ["CHOWN", "BPF"]})),
        f'unrestricted capabilities ({DROP}; container "a" must not include "BPF", "CHOWN" in '
        "securityContext.capabilities.add)",
    ),
    (24, strict(secured(allowPrivilegeEscalation=False), **WINDOWS), f"unrestricted capabilities ({DROP})"),
    (25, strict(secured(allowPrivilegeEscalation=False), **WINDOWS), ""),
    # Volumes, in place of the baseline's
    (0, strict(volumes=[{"name": "v", source: {}} for source in ("configMap", "csi", "downwardAPI", "emptyDir")]), ""),
    (0, strict(volumes=[{"name": "v", source: {}} for source in ("ephemeral", "image", "projected", "secret")]), ""),
    (0, strict(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]), ""),
    (
        0,
        strict(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ),
    (
        0,
        strict(volumes=[{"name": "v", "nfs": {}}, {"name": "w", "iscsi": {}}, {"name": "x", "odd": {}}]),
        'restricted volume types (volumes "v", "w", "x" use restricted volume types "iscsi", "nfs", "unknown")',
    ),
    # Not as root
    (
        0,
        strict(context={"runAsNonRoot": None}),
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    ),
    (0, strict(secured(**GOOD, runAsNonRoot=True), context={"runAsNonRoot": None}), ""),
    (
        0,
        strict(secured("a", **GOOD), secured("b", **GOOD, runAsNonRoot=False), context={"runAsNonRoot": False}),
        'runAsNonRoot != true (pod and container "b" must not set securityContext.runAsNonRoot=false)',
    ),
    (22, strict(context={"runAsUser": 0}), ""),
    (
        23,
        strict(secured(**GOOD, runAsUser=0), context={"runAsUser": 0}),
        'runAsUser=0 (pod and container "a" must not set runAsUser=0)',
    ),
    (23, strict(secured(**GOOD, runAsUser=1), context={"runAsUser": 1}), ""),
    # seccomp, since v1.19, in place of the baseline's
    (18, strict(context={"seccompProfile": None}), ""),
    (19, strict(context={"seccompProfile": None}), f'seccompProfile (pod or container "a" {PROFILE})'),
    (
        19,
        strict(secured(**GOOD, seccompProfile={"type": "Localhost"}), context={"seccompProfile": None}),
        "",
    ),
    (
        19,
        strict(secured(**GOOD, seccompProfile=UNCONFINED)),
        'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (24, strict(context={"seccompProfile": None}, **WINDOWS), f'seccompProfile (pod or container "a" {PROFILE})'),
    (25, strict(context={"seccompProfile": None}, **WINDOWS), ""),
    # The baseline holds, too, and comes first.
    (
        LATEST,
        strict(context={"runAsNonRoot": None}, hostNetwork=True),
        "host namespaces (hostNetwork=true), runAsNonRoot != true "
        '(pod or container "a" must set securityContext.runAsNonRoot=true)',
    ),
]


@pytest.mark.parametrize(("minor", "given", "expected"), RESTRICTED_ROWS)
def test_the_restricted_level(minor: int, given: Tree, expected: str) -> None:
    assert detail(RESTRICTED, minor, given) == expected


def test_an_ordinary_pod_is_told_all_that_the_restricted_level_misses() -> None:
    assert detail(RESTRICTED, LATEST, pod(container("web"))) == (
        'allowPrivilegeEscalation != false (container "web" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "web" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "web" must set securityContext.runAsNonRoot=true), '
        f'seccompProfile (pod or container "web" {PROFILE})'
    )
    assert evaluate(LevelVersion(RESTRICTED), {}, pod()["spec"]).reason == (
        "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
    )

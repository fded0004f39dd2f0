"""A pod's host name and its hosts file. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.types.core_v1 import HostAlias, Pod

MAX_HOSTNAME = 63

HEADER = "# Kubernetes-managed hosts file.\n"
HOST_NETWORK_HEADER = "# Kubernetes-managed hosts file (host network).\n"
LOCAL = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


class HostnameError(Exception):
    """The name is too long to be a host name."""


def hostname_and_domain(pod: Pod, cluster_domain: str) -> tuple[str, str]:
    """(short name, domain or ""). The domain is there where the pod names a subdomain."""
    hostname = pod.spec.hostname or pod.metadata.name[:MAX_HOSTNAME].rstrip("-.")
    domain = f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}" if pod.spec.subdomain else ""
    return hostname, domain


def sandbox_hostname(pod: Pod, cluster_domain: str) -> str:
    """What the kernel is told; the full name only where `setHostnameAsFQDN` asks for it."""
    hostname, domain = hostname_and_domain(pod, cluster_domain)
    if pod.spec.setHostnameAsFQDN and domain:
        full = f"{hostname}.{domain}"
        if len(full) > MAX_HOSTNAME + 1:
            raise HostnameError(
                f'failed to construct FQDN from pod hostname and cluster domain, FQDN "{full}" is too long '
                f"({MAX_HOSTNAME + 1} characters is the max, {len(full)} characters requested)"
            )
        return full
    return hostname


def hosts_file(pod: Pod, ips: Sequence[str], cluster_domain: str, host_file: str) -> str:
    """`host_file` is the node's own, which a pod on the host's network keeps."""
    if pod.spec.hostNetwork:
        return HOST_NETWORK_HEADER + host_file + _aliases(pod.spec.hostAliases)
    hostname, domain = hostname_and_domain(pod, cluster_domain)
    names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
    lines = "".join(f"{ip}\t{names}\n" for ip in ips)
    return HEADER + LOCAL + lines + _aliases(pod.spec.hostAliases)


def _aliases(aliases: Sequence[HostAlias]) -> str:
    if not aliases:
        return ""
    return "\n# Entries added by HostAliases.\n" + "".join(f"{a.ip}\t" + "\t".join(a.hostnames) + "\n" for a in aliases)

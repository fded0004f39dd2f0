"""The DNS configuration of a pod. Pure but for reading the host's own resolv.conf.

After k8s.io/kubernetes/pkg/kubelet/network/dns.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sampan.api.types.core_v1 import Pod

from .runtime.base import DNSConfig

MAX_SERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048
CLUSTER_OPTIONS = ("ndots:5",)


def parse(text: str) -> DNSConfig:
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith(("#", ";")):
            continue
        match words[0]:
            case "nameserver" if len(words) > 1:
                servers.append(words[1])
            case "search" | "domain":
                # The last search line wins.
                searches = [w.removesuffix(".") if w != "." else w for w in words[1:]]
            case "options":
                options = words[1:]
    return DNSConfig(tuple(servers), tuple(searches), tuple(options))


def of_host(path: str) -> DNSConfig:
    try:
        return parse(Path(path).read_text())
    except OSError:
        return DNSConfig()


def pod_dns(pod: Pod, *, cluster_dns: Iterable[str], cluster_domain: str, host: DNSConfig) -> DNSConfig:
    policy = pod.spec.dnsPolicy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.hostNetwork:
        policy = "Default"
    servers = list(cluster_dns)
    if policy == "None":
        made = DNSConfig()
    elif policy == "Default" or not servers:
        made = host
    else:
        namespace = pod.metadata.namespace
        domains = [f"{namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain] if cluster_domain else []
        made = DNSConfig(tuple(servers), _unique([*domains, *host.searches]), CLUSTER_OPTIONS)
    return _limited(_with_own(made, pod))


def _with_own(made: DNSConfig, pod: Pod) -> DNSConfig:
    own = pod.spec.dnsConfig
    if own is None:
        return made
    options: dict[str, str] = {}
    for option in made.options:
        name, _, value = option.partition(":")
        options[name] = value
    for given in own.options:
        options[given.name] = given.value
    return DNSConfig(
        _unique([*made.servers, *own.nameservers]),
        _unique([*made.searches, *own.searches]),
        tuple(f"{name}:{value}" if value else name for name, value in options.items()),
    )


def _limited(made: DNSConfig) -> DNSConfig:
    searches: list[str] = []
    length = 0
    for search in made.searches[:MAX_SEARCHES]:
        length += len(search) + (1 if searches else 0)
        if length > MAX_SEARCH_CHARACTERS:
            break
        searches.append(search)
    return DNSConfig(tuple(made.servers[:MAX_SERVERS]), tuple(searches), made.options)


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v for v in values if v))

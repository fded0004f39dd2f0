"""Service rules as an nftables table named `kube-proxy`, as upstream's nftables mode names it.

A packet finds its service by one look-up in a verdict map, whatever the number of services, and its endpoint by one
random number in an anonymous map, so the first packet's cost is flat. Where a service wants session affinity each endpoint
has a chain and a set of the clients that it holds. Hairpin traffic (a pod reaching itself through a service) is told by
a set of address pairs, and masqueraded like the traffic that came from outside the pod network.

Background: https://kubernetes.io/blog/2025/02/28/nftables-kube-proxy/.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from sampan.lib.command import CommandError, run_command
from sampan.proxy.backends.base import BackendError
from sampan.proxy.backends.ruleset import Ruleset, create, update
from sampan.proxy.model import Address, PortRules

TABLE = "kube-proxy"
MASQUERADE_MARK = "0x4000"
MARK = f"meta mark set meta mark or {MASQUERADE_MARK}"
NFT_TIMEOUT_SECONDS = 30.0


class NFTables:
    """The `Backend` that speaks to the kernel through `nft -f -`, in the network namespace of this process."""

    def __init__(self, *, cluster_cidr: str, service_cidr: str, table: str = TABLE, nft: str = "nft") -> None:
        self._cluster_cidr = cluster_cidr
        self._service_cidr = service_cidr
        self._table = table
        self._nft = nft
        self._applied: Ruleset | None = None

    async def sync(self, rules: Mapping[str, PortRules]) -> None:
        wanted = render(rules.values(), cluster_cidr=self._cluster_cidr, service_cidr=self._service_cidr)
        applied, self._applied = self._applied, None
        script = create(self._table, wanted) if applied is None else update(self._table, applied, wanted)
        if script:
            await self._run(script)
        # Only a transaction that went through is what the next one starts from; after a failure the table is made anew.
        self._applied = wanted

    async def cleanup(self) -> None:
        self._applied = None
        await self._run(f"add table ip {self._table}\ndelete table ip {self._table}\n")

    async def _run(self, script: str) -> None:
        try:
            await run_command([self._nft, "-f", "-"], script, deadline_seconds=NFT_TIMEOUT_SECONDS)
        except CommandError as error:
            raise BackendError(str(error)) from error


def render(rules: Iterable[PortRules], *, cluster_cidr: str, service_cidr: str) -> Ruleset:
    """The whole table for these rules."""
    ruleset = _frame(service_cidr)
    for port in rules:
        _add_port(ruleset, port, cluster_cidr)
    return ruleset


def _frame(service_cidr: str) -> Ruleset:
    """The part that does not depend on services: hooks, and the maps that services add their elements to."""
    by_ip = "type ipv4_addr . inet_proto . inet_service : verdict;"
    by_port = "type inet_proto . inet_service : verdict;"
    to_node_port = "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap"
    check = ("ct state new jump endpoints-check",)
    return Ruleset(
        sets={
            "service-ips": f"map {{ {by_ip} }}",
            "service-nodeports": f"map {{ {by_port} }}",
            "no-endpoint-services": f"map {{ {by_ip} }}",
            "no-endpoint-nodeports": f"map {{ {by_port} }}",
            "cluster-ips": "set { type ipv4_addr; }",
            "hairpin": "set { type ipv4_addr . ipv4_addr; }",
        },
        chains={
            "reject-chain": ("reject",),
            "services": (
                "ip daddr . meta l4proto . th dport vmap @service-ips",
                f"{to_node_port} @service-nodeports",
            ),
            "endpoints-check": (
                "ip daddr . meta l4proto . th dport vmap @no-endpoint-services",
                f"{to_node_port} @no-endpoint-nodeports",
                "ip daddr @cluster-ips reject",
                f"ip daddr {service_cidr} drop",
            ),
            "nat-prerouting": ("type nat hook prerouting priority dstnat;", "jump services"),
            "nat-output": ("type nat hook output priority -100;", "jump services"),
            "nat-postrouting": (
                "type nat hook postrouting priority srcnat;",
                "ct status dnat ip saddr . ip daddr @hairpin masquerade",
                f"meta mark and {MASQUERADE_MARK} != 0 jump masquerading",
            ),
            # The mark is taken off again, so that an encapsulated packet is not masqueraded a second time.
            "masquerading": (f"meta mark set meta mark xor {MASQUERADE_MARK}", "masquerade fully-random"),
            "filter-input": ("type filter hook input priority filter;", *check),
            "filter-forward": ("type filter hook forward priority filter;", *check),
            "filter-output": ("type filter hook output priority filter;", *check),
        },
    )


def _add_port(ruleset: Ruleset, port: PortRules, cluster_cidr: str) -> None:
    digest = hashlib.sha256(f"{port.name}/{port.protocol}".encode()).hexdigest()[:16]
    ruleset.elements["cluster-ips", port.cluster_ip] = ""
    for ip, _ in (*port.internal, *port.external):
        ruleset.elements["hairpin", f"{ip} . {ip}"] = ""
    cluster_key = f"{port.cluster_ip} . {port.protocol} . {port.port}"
    if port.internal:
        chain = f"service-{digest}"
        from_outside = f"ip daddr {port.cluster_ip} ip saddr != {cluster_cidr} {MARK}"
        ruleset.chains[chain] = (from_outside, *_balance(ruleset, port, port.internal, digest))
        ruleset.elements["service-ips", cluster_key] = f"goto {chain}"
    else:
        ruleset.elements["no-endpoint-services", cluster_key] = "drop" if port.drop_internal else "goto reject-chain"
    _add_external(ruleset, port, cluster_cidr, digest)


def _add_external(ruleset: Ruleset, port: PortRules, cluster_cidr: str, digest: str) -> None:
    """Node port and external IPs."""
    keys = [("ips", "services", f"{ip} . {port.protocol} . {port.port}") for ip in port.external_ips]
    if port.node_port:
        keys.append(("nodeports", "nodeports", f"{port.protocol} . {port.node_port}"))
    if not keys:
        return
    chain = f"external-{digest}"
    if port.external:
        source: tuple[str, ...] = (MARK,)
        if port.local_only:
            # Pods and the node itself are inside: for them, a Local policy does not narrow the choice.
            inside = f"goto service-{digest}" if port.internal else "accept"
            source = (f"ip saddr {cluster_cidr} {inside}", f"fib saddr type local {MARK}")
        ruleset.chains[chain] = (*source, *_balance(ruleset, port, port.external, digest))
    for with_endpoints, without, key in keys:
        if port.external:
            ruleset.elements[f"service-{with_endpoints}", key] = f"goto {chain}"
        else:
            ruleset.elements[f"no-endpoint-{without}", key] = "drop" if port.drop_external else "goto reject-chain"


def _balance(ruleset: Ruleset, port: PortRules, endpoints: Sequence[Address], digest: str) -> list[str]:
    """Rules that send a connection to one of the endpoints, each with the same chance."""
    to = f"meta l4proto {port.protocol} dnat ip to"
    if not port.affinity_seconds:
        if len(endpoints) == 1:
            return [f"{to} {endpoints[0][0]}:{endpoints[0][1]}"]
        choices = ", ".join(f"{i} : {ip} . {number}" for i, (ip, number) in enumerate(endpoints))
        return [f"{to} numgen random mod {len(endpoints)} map {{ {choices} }}"]
    chains = []
    known = []
    for ip, number in endpoints:
        name = f"{digest}-{ip}-{number}"
        # The time is part of the name: a set cannot change its timeout, so another time takes another set.
        held = f"affinity-{name}-{port.affinity_seconds}"
        ruleset.sets[held] = f"set {{ type ipv4_addr; flags dynamic,timeout; timeout {port.affinity_seconds}s; }}"
        ruleset.chains[f"endpoint-{name}"] = (f"update @{held} {{ ip saddr }}", f"{to} {ip}:{number}")
        known.append(f"ip saddr @{held} goto endpoint-{name}")
        chains.append(f"goto endpoint-{name}")
    choices = ", ".join(f"{i} : {verdict}" for i, verdict in enumerate(chains))
    return [*known, f"numgen random mod {len(chains)} vmap {{ {choices} }}"]

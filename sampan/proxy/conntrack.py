"""Forgetting connection-tracking entries of UDP endpoints that went away.

NAT decides once per connection, and a UDP "connection" lives as long as packets keep coming: a client that keeps its
source port (a resolver, say) would be sent to a dead endpoint for ever. TCP ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sampan.lib.command import CommandError, run_command
from sampan.lib.log import get_logger
from sampan.proxy.model import PortRules

CONNTRACK_TIMEOUT_SECONDS = 10.0

log = get_logger("proxy")


def stale_flows(before: Mapping[str, PortRules], after: Mapping[str, PortRules]) -> Iterator[tuple[str, ...]]:
    """Filters, as arguments of `conntrack -D`, for the entries that the step from `before` to `after` makes stale."""
    for key, old in before.items():
        if old.protocol != "udp":
            continue
        new = after.get(key)
        kept = {*new.internal, *new.external} if new else set()
        for ip, port in sorted({*old.internal, *old.external} - kept):
            yield ("-p", "udp", "--dport", str(old.port), "--orig-dst", old.cluster_ip, "--dst-nat", ip)
            if old.node_port:
                yield ("-p", "udp", "--orig-port-dst", str(old.node_port), "--dst-nat", f"{ip}:{port}")
    for key, new in after.items():
        was = before.get(key)
        # Packets sent while nobody listened left entries without NAT that would keep missing the new endpoints.
        if new.protocol == "udp" and new.internal and (was is None or not was.internal):
            yield ("-p", "udp", "--dport", str(new.port), "--orig-dst", new.cluster_ip)


async def forget_stale_udp(before: Mapping[str, PortRules], after: Mapping[str, PortRules]) -> None:
    for arguments in stale_flows(before, after):
        await _delete(arguments)


async def _delete(arguments: tuple[str, ...]) -> None:
    try:
        await run_command(["conntrack", "-D", *arguments], deadline_seconds=CONNTRACK_TIMEOUT_SECONDS)
    except CommandError as error:
        if error.code != 1:  # 1 says that no entry matched, which is the usual case
            log.warning("stale UDP flows live until they time out", error=str(error))

"""The node network: a bridge on the host, a network namespace and a cable for each node, and rules that keep packets in.

    host ──── sampan-br0 10.89.0.1 ──┬── veth ── eth0 10.89.0.2 in netns sampan-default-node-1
                                     └── veth ── eth0 10.89.0.3 in netns sampan-default-node-2

Service and pod networks exist inside the node namespaces only, the same in every cluster; the agent makes their routes there
(`sampan/network`). What leaks from a node with a service's or pod's address on it dies on the host, by the cluster's own table.
"""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Network, ip_interface
from pathlib import Path

from sampan.cmd.cluster import firewall
from sampan.cmd.cluster.plan import POD_CIDR, RUN_ROOT, SERVICE_CIDR, ClusterPlan, NodePlan, make_private
from sampan.cmd.cluster.shell import ClusterError, attempt, run

IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
IP_FORWARD_BEFORE = RUN_ROOT / "ip_forward.before"
NETNS_DIR = Path("/run/netns")
MODULES = ("bridge", "veth", "br_netfilter", "overlay", "nf_tables")


def host_commands(plan: ClusterPlan) -> list[str]:
    """`ip -batch` lines that make the bridge."""
    return [
        f"link add {plan.bridge} type bridge",
        f"link set {plan.bridge} alias {alias(plan)} addrgenmode none",
        f"addr add {plan.host_ip}/{plan.network.prefixlen} dev {plan.bridge}",
        f"link set {plan.bridge} up",
    ]


def cable_commands(plan: ClusterPlan, node: NodePlan) -> list[str]:
    return [
        f"link add {node.veth} type veth peer name eth0 netns {node.netns}",
        f"link set {node.veth} alias {alias(plan)} addrgenmode none",
        f"link set {node.veth} master {plan.bridge} up",
    ]


def node_commands(plan: ClusterPlan, node: NodePlan) -> list[str]:
    """`ip -n NETNS -batch` lines that give the node its address and routes."""
    outside = "unreachable default" if plan.isolated else f"default via {plan.host_ip}"
    return [
        "link set lo up",
        "link set eth0 addrgenmode none",
        f"addr add {node.ip}/{plan.network.prefixlen} dev eth0",
        "link set eth0 up",
        f"route add {outside}",
    ]


def host_rules(plan: ClusterPlan) -> str:
    """The cluster's nftables table on the host. `oifname` other than the bridge spares what the bridge passes between nodes,
    which br_netfilter shows to these hooks too."""
    leaving = f'iifname "{plan.bridge}" oifname != "{plan.bridge}"'
    isolation = f"{leaving} drop" if plan.isolated else f"{leaving} ip daddr {{ {SERVICE_CIDR}, {POD_CIDR} }} drop"
    nat = ""
    if not plan.isolated:
        nat = (
            "chain postrouting { type nat hook postrouting priority srcnat; policy accept; "
            f'ip saddr {plan.network} ip daddr != {plan.network} oifname != "{plan.bridge}" masquerade; }}'
        )
    return f"""
        table inet {plan.table} {{}}
        delete table inet {plan.table}
        table inet {plan.table} {{
            chain forward {{ type filter hook forward priority filter; policy accept; {isolation}; }}
            {nat}
        }}
    """


NODE_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    # Service traffic between two pods of one node crosses their bridge; the answer must pass netfilter to be translated back.
    "net/bridge/bridge-nf-call-iptables": "1",
}


def alias(plan: ClusterPlan) -> str:
    """Marks the cluster's interfaces, so that `down` finds them when the plan is lost."""
    return f"sampan:{plan.name}"


def load_modules() -> None:
    """Ask for the kernel modules; where they are built in, or modprobe is missing, what needs them says so itself."""
    if Path("/sys/module/br_netfilter").exists() and Path("/sys/module/bridge").exists():
        return
    try:
        attempt(["modprobe", "-a", *MODULES])
    except ClusterError:
        return


def taken_networks() -> list[IPv4Network]:
    """IPv4 networks of this machine's interfaces."""
    links = json.loads(run(["ip", "-j", "-4", "addr", "show"]))
    infos = [info for link in links for info in link.get("addr_info", []) if info.get("local")]
    return [ip_interface(f"{info['local']}/{info['prefixlen']}").network for info in infos]  # type: ignore[misc]


def make_bridge(plan: ClusterPlan) -> None:
    """The bridge with its address, rules and forwarding; what is there is left alone."""
    if not _link_exists(plan.bridge):
        _batch(host_commands(plan))
    run(["nft", "-f", "-"], input_text=host_rules(plan))
    firewall.let_through(plan)
    if not plan.isolated:
        _switch_forwarding_on()


def make_node(plan: ClusterPlan, node: NodePlan) -> bool:
    """The node's namespace and cable; whether it had to be made."""
    if is_intact(node):
        return False
    remove_node(node)
    run(["ip", "netns", "add", node.netns])
    _batch(cable_commands(plan, node))
    _batch(node_commands(plan, node), netns=node.netns)
    writes = "".join(f"[ ! -e /proc/sys/{name} ] || echo {value} > /proc/sys/{name}\n" for name, value in NODE_SYSCTLS.items())
    run([*enter(node), "sh", "-ec", writes])
    return True


def enter(node: NodePlan) -> list[str]:
    """Prefix of a command that runs in the node. Not `ip netns exec`: that remounts /sys, and runc finds no cgroups there."""
    return ["nsenter", f"--net={node.netns_path}", "--"]


def is_intact(node: NodePlan) -> bool:
    return _is_namespace(node.netns_path) and _link_exists(node.veth)


def _is_namespace(path: Path) -> bool:
    """A namespace's file is a mount; what is left when the mount is gone is an empty file of the directory's own device."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def remove_node(node: NodePlan) -> None:
    if _link_exists(node.veth):
        attempt(["ip", "link", "del", node.veth])
    _delete_netns(node.netns)


def remove(name: str, plan: ClusterPlan | None) -> None:
    """Everything of cluster `name` in the host's network, found by its names and marks, with or without its plan."""
    for link in _links_of(name):
        attempt(["ip", "link", "del", link])
    for netns in _netns_of(name):
        _delete_netns(netns)
    if NETNS_DIR.is_dir() and not any(NETNS_DIR.iterdir()):
        # `ip netns add` mounts the directory on itself, once; the last namespace takes that with it.
        attempt(["umount", str(NETNS_DIR)])
    table = plan.table if plan else "sampan_" + name.replace("-", "_")
    if table in tables():
        run(["nft", "delete", "table", "inet", table])
    firewall.remove(name)
    _restore_forwarding()


def remains(name: str) -> list[str]:
    """What of cluster `name` is left in the host's network."""
    table = "sampan_" + name.replace("-", "_")
    left = [f"interface {link}" for link in _links_of(name)] + [f"network namespace {netns}" for netns in _netns_of(name)]
    left += [f"nftables table {found}" for found in tables() if found == table]
    return left + [f"iptables rule {rule}" for rule in firewall.rules_of(name)]


def tables() -> list[str]:
    """Names of the machine's nftables tables."""
    found = json.loads(run(["nft", "-j", "list", "tables"]) or "{}").get("nftables", [])
    return [item["table"]["name"] for item in found if "table" in item]


def _links_of(name: str) -> list[str]:
    found = []
    for entry in sorted(os.listdir("/sys/class/net")):
        try:
            marked = Path(f"/sys/class/net/{entry}/ifalias").read_text().strip() == f"sampan:{name}"
        except OSError:
            continue
        if marked:
            found.append(entry)
    return found


def _netns_of(name: str) -> list[str]:
    prefix = f"sampan-{name}-node-"
    if not NETNS_DIR.is_dir():
        return []
    return sorted(entry for entry in os.listdir(NETNS_DIR) if entry.startswith(prefix) and entry[len(prefix) :].isdigit())


def _delete_netns(netns: str) -> None:
    path = NETNS_DIR / netns
    if path.exists() and attempt(["ip", "netns", "del", netns]).returncode != 0:
        path.unlink(missing_ok=True)


def _link_exists(name: str) -> bool:
    return Path(f"/sys/class/net/{name}").exists()


def _batch(commands: list[str], *, netns: str = "") -> None:
    run(["ip", *(["-n", netns] if netns else []), "-batch", "-"], input_text="\n".join(commands) + "\n")


def _switch_forwarding_on() -> None:
    before = IP_FORWARD.read_text().strip()
    if before == "1":
        return
    make_private(RUN_ROOT)
    if not IP_FORWARD_BEFORE.exists():
        IP_FORWARD_BEFORE.write_text(before)
    IP_FORWARD.write_text("1")


def _restore_forwarding() -> None:
    """Put the machine's own setting back once no cluster needs forwarding."""
    if IP_FORWARD_BEFORE.exists() and not any(table.startswith("sampan_") for table in tables()):
        IP_FORWARD.write_text(IP_FORWARD_BEFORE.read_text())
        IP_FORWARD_BEFORE.unlink()

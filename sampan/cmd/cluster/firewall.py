"""Getting along with a host whose iptables drops what it forwards, as Docker sets it up.

An accept in our own nftables table cannot undo a drop in another, so the cluster's bridge is let through there, in the chain
that drops, by rules that carry the cluster's name and go with it.
"""

from __future__ import annotations

import shlex

from sampan.cmd.cluster.plan import ClusterPlan
from sampan.cmd.cluster.shell import ClusterError, attempt, run


def let_through(plan: ClusterPlan) -> bool:
    """Accept forwarding from and to the bridge if the chain's policy is to drop; whether it was needed."""
    rules = _forward_rules()
    if "-P FORWARD DROP" not in rules:
        return False
    for direction in ("-i", "-o"):
        rule = [direction, plan.bridge, "-m", "comment", "--comment", _mark(plan.name), "-j", "ACCEPT"]
        if attempt(["iptables", "-C", "FORWARD", *rule]).returncode != 0:
            run(["iptables", "-I", "FORWARD", *rule])
    return True


def remove(name: str) -> None:
    for rule in rules_of(name):
        run(["iptables", *_deletion(rule)])


def rules_of(name: str) -> list[str]:
    """The cluster's rules in the FORWARD chain, as iptables-save writes them."""
    return [rule for rule in _forward_rules() if _mark(name) in shlex.split(rule)]


def _deletion(rule: str) -> list[str]:
    return ["-D", *shlex.split(rule)[1:]]


def _mark(name: str) -> str:
    return f"sampan:{name}"


def _forward_rules() -> list[str]:
    """Empty where there is no iptables or it cannot be asked: then it drops nothing, either."""
    try:
        result = attempt(["iptables", "-w", "5", "-S", "FORWARD"])
    except ClusterError:
        return []
    return result.stdout.splitlines() if result.returncode == 0 else []

"""An nftables table as a value, and the transaction that turns one value into another.

Keeping the table as data makes updates incremental: only chains, sets and map elements that differ appear in the
transaction, which `nft -f` applies whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ruleset:
    """The contents of one table of family `ip`."""

    sets: dict[str, str] = field(default_factory=dict)
    """Name → declaration ("map" or "set" and the braces' content), such as "set { type ipv4_addr; }"."""
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name → rules; a first line that begins with "type " declares a base chain's hook."""
    elements: dict[tuple[str, str], str] = field(default_factory=dict)
    """(set, key) → value of a map's element, "" in a plain set."""


def create(table: str, ruleset: Ruleset) -> str:
    """The transaction that replaces whatever the table holds."""
    lines = [f"add table ip {table}", f"delete table ip {table}", f"add table ip {table}"]
    return "\n".join([*lines, *_changes(table, Ruleset(), ruleset)]) + "\n"


def update(table: str, old: Ruleset, new: Ruleset) -> str:
    """The transaction from `old` to `new`; "" when they are equal."""
    lines = list(_changes(table, old, new))
    return "\n".join(lines) + "\n" if lines else ""


def _changes(table: str, old: Ruleset, new: Ruleset) -> Iterator[str]:
    for name in sorted(new.sets.keys() - old.sets.keys()):
        kind, _, body = new.sets[name].partition(" ")
        yield f"add {kind} ip {table} {name} {body}"
    changed = [name for name in sorted(new.chains) if old.chains.get(name) != new.chains[name]]
    # Every chain exists before any rule, since rules and verdict maps refer to chains.
    for name in changed:
        rules = new.chains[name]
        hook = f" {{ {rules[0]} }}" if rules and rules[0].startswith("type ") else ""
        yield f"add chain ip {table} {name}{hook}"
        if name in old.chains:
            yield f"flush chain ip {table} {name}"
    for name in changed:
        for rule in new.chains[name]:
            if not rule.startswith("type "):
                yield f"add rule ip {table} {name} {rule}"
    yield from _element_lines(table, "delete", _missing(old.elements, new.elements))
    yield from _element_lines(table, "add", _missing(new.elements, old.elements))
    gone = sorted(old.chains.keys() - new.chains.keys())
    # Flushed before any is deleted: a chain that another still jumps to cannot go.
    for name in gone:
        yield f"flush chain ip {table} {name}"
    for name in gone:
        yield f"delete chain ip {table} {name}"
    for name in sorted(old.sets.keys() - new.sets.keys()):
        yield f"delete {old.sets[name].partition(' ')[0]} ip {table} {name}"


def _missing(these: Mapping[tuple[str, str], str], those: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """By set: the elements of `these` that `those` lacks or holds with another value."""
    found: dict[str, list[str]] = {}
    for (name, key), value in these.items():
        if those.get((name, key)) != value:
            found.setdefault(name, []).append(f"{key} : {value}" if value else key)
    return found


def _element_lines(table: str, verb: str, by_set: dict[str, list[str]]) -> Iterator[str]:
    for name in sorted(by_set):
        yield f"{verb} element ip {table} {name} {{ {', '.join(sorted(by_set[name]))} }}"

"""Whether what a test waits for has come, and what to say when it has not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from sampan.testing.apply import LAST_APPLIED

Tree = dict[str, Any]
Condition = str | Callable[[Tree], object]

DELETE = "delete"
ROLLOUT = "rollout"


class WaitTimeout(AssertionError):
    """What was waited for did not happen in time; the message shows the object as it was last seen, and its events."""


def holds(tree: Tree, condition: Condition) -> tuple[bool, str]:
    """(whether, why not). A function of the object that looks for what is not there yet has no answer yet."""
    if callable(condition):
        try:
            return bool(condition(tree)), ""
        except (LookupError, TypeError, AttributeError, AssertionError) as error:
            return False, f"{type(error).__name__}: {error}"
    if condition == DELETE:
        return False, ""
    status = tree.get("status") or {}
    generation, observed = tree["metadata"].get("generation", 0), status.get("observedGeneration")
    if observed is not None and observed < generation:
        return False, f"generation {generation} is not observed yet, {observed} is"
    if condition == ROLLOUT:
        return _rolled_out(tree, status)
    wanted, _, value = condition.partition("=")
    value = value or "True"
    for found in status.get("conditions") or ():
        if found["type"].lower() == wanted.lower():
            # Some conditions say themselves which generation they speak of.
            if found.get("observedGeneration", generation) < generation:
                return False, f"{wanted} is of generation {found['observedGeneration']}, not {generation}"
            return found["status"].lower() == value.lower(), f"{wanted} is {found['status']}"
    return False, f"there is no condition {wanted}"


def _rolled_out(tree: Tree, status: Tree) -> tuple[bool, str]:
    wanted = (tree.get("spec") or {}).get("replicas", 1)
    counts = {name: status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas")}
    why = f"of {wanted} replicas: " + ", ".join(f"{name} {count}" for name, count in counts.items())
    return "observedGeneration" in status and all(count == wanted for count in counts.values()), why


def complaint(
    what: str, condition: Condition, seconds: float, seen: Tree, why: str, events: Sequence[Tree]
) -> str:  # fmt: skip
    """The message of a WaitTimeout."""
    wish = "deleted" if condition == DELETE else _named(condition)
    lines = [f"{what} was not {wish} after {seconds:g} s" + (f" ({why})" if why else "")]
    if not seen:
        lines.append("it does not exist")
    else:
        lines.append(yaml.safe_dump(_readable(seen), sort_keys=False).rstrip())
    if events:
        lines.append("events:")
        lines += [f"  {event.get('type', '')} {event.get('reason', '')}: {event.get('message', '')}" for event in events]
    return "\n".join(lines)


def _readable(tree: Tree) -> Tree:
    """In the order of every manifest, without what only machines read."""
    ordered = {name: tree[name] for name in ("apiVersion", "kind") if name in tree} | tree
    metadata = {name: value for name, value in tree["metadata"].items() if name != "managedFields"}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {name: value for name, value in annotations.items() if name != LAST_APPLIED}
    return {**ordered, "metadata": metadata}


def _named(condition: Condition) -> str:
    if isinstance(condition, str):
        return condition
    name: str = getattr(condition, "__name__", repr(condition))
    if name != "<lambda>":
        return name
    try:
        return f"as in `{inspect.getsource(condition).strip()}`"
    except (OSError, TypeError):
        return name

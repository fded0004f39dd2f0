"""What a check finds, and how it tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sampan.api.resource import Tree

SECURITY = "securityContext"


class Finding(NamedTuple):
    """Why a pod is not allowed: in short, and with the particulars."""

    reason: str
    detail: str


Check = Callable[[Tree, Tree], Finding | None]
"""A function of (the pod's metadata, its spec)."""


def containers(spec: Tree) -> Iterator[Tree]:
    """All of them, in upstream's order."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def setting(holder: Tree, *path: str) -> Any:
    """A value in the security context of a pod or of a container; None: not set."""
    found: Any = holder.get(SECURITY)
    for name in path:
        if not found:
            return None
        found = found.get(name)
    return found


def names_of(found: Iterable[Tree]) -> list[str]:
    return [container.get("name", "") for container in found]


def quoted(items: Iterable[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def go_quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def plural(count: int, one: str, many: str = "") -> str:
    return one if count == 1 else many or f"{one}s"


def named(names: Sequence[str], what: str = "container") -> str:
    """'containers "a", "b"'."""
    return f"{plural(len(names), what)} {quoted(names)}"


def setters(pod: bool, names: Sequence[str]) -> str:
    """Who has set something: 'pod and container "a"'; "": nobody."""
    return " and ".join([*(["pod"] if pod else []), *([named(names)] if names else [])])


def is_windows(spec: Tree) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


def but_on_windows(check: Check) -> Check:
    """For settings that pods for Windows cannot have."""
    return lambda metadata, spec: None if is_windows(spec) else check(metadata, spec)

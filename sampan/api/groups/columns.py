"""Cells that tables of several kinds share: name and age, label selectors in words, the containers of a pod template.

A kind that names its columns names all of them, Name and Age included, in upstream's order
(pkg/printers/internalversion/printers.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sampan.api import duration
from sampan.api.resource import Column, Tree

UNKNOWN = "<unknown>"
NONE = "<none>"


def seconds_of(timestamp: str) -> float:
    """Seconds since the epoch of an RFC 3339 time that the server itself has accepted."""
    return datetime.fromisoformat(timestamp).timestamp()


def since(timestamp: str | None, now: float) -> str:
    """The age of a time in words; "<unknown>" where there is none."""
    if not timestamp:
        return UNKNOWN
    return duration.human(now - seconds_of(timestamp))


def name_of(tree: Tree, now: float) -> str:
    name: str = tree["metadata"].get("name", "")
    return name


def age_of(tree: Tree, now: float) -> str:
    return since(tree["metadata"].get("creationTimestamp"), now)


NAME = Column("Name", name_of, format_="name")
AGE = Column("Age", age_of)


def format_labels(labels: Mapping[str, str] | None) -> str:
    """labels.FormatLabels: "a=1,b=2" in the order of keys."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def _requirement(key: str, operator: str, values: Sequence[str]) -> str:
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {'in' if operator == 'In' else 'notin'} ({','.join(sorted(values))})"


def selector_string(selector: Tree | None) -> str:
    """What labels.Selector.String() makes of a metav1.LabelSelector: requirements sorted by key, joined by commas."""
    if not selector:
        return ""
    pieces = [(key, f"{key}={value}") for key, value in selector.get("matchLabels", {}).items()]
    for expression in selector.get("matchExpressions", ()):
        key = expression["key"]
        pieces.append((key, _requirement(key, expression["operator"], expression.get("values", ()))))
    pieces.sort(key=lambda piece: piece[0])
    return ",".join(text for _, text in pieces)


def format_selector(selector: Tree | None) -> str:
    """metav1.FormatLabelSelector: as `selector_string`, "<none>" where it selects everything."""
    return selector_string(selector) or NONE


def template_containers(tree: Tree) -> list[Tree]:
    containers: list[Tree] = tree["spec"].get("template", {}).get("spec", {}).get("containers", [])
    return containers


def container_names(tree: Tree, now: float) -> str:
    return ",".join(container.get("name", "") for container in template_containers(tree))


def container_images(tree: Tree, now: float) -> str:
    return ",".join(container.get("image", "") for container in template_containers(tree))


CONTAINERS = Column("Containers", container_names, priority=1)
IMAGES = Column("Images", container_images, priority=1)


def first_of(items: Sequence[str], limit: int, total: int) -> str:
    """The first `limit` items and how many more there are: "a,b,c + 2 more..."."""
    shown = ",".join(items[:limit])
    return f"{shown} + {total - limit} more..." if total > limit else shown

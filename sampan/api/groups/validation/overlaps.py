"""Warnings of files in one volume that would lie on or in each other. After warningsForOverlappingVirtualPaths."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sampan.api.resource import Tree

_ITEMS = {"configMap": ("ConfigMap", "name"), "secret": ("Secret", "secretName"), "downwardAPI": ("DownwardAPI", "")}
_COMPARED = 128
"""So many paths of a volume are compared, each with each; upstream compares any number."""
_PROJECTED = {"configMap": "ConfigMap", "secret": "Secret", "downwardAPI": "DownwardAPI"}


def warn_of_overlaps(volumes: Sequence[Tree]) -> list[str]:
    warnings: list[str] = []
    for volume in volumes:
        if "projected" in volume:
            warnings += _warn_of_projected(volume["projected"].get("sources") or (), volume.get("name", ""))
            continue
        for kind, (called, field) in _ITEMS.items():
            if kind in volume and (items := volume[kind].get("items")):
                paths = [(item.get("path", ""), "") for item in items]
                if _are_apart([path for path, _ in paths]):
                    continue
                source = f"{called} {_quoted(volume[kind].get(field, ''))}" if field else called
                warnings += _compared(paths, f"volume {_quoted(volume.get('name', ''))} ({source})")
    return warnings


def _warn_of_projected(sources: Sequence[Tree], name: str) -> list[str]:
    empty = sum(not source for source in sources)
    warnings = [f"volume {_quoted(name)} (Projected) has no sources provided"] * empty if empty else []
    paths = list(_projected(sources))
    if _are_apart([path for path, _, _ in paths]):
        return warnings
    shown = [(path, f"{called} {_quoted(of)}" if of is not None else called) for path, called, of in paths]
    return warnings + _compared(shown, f"volume {_quoted(name)} (Projected)")


def _projected(sources: Sequence[Tree]) -> Iterator[tuple[str, str, str | None]]:
    """Every path and what it comes from: the kind of the source, and its name if it may have one."""
    for source in sources:
        for kind, called in _PROJECTED.items():
            if kind in source:
                name = None if kind == "downwardAPI" else source[kind].get("name", "")
                for item in source[kind].get("items", ()):
                    yield item.get("path", ""), called, name
                break
        else:
            if "serviceAccountToken" in source:
                yield source["serviceAccountToken"].get("path", ""), "ServiceAccountToken", None


def _are_apart(paths: Sequence[str]) -> bool:
    """Most files lie in the volume itself, each under a name of its own."""
    return len(set(paths)) == len(paths) and not any("/" in path for path in paths)


def _compared(paths: Sequence[tuple[str, str]], volume: str) -> list[str]:
    warnings: list[str] = []
    before: list[tuple[str, str]] = []
    for path, source in paths[:_COMPARED]:
        path = path.rstrip("/")
        for other, its_source in before:
            if path and (path == other or other.startswith(f"{path}/") or path.startswith(f"{other}/")):
                warnings.append(f"{volume}: overlapping paths: {_shown(path, source)} with {_shown(other, its_source)}")
        before.append((path, source))
    return warnings


def _shown(path: str, source: str) -> str:
    return f"{_quoted(path)} ({source})" if source else _quoted(path)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

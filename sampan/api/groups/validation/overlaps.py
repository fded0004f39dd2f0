"""Warnings of files in one volume that would lie on or in each other. After warningsForOverlappingVirtualPaths."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sampan.api.resource import Tree

_ITEMS = {"configMap": ("ConfigMap", "name"), "secret": ("Secret", "secretName"), "downwardAPI": ("DownwardAPI", "")}
_PROJECTED = (("configMap", "ConfigMap"), ("secret", "Secret"), ("downwardAPI", "DownwardAPI"))


def warn_of_overlaps(volumes: Sequence[Tree]) -> list[str]:
    warnings: list[str] = []
    for volume in volumes:
        name = _quoted(volume.get("name", ""))
        for kind, (called, field) in _ITEMS.items():
            if items := volume.get(kind, {}).get("items"):
                source = f"{called} {_quoted(volume[kind].get(field, ''))}" if field else called
                warnings += _compared([(item.get("path", ""), "") for item in items], f"volume {name} ({source})")
        for source in volume.get("projected", {}).get("sources") or ():
            if not source:
                warnings.append(f"volume {name} (Projected) has no sources provided")
        if "projected" in volume:
            paths = list(_projected(volume["projected"].get("sources") or ()))
            warnings += _compared(paths, f"volume {name} (Projected)")
    return warnings


def _projected(sources: Sequence[Tree]) -> Iterator[tuple[str, str]]:
    """Every path and what it comes from."""
    for source in sources:
        for kind, called in _PROJECTED:
            if kind in source:
                shown = called if kind == "downwardAPI" else f"{called} {_quoted(source[kind].get('name', ''))}"
                yield from ((item.get("path", ""), shown) for item in source[kind].get("items", ()))
                break
        else:
            if "serviceAccountToken" in source:
                yield source["serviceAccountToken"].get("path", ""), "ServiceAccountToken"


def _compared(paths: Sequence[tuple[str, str]], volume: str) -> list[str]:
    if len(paths) < 2:
        return []
    warnings: list[str] = []
    before: list[tuple[str, str]] = []
    for path, source in paths:
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

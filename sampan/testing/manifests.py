"""Objects from whatever a test has them in: YAML or JSON text, a file, a directory, a dict, several of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Tree = dict[str, Any]
Manifest = str | Path | Mapping[str, Any] | Iterable[Mapping[str, Any]]

SUFFIXES = (".yaml", ".yml", ".json")


def objects(manifest: Manifest) -> Iterator[Tree]:
    """Every object, those of Lists one by one. Raises ValueError for what is no object, OSError for a file."""
    if isinstance(manifest, Mapping):
        yield from _flat(manifest, "the manifest")
    elif isinstance(manifest, Path):
        yield from _read(manifest)
    elif isinstance(manifest, str):
        # A path has neither; text that has neither is no object.
        if "\n" in manifest or ":" in manifest:
            yield from _parse(manifest, "the manifest")
        else:
            yield from _read(Path(manifest))
    else:
        for each in manifest:
            yield from _flat(each, "the manifest")


def _read(path: Path) -> Iterator[Tree]:
    files = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES) if path.is_dir() else [path]
    for file in files:
        yield from _parse(file.read_text(), str(file))


def _parse(text: str, source: str) -> Iterator[Tree]:
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise ValueError(f"{source} is not YAML: {error}") from error
    for document in documents:
        if document is not None:
            yield from _flat(document, source)


def _flat(tree: object, source: str) -> Iterator[Tree]:
    if not isinstance(tree, Mapping):
        raise ValueError(f"{source} has no object but {tree!r}")
    for required in ("apiVersion", "kind"):
        if not isinstance(tree.get(required), str):
            raise ValueError(f"{source}: {required} not set in {_shortened(tree)}")
    if isinstance(tree.get("items"), list) and tree["kind"].endswith("List"):
        for item in tree["items"]:
            yield from _flat(item, source)
        return
    metadata = tree.get("metadata")
    if not isinstance(metadata, Mapping) or not (metadata.get("name") or metadata.get("generateName")):
        raise ValueError(f"{source}: metadata.name not set in {_shortened(tree)}")
    yield dict(tree)


def _shortened(tree: Mapping[str, Any]) -> str:
    text = str(dict(tree))
    return text if len(text) < 200 else text[:200] + "…"

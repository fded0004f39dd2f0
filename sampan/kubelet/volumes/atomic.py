"""Files that change all at once: a reader sees the old set or the new one, never a mixture.

After k8s.io/kubernetes/pkg/volume/util/atomic_writer.go: the files lie in a time-stamped directory, `..data` is a link to
it, each user-visible name a link through `..data`, and renaming a new `..data` over the old one is the change.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .base import own_by_group

DATA, NEW_DATA = "..data", "..data_tmp"


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int
    owner: int | None = None


def fingerprint(payload: Mapping[str, File]) -> int:
    return hash(tuple(sorted((path, f.data, f.mode, f.owner) for path, f in payload.items())))


def write(directory: Path, payload: Mapping[str, File], group: int | None = None) -> bool:
    """Make the directory's visible files exactly the payload (relative path → file). Returns whether anything changed."""
    data = directory / DATA
    old = os.readlink(data) if data.is_symlink() else ""
    if old and _same(directory / old, payload):
        _link_names(directory, payload)
        return False
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    os.chmod(fresh, 0o755)
    for name, file in payload.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        os.chmod(path, file.mode)
        if file.owner is not None:
            os.chown(path, file.owner, -1)
    if group is not None:
        own_by_group(fresh, group)
    temporary = directory / NEW_DATA
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    temporary.symlink_to(fresh.name)
    os.rename(temporary, data)
    _link_names(directory, payload)
    if old:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def _same(directory: Path, payload: Mapping[str, File]) -> bool:
    there = {str(p.relative_to(directory)): p for p in directory.rglob("*") if p.is_file()}
    if there.keys() != payload.keys():
        return False
    return all(there[name].read_bytes() == file.data for name, file in payload.items())


def _link_names(directory: Path, payload: Mapping[str, File]) -> None:
    """Only the first part of a path is a link; the rest lies inside the data directory."""
    wanted = {name.split("/", 1)[0] for name in payload}
    for name in wanted:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.is_symlink() and entry.name not in wanted:
            entry.unlink()

"""What Go's own types say of fields and OpenAPI does not: their protobuf numbers, and which of them are pointers.

A field that is no pointer has no way to say that its zero value was meant: a client's `hostNetwork: false` and a client's
silence are one and the same, and the server answers both with silence. The facts stand in protobuf_fields.txt.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files


@cache
def numbers() -> dict[str, dict[str, str]]:
    """Definition → field → number as written in the file."""
    found: dict[str, dict[str, str]] = {}
    group = ""
    for line in files(__package__).joinpath("protobuf_fields.txt").read_text().splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line and not line.startswith("#"):
            kind, _, fields = line.partition(":")
            found[f"{group}.{kind}"] = dict(field.split("=") for field in fields.split())
    return found


def plain_fields(definition: str) -> frozenset[str]:
    """The fields of a definition that are no pointers in Go; none of a definition that Go has no type for."""
    return frozenset(_plain(definition))


def _plain(definition: str) -> Iterator[str]:
    for name, written in numbers().get(definition, {}).items():
        if name.startswith("+"):
            yield from _plain(f"{definition.rpartition('.')[0]}.{name[1:]}")
        elif not written.endswith("*"):
            yield name

"""What the tables of the unit tests ask of kinds, so that two servers can be asked the same.

As a pytest plugin (`-p tests.upstream.recorder`) it writes each call of tests/unit/groups/kinds.py to a file; `recorded` runs
those tests under it and reads that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from sampan.api.resource import Resource
from tests.unit.groups import kinds

Tree = dict[str, Any]

_FILE = "SAMPAN_RECORDED"
_ASKED = ("create_errors", "update_errors", "status_errors", "row", "defaulted", "created")


class Recorded(NamedTuple):
    question: str
    """A function of tests/unit/groups/kinds.py."""
    group_version: str
    plural: str
    trees: list[Tree]


def recorded(file: Path) -> list[Recorded]:
    """Every row of every table, once."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.upstream.recorder", "tests/unit/groups"]
    done = subprocess.run(command, env={**os.environ, _FILE: str(file)}, capture_output=True, text=True, timeout=110)
    assert file.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    lines = dict.fromkeys(file.read_text().splitlines())
    return [Recorded(*json.loads(line)) for line in lines]


def _recording(question: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def asked(resource: Resource, *trees: Tree, **options: Any) -> Any:
        row = [question, resource.group_version, resource.plural, trees]
        with Path(os.environ[_FILE]).open("a") as file:
            file.write(json.dumps(row) + "\n")
        return function(resource, *trees, **options)

    return asked


if _FILE in os.environ:
    for name in _ASKED:
        setattr(kinds, name, _recording(name, getattr(kinds, name)))

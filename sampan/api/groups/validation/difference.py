"""What a forbidden change changed, for the message that refuses it."""

from __future__ import annotations

import json
from typing import Any


def difference(before: Any, after: Any, path: str = "spec") -> str:
    """The differing leaves, the old one marked "-", the new one "+"; upstream prints the structs around them as well."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in (*before, *(k for k in after if k not in before)) if before.get(key) != after.get(key)]
        return "".join(difference(before.get(key), after.get(key), f"{path}.{key}") for key in keys)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return "".join(difference(old, new, f"{path}[{index}]") for index, (old, new) in pairs if old != new)
    lines = [("-", before), ("+", after)]
    return "".join(f"{mark} \t{path}: {json.dumps(value)},\n" for mark, value in lines if value is not None)

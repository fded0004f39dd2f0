"""Who makes a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """What authentication found out; authorization, admission and audit go by it."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SERVER = User("system:apiserver", groups=("system:masters",))
"""The API server itself, when it writes what it keeps up: namespaces, roles, the `kubernetes` Service."""

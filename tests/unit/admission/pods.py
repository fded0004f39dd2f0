"""Pods for tables."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]


def container(name: str = "a", **fields: Any) -> Tree:
    return {"name": name, "image": "x:1", **fields}


def asking(name: str = "a", *, limits: Tree | None = None, **requests: str) -> Tree:
    """A container with these requests."""
    return container(name, resources={"requests": requests, "limits": limits or {}})


def pod(*containers: Tree, **spec: Any) -> Tree:
    return {"metadata": {"name": "p"}, "spec": {"containers": list(containers or [container()]), **spec}}


def secured(name: str = "a", **context: Any) -> Tree:
    """A container with this security context."""
    return container(name, securityContext=context)

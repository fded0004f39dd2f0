"""ComponentStatus: whether a part of the control plane is well. None is stored; the server finds out when it is asked."""

from __future__ import annotations

from sampan.api.groups.columns import NAME
from sampan.api.resource import Column, Resource, Tree


def _healthy(tree: Tree) -> Tree:
    conditions = tree.get("conditions", ())
    return next((condition for condition in conditions if condition.get("type") == "Healthy"), {})


def _status(tree: Tree, now: float) -> str:
    condition = _healthy(tree)
    if not condition:
        return "Unknown"
    return "Healthy" if condition.get("status") == "True" else "Unhealthy"


def _message(tree: Tree, now: float) -> str:
    message: str = _healthy(tree).get("message", "")
    return message


def _error(tree: Tree, now: float) -> str:
    error: str = _healthy(tree).get("error", "")
    return error


RESOURCE = Resource(
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    definition="io.k8s.api.core.v1.ComponentStatus",
    short=("cs",),
    namespaced=False,
    verbs=("get", "list"),
    columns=(NAME, Column("Status", _status), Column("Message", _message), Column("Error", _error)),
    deprecated="v1 ComponentStatus is deprecated in v1.19+",
)

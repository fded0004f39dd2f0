"""Ingress."""

from __future__ import annotations

from sampan.api.groups.columns import AGE, NAME, NONE
from sampan.api.groups.networking.ingress_validation import CLASS_ANNOTATION, validate_change, validate_new, validate_status
from sampan.api.groups.strategies import bump_generation, keep_spec
from sampan.api.resource import Column, Resource, Strategy, Tree

_HOSTS = 3


def _prepare_create(new: Tree) -> None:
    new["status"] = {"loadBalancer": {}}
    new["metadata"]["generation"] = 1


def _warn(new: Tree, old: Tree | None) -> list[str]:
    annotated = CLASS_ANNOTATION in new["metadata"].get("annotations", {})
    if old is not None or not annotated or "ingressClassName" in new.get("spec", {}):
        return []
    return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


def _class(tree: Tree, now: float) -> str:
    name: str = tree.get("spec", {}).get("ingressClassName", NONE)
    return name


def _hosts(tree: Tree, now: float) -> str:
    rules = tree.get("spec", {}).get("rules", ())
    shown: list[str] = []
    more = False
    for rule in rules:
        more = more or len(shown) == _HOSTS
        if not more and rule.get("host"):
            shown.append(rule["host"])
    if not shown:
        return "*"
    return ",".join(shown) + (f" + {len(rules) - _HOSTS} more..." if more else "")


def _address(tree: Tree, now: float) -> str:
    points = tree.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    return ",".join(sorted({point.get("ip") or point.get("hostname", "") for point in points} - {""}))


def _ports(tree: Tree, now: float) -> str:
    return "80, 443" if tree.get("spec", {}).get("tls") else "80"


RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    definition="io.k8s.api.networking.v1.Ingress",
    short=("ing",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=bump_generation,
        prepare_status=keep_spec,
        validate=validate_new,
        validate_change=validate_change,
        validate_status=validate_status,
        warn=_warn,
    ),
    columns=(
        NAME,
        Column("Class", _class),
        Column("Hosts", _hosts),
        Column("Address", _address),
        Column("Ports", _ports),
        AGE,
    ),
    status=True,
)

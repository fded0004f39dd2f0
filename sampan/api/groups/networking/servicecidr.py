"""ServiceCIDR: ranges that the cluster IPs of Services come from."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.errors import FieldError, GoText, go_strings, invalid, required
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.strategies import keep_all_but_status
from sampan.api.groups.validation.metadata import IMMUTABLE
from sampan.api.groups.validation.ranges import sloppy_cidr, strict_cidr
from sampan.api.resource import Column, Resource, Strategy, Tree

_PATH = "spec.cidrs"
_ONE_A_FAMILY = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def _cidrs(tree: Tree) -> list[str]:
    cidrs: list[str] = tree.get("spec", {}).get("cidrs", [])
    return cidrs


def _family(cidr: str) -> int:
    parsed = sloppy_cidr(cidr)
    return parsed[1].version if parsed else 0


def _validate(tree: Tree) -> list[FieldError]:
    cidrs = _cidrs(tree)
    if not cidrs:
        return [required(_PATH, "at least one CIDR required")]
    if len(cidrs) > 2:
        shown = GoText(f"networking.ServiceCIDRSpec{{CIDRs:{go_strings('string', cidrs)}}}")
        return [invalid(_PATH, shown, "may only hold up to 2 values")]
    errors = [invalid(f"{_PATH}[{i}]", cidr, why) for i, cidr in enumerate(cidrs) for why in strict_cidr(cidr)]
    if len(cidrs) == 2 and _family(cidrs[0]) and _family(cidrs[0]) == _family(cidrs[1]):
        errors.append(invalid(_PATH, cidrs, _ONE_A_FAMILY))
    return errors


def _validate_change(new: Tree, old: Tree) -> list[FieldError]:
    """A range of the other family may join the first; else nothing changes."""
    now, before = _cidrs(new), _cidrs(old)
    if len(now) == len(before):
        return _changed(now, before)
    if (len(before), len(now)) == (1, 2):
        return _changed(now, before) + _validate(new)
    return [invalid(_PATH, now, IMMUTABLE)]


def _changed(now: Sequence[str], before: Sequence[str]) -> list[FieldError]:
    pairs = enumerate(zip(now, before, strict=False))
    return [invalid(f"{_PATH}[{index}]", cidr, IMMUTABLE) for index, (cidr, old) in pairs if cidr != old]


RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    definition="io.k8s.api.networking.v1.ServiceCIDR",
    namespaced=False,
    # Upstream lets a create and an update set the status as well.
    strategy=Strategy(prepare_status=keep_all_but_status, validate=_validate, validate_change=_validate_change),
    columns=(NAME, Column("CIDRs", lambda tree, now: ",".join(_cidrs(tree))), AGE),
    status=True,
)

"""How many seats each priority level has: its share of the server's, and what the levels lend each other.

Arithmetic only, after KEP-1040 ("Dispatching and borrowing") and conc_alloc.go of k8s.io/apiserver/pkg/util/flowcontrol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sampan.api.resource import Tree

_SMOOTHING = 0.977
"""Of the demand that is remembered from one adjustment to the next; halves about every five minutes of ten seconds each."""
_LARGEST_SHARE = 0.15
_MAX_SEATS = 10


@dataclass(slots=True)
class Share:
    """One level's bounds, in seats. `current` moves between `least` and `most` with demand."""

    nominal: int
    least: int
    most: int
    current: int
    exempt: bool
    smoothed: float = 0.0


def shares_of(specs: dict[str, Tree], total: int) -> dict[str, Share]:
    """Nominal shares of `total` seats, by level. A level starts in the middle between what it has and what it may lend."""
    parts = {name: _part(spec) for name, spec in specs.items()}
    whole = sum(part.get("nominalConcurrencyShares", 30) for part in parts.values()) or 1
    found: dict[str, Share] = {}
    for name, part in parts.items():
        exempt = specs[name]["type"] == "Exempt"
        nominal = math.ceil(total * part.get("nominalConcurrencyShares", 0 if exempt else 30) / whole)
        lendable = round(nominal * part.get("lendablePercent", 0) / 100)
        percent = part.get("borrowingLimitPercent")
        borrowing = total if percent is None else round(nominal * percent / 100)
        found[name] = Share(nominal, nominal - lendable, nominal + borrowing, nominal - lendable // 2, exempt)
    return found


def retained(shares: dict[str, Share], before: Mapping[str, Share]) -> dict[str, Share]:
    """The shares, but those that were worked out anew to the same are left where demand has moved them."""
    return {name: before[name] if _bounds(before.get(name)) == _bounds(share) else share for name, share in shares.items()}


def _bounds(share: Share | None) -> tuple[int, int, int, bool] | None:
    return (share.nominal, share.least, share.most, share.exempt) if share is not None else None


def _part(spec: Tree) -> Tree:
    part: Tree = spec.get("exempt" if spec["type"] == "Exempt" else "limited") or {}
    return part


def widest_request(spec: Tree, nominal: int) -> int:
    """The most seats one request of a level may take."""
    queuing = ((spec.get("limited") or {}).get("limitResponse") or {}).get("queuing")
    if queuing is None:
        return _MAX_SEATS
    bound = min(math.ceil(nominal * _LARGEST_SHARE), nominal // queuing["handSize"])
    return int(min(_MAX_SEATS, max(1, bound)))


def adjust(shares: dict[str, Share], demands: dict[str, int]) -> None:
    """Set `current` of every level by the most seats each wanted since the last time."""
    whole = remaining = sum(share.nominal for share in shares.values())
    limited: list[tuple[Share, int]] = []
    for name, share in shares.items():
        demand = demands.get(name, 0)
        share.smoothed = max(float(demand), _SMOOTHING * share.smoothed + (1 - _SMOOTHING) * demand)
        if share.exempt:
            share.current = max(share.least, demand)
            remaining -= share.current
        else:
            limited.append((share, max(share.least, min(share.nominal, demand))))
    _divide(limited, min(whole, remaining))


def _divide(limited: Sequence[tuple[Share, int]], remaining: int) -> None:
    """Among the levels that are not exempt: all at least their least, then what they need, then in proportion."""
    least_sum = sum(share.least for share, _ in limited)
    needed_sum = sum(needed for _, needed in limited)
    if remaining <= least_sum:
        for share, _ in limited:
            share.current = share.least
    elif remaining <= needed_sum:
        part = (remaining - least_sum) / (needed_sum - least_sum)
        for share, needed in limited:
            share.current = share.least + round((needed - share.least) * part)
    else:
        factor = _proportion(limited, remaining)
        for share, needed in limited:
            share.current = round(_bounded(share, needed, factor))


def _bounded(share: Share, needed: int, factor: float) -> float:
    return max(float(needed), min(float(share.most), factor * max(needed, share.smoothed, 1.0)))


def _proportion(limited: Sequence[tuple[Share, int]], remaining: int) -> float:
    """The factor by which every target is multiplied, within its bounds, so that all seats are given out.

    The sum grows with the factor, so it is found by halving; where every level is at its most, any large factor does.
    """
    low, high = 0.0, 1.0
    while sum(_bounded(share, needed, high) for share, needed in limited) < remaining and high < 2**20:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        if sum(_bounded(share, needed, middle) for share, needed in limited) < remaining:
            low = middle
        else:
            high = middle
    return high

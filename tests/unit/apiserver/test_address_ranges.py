"""Several ranges of cluster IPs as one."""

from __future__ import annotations

import pytest

from sampan.apiserver.registry.allocators import AddressPool, AddressRanges, AllocationError, Exhausted

FIRST = "10.0.0.0/29"


def all_of(ranges: AddressRanges) -> list[str]:
    found: list[str] = []
    while True:
        try:
            found.append(ranges.pick())
        except Exhausted:
            return found


@pytest.mark.parametrize(
    ("cidrs", "count"),
    [
        ([], 6),
        (["10.0.1.0/30"], 8),
        (["10.0.0.0/30"], 6),
        (["10.0.0.0/28"], 14),
        (["10.0.0.0/28", "10.0.0.8/29"], 14),
        (["fd00::/125"], 6),
    ],
    ids=["none", "another", "one inside", "one around", "one around and one inside", "one of another family"],
)
def test_ranges_add_up_and_those_inside_others_do_not(cidrs: list[str], count: int) -> None:
    ranges = AddressRanges(AddressPool(FIRST))
    ranges.set_ranges(cidrs, ())
    found = all_of(ranges)
    assert len(found) == len(set(found)) == count


def test_the_first_range_is_used_up_first() -> None:
    ranges = AddressRanges(AddressPool(FIRST))
    ranges.set_ranges(["10.0.1.0/30"], ())
    assert all(address.startswith("10.0.0.") for address in all_of(ranges)[:6])


def test_a_range_begins_with_what_is_held_in_it() -> None:
    ranges = AddressRanges(AddressPool(FIRST))
    ranges.take("10.0.0.1")
    ranges.set_ranges(["10.0.1.0/30"], ["10.0.0.1", "10.0.1.1"])
    for address in ("10.0.0.1", "10.0.1.1"):
        with pytest.raises(AllocationError, match="provided IP is already allocated"):
            ranges.take(address)


def test_a_range_that_went_gives_nothing_more() -> None:
    ranges = AddressRanges(AddressPool(FIRST))
    ranges.set_ranges(["10.0.1.0/30"], ())
    ranges.set_ranges([], ())
    with pytest.raises(AllocationError, match="the provided network does not match the current range"):
        ranges.take("10.0.1.1")


def test_what_another_server_took_is_taken() -> None:
    ranges = AddressRanges(AddressPool(FIRST))
    for _ in range(2):
        ranges.mark("10.0.0.1")
    ranges.mark("10.9.9.9")
    with pytest.raises(AllocationError):
        ranges.take("10.0.0.1")
    ranges.release("10.0.0.1")
    ranges.take("10.0.0.1")

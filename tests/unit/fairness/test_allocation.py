"""How the server's seats are divided."""

from __future__ import annotations

from sampan.apiserver.fairness.allocation import adjust, shares_of, widest_request
from sampan.apiserver.fairness.defaults import MANDATORY_LEVELS, SUGGESTED_LEVELS
from sampan.apiserver.fairness.dropped import RetryAfter

SPECS = {tree["metadata"]["name"]: tree["spec"] for tree in (*MANDATORY_LEVELS, *SUGGESTED_LEVELS)}


def test_the_default_levels_have_upstreams_seats() -> None:
    """Of 600 seats, by 245 shares; each rounded up."""
    shares = shares_of(SPECS, 600)
    assert {name: (share.nominal, share.least) for name, share in shares.items()} == {
        "exempt": (0, 0),
        "catch-all": (13, 13),
        "system": (74, 50),
        "node-high": (98, 74),
        "leader-election": (25, 25),
        "workload-high": (98, 49),
        "workload-low": (245, 25),
        "global-default": (49, 25),
    }


def test_one_list_takes_at_most_ten_seats_and_never_a_whole_level() -> None:
    assert widest_request(SPECS["workload-low"], 245) == 10
    assert widest_request(SPECS["global-default"], 49) == 8
    assert widest_request(SPECS["leader-election"], 2) == 1


def test_idle_levels_lend_to_a_busy_one_and_get_their_own_back() -> None:
    shares = shares_of(SPECS, 600)
    for _ in range(3):
        adjust(shares, {"global-default": 500})
    busy = shares["global-default"]
    assert busy.current > 2 * busy.nominal
    assert all(share.current >= share.least for share in shares.values())
    for _ in range(400):
        adjust(shares, {"workload-low": 245, "workload-high": 98, "system": 74, "node-high": 98, "global-default": 49})
    assert shares["workload-low"].current >= 240
    assert busy.current <= busy.nominal + 5


def test_no_more_seats_are_given_out_than_there_are() -> None:
    shares = shares_of(SPECS, 600)
    whole = sum(share.nominal for share in shares.values())
    for demands in ({}, {"global-default": 10_000}, dict.fromkeys(SPECS, 10_000), {"exempt": 300, "workload-low": 400}):
        adjust(shares, demands)
        limited = [share for share in shares.values() if not share.exempt]
        free = max(whole - shares["exempt"].current, sum(share.least for share in limited))
        assert sum(share.current for share in limited) <= free + len(limited)


def test_a_borrowing_limit_holds() -> None:
    spec = {"type": "Limited", "limited": {"nominalConcurrencyShares": 10, "borrowingLimitPercent": 50}}
    lender = {"type": "Limited", "limited": {"nominalConcurrencyShares": 90, "lendablePercent": 100}}
    shares = shares_of({"small": spec, "lender": lender}, 100)
    adjust(shares, {"small": 1000})
    assert shares["small"].current == 15


def test_clients_are_sent_away_for_longer_while_many_are_and_for_less_when_it_calms() -> None:
    retry = RetryAfter()
    seen = []
    for second in range(12):
        for _ in range(50):
            retry.note(1000 + second)
        seen.append(retry.seconds)
    assert seen[0] == 1 and seen[-1] >= 8 and seen == sorted(seen)
    for second in range(100, 4000, 40):
        retry.note(1000 + second)
    assert retry.seconds == 1
    for second in range(5000, 5200):
        for _ in range(200):
            retry.note(second)
    assert retry.seconds == 32

"""What the labels of a namespace mean."""

from __future__ import annotations

import pytest

from sampan.api.podsecurity import BASELINE, PRIVILEGED, RESTRICTED, LevelVersion, evaluate, policy_of
from tests.unit.admission.pods import pod

PREFIX = "pod-security.kubernetes.io/"
NOTHING = "privileged:latest"


def read(**labels: str) -> tuple[str, str, list[str]]:
    policy, errors = policy_of({PREFIX + name.replace("_", "-"): value for name, value in labels.items()} | {"team": "x"})
    return str(policy.enforce), str(policy.warn), list(map(str, errors))


@pytest.mark.parametrize(
    ("labels", "enforce", "warn"),
    [
        ({}, NOTHING, NOTHING),
        ({"enforce": "baseline"}, "baseline:latest", "baseline:latest"),
        ({"warn": "restricted"}, NOTHING, "restricted:latest"),
        ({"audit": "baseline"}, NOTHING, NOTHING),
        ({"enforce": "baseline", "warn": "restricted"}, "baseline:latest", "restricted:latest"),
        ({"enforce": "baseline", "enforce_version": "v1.22"}, "baseline:v1.22", "baseline:v1.22"),
        ({"enforce": "baseline", "enforce_version": "v1.22", "warn_version": "latest"}, "baseline:v1.22", "baseline:latest"),
        ({"enforce": "baseline", "warn_version": "v1.23"}, "baseline:latest", "baseline:v1.23"),
        ({"enforce": "baseline", "warn": "privileged"}, "baseline:latest", NOTHING),
        ({"enforce": "privileged", "enforce_version": "v1.0"}, "privileged:v1.0", NOTHING),
        ({"enforce_version": "v1.10000"}, "privileged:v1.10000", NOTHING),
    ],
)
def test_labels_make_a_policy(labels: dict[str, str], enforce: str, warn: str) -> None:
    assert read(**labels) == (enforce, warn, [])


LEVELS = "must be one of privileged, baseline, restricted"
VERSIONS = 'must be "latest" or "v1.x"'


@pytest.mark.parametrize(
    ("labels", "enforce", "warn", "errors"),
    [
        ({"enforce": "foo"}, "restricted:latest", NOTHING, [("enforce", "foo", LEVELS)]),
        ({"enforce": "baseline", "warn": "foo"}, "baseline:latest", NOTHING, [("warn", "foo", LEVELS)]),
        ({"audit": "Baseline"}, NOTHING, NOTHING, [("audit", "Baseline", LEVELS)]),
        *(
            ({"enforce": "baseline", "enforce_version": text}, "baseline:latest", "baseline:latest",
             [("enforce-version", text, VERSIONS)])
            for text in ("foo", "", "v2.0", "v1", "1.1", "v1.01", "v1.99999999999999999999")
        ),
        (
            {"enforce": "x", "enforce_version": "y", "audit": "x", "audit_version": "y", "warn": "x", "warn_version": "y"},
            "restricted:latest",
            NOTHING,
            [
                (f"{mode}{part}", value, why)
                for mode in ("enforce", "audit", "warn")
                for part, value, why in (("", "x", LEVELS), ("-version", "y", VERSIONS))
            ],
        ),
    ],
)  # fmt: skip
def test_bad_labels_are_named_and_enforce_the_strictest(
    labels: dict[str, str], enforce: str, warn: str, errors: list[tuple[str, str, str]]
) -> None:
    shown = [f'metadata.labels[{PREFIX}{name}]: Invalid value: "{value}": {why}' for name, value, why in errors]
    assert read(**labels) == (enforce, warn, shown)


def test_levels_are_ordered() -> None:
    privileged, baseline, restricted = map(LevelVersion, (PRIVILEGED, BASELINE, RESTRICTED))
    assert restricted.is_stricter_than(baseline)
    assert baseline.is_stricter_than(privileged)
    assert not baseline.is_stricter_than(baseline)
    assert not privileged.is_stricter_than(restricted)


def test_the_privileged_level_allows_everything() -> None:
    given = pod(hostNetwork=True)
    assert evaluate(LevelVersion(), given["metadata"], given["spec"]).allowed

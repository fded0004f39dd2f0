"""A pod against a level: which checks that means in which version, and what comes of them together."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sampan.api.podsecurity import baseline, restricted
from sampan.api.podsecurity.findings import Check, Finding
from sampan.api.podsecurity.policy import PRIVILEGED, RESTRICTED, LevelVersion
from sampan.api.resource import Tree

_NEWEST = max(minor for checks in (baseline.CHECKS, restricted.CHECKS) for since in checks.values() for minor in since)
"""Since then nothing changed, up to "latest"."""


class Verdict(NamedTuple):
    findings: tuple[Finding, ...]

    @property
    def allowed(self) -> bool:
        return not self.findings

    @property
    def reason(self) -> str:
        return ", ".join(finding.reason for finding in self.findings)

    @property
    def detail(self) -> str:
        return ", ".join(f"{found.reason} ({found.detail})" if found.detail else found.reason for found in self.findings)


def evaluate(wanted: LevelVersion, metadata: Tree, spec: Tree) -> Verdict:
    """A pod, or what pods are made from."""
    if wanted.level == PRIVILEGED:
        return Verdict(())
    checks = checks_of(wanted.level, min(wanted.minor, _NEWEST))
    return Verdict(tuple([found for check in checks if (found := check(metadata, spec)) is not None]))


@cache
def checks_of(level: str, minor: int) -> tuple[Check, ...]:
    lower, upper = _as_of(baseline.CHECKS, minor), {}
    if level == RESTRICTED:
        upper = _as_of(restricted.CHECKS, minor)
        for name in upper:
            lower.pop(restricted.REPLACES.get(name, ""), None)
    return (*(lower[name] for name in sorted(lower)), *(upper[name] for name in sorted(upper)))


def _as_of(checks: dict[str, dict[int, Check]], minor: int) -> dict[str, Check]:
    """Those that there were in a version, as they were."""
    found: dict[str, Check] = {}
    for name, versions in checks.items():
        since = [start for start in versions if start <= minor]
        if since:
            found[name] = versions[max(since)]
    return found

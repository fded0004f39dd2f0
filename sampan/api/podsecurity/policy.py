"""What the labels of a namespace ask of its pods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sampan.api.errors import FieldError, invalid

PRIVILEGED, BASELINE, RESTRICTED = "privileged", "baseline", "restricted"
LEVELS = (PRIVILEGED, BASELINE, RESTRICTED)
"""From the most lenient to the strictest."""
LABEL_PREFIX = "pod-security.kubernetes.io/"
LATEST = 1 << 30
"""The minor version that is meant by "latest"."""
_BAD_LEVEL = "must be one of privileged, baseline, restricted"
_BAD_VERSION = 'must be "latest" or "v1.x"'
_version = re.compile(r"v1\.([0-9]|[1-9][0-9]*)", re.ASCII).fullmatch
_LONGEST_MINOR = 18


class LevelVersion(NamedTuple):
    level: str = PRIVILEGED
    minor: int = LATEST
    """Of version 1."""

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.minor == LATEST else f'v1.{self.minor}'}"

    def is_stricter_than(self, other: LevelVersion) -> bool:
        return LEVELS.index(self.level) > LEVELS.index(other.level)


class Policy(NamedTuple):
    """What is refused, and what is only warned of. What is to be audited is of no consequence without an audit log."""

    enforce: LevelVersion = LevelVersion()
    warn: LevelVersion = LevelVersion()
    audit: LevelVersion = LevelVersion()

    @property
    def is_lenient(self) -> bool:
        """Everything goes, unremarked."""
        return {self.enforce.level, self.warn.level, self.audit.level} == {PRIVILEGED}


EVERYTHING_GOES = Policy()


def policy_of(labels: Mapping[str, str], defaults: Policy = EVERYTHING_GOES) -> tuple[Policy, list[FieldError]]:
    """The policy, and what is wrong with the labels: then the strictest is enforced, and nothing warned of."""
    if not any(label.startswith(LABEL_PREFIX) for label in labels):
        return defaults, []
    errors: list[FieldError] = []
    found: dict[str, LevelVersion] = {}
    for mode, default in (("enforce", defaults.enforce), ("audit", defaults.audit), ("warn", defaults.warn)):
        level = _read_level(labels, mode, default.level, errors)
        found[mode] = LevelVersion(level, _read_version(labels, f"{mode}-version", default.minor, errors))
    enforce, warn = found["enforce"], found["warn"]
    says_level = labels.get(f"{LABEL_PREFIX}enforce") in LEVELS
    if says_level and f"{LABEL_PREFIX}warn" not in labels and enforce.is_stricter_than(warn):
        # Who is refused pods should hear of it from what makes pods.
        says_version = f"{LABEL_PREFIX}warn-version" in labels
        warn = LevelVersion(enforce.level, warn.minor if says_version else enforce.minor)
    return Policy(enforce, warn, found["audit"]), errors


def _read_level(labels: Mapping[str, str], mode: str, default: str, errors: list[FieldError]) -> str:
    level = labels.get(LABEL_PREFIX + mode)
    if level is None or level in LEVELS:
        return level or default
    errors.append(_problem(mode, level, _BAD_LEVEL))
    return RESTRICTED if mode == "enforce" else PRIVILEGED


def _read_version(labels: Mapping[str, str], name: str, default: int, errors: list[FieldError]) -> int:
    text = labels.get(LABEL_PREFIX + name)
    if text is None:
        return default
    if text == "latest":
        return LATEST
    match = _version(text)
    if match is None or len(match[1]) > _LONGEST_MINOR:
        errors.append(_problem(name, text, _BAD_VERSION))
        return LATEST
    return int(match[1])


def _problem(name: str, value: str, why: str) -> FieldError:
    return invalid(f"metadata.labels[{LABEL_PREFIX}{name}]", value, why)

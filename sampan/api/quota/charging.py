"""Whether the quotas of a namespace have room for a write, and what they hold once it is made.

After CheckRequest in k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sampan.api.podresources import Amounts, parsed
from sampan.api.quantity import ZERO, Quantity
from sampan.api.quota.amounts import only, rest, shown, total
from sampan.api.quota.scopes import Scope, scopes_of
from sampan.api.quota.usage import Evaluator
from sampan.api.resource import Tree


class Refused(Exception):
    """The message is upstream's."""


@dataclass(slots=True)
class Quota:
    """One ResourceQuota: what its status bounds and counts, and of which objects."""

    name: str
    hard: Amounts
    used: Amounts
    scopes: tuple[Scope, ...] = ()

    @classmethod
    def of(cls, tree: Tree) -> Quota:
        status = tree.get("status") or {}
        return cls(
            tree["metadata"]["name"],
            parsed(status.get("hard")),
            parsed(status.get("used")),
            scopes_of(tree.get("spec") or {}),
        )


class Limited(NamedTuple):
    """What is not to be had where no quota covers it: of a kind, the resources whose names contain one of `contains`, and
    objects that are of one of the scopes."""

    group: str
    plural: str
    contains: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()


class Uncovered(Exception):
    """No quota is about scopes that are limited. Upstream does not say this as a refusal."""


class Write:
    """A create or an update as quotas see it. `old` is None for a create; `is_status`: an update of the status alone, which
    quotas take note of but do not refuse."""

    def __init__(self, evaluator: Evaluator, new: Tree, old: Tree | None, now: float, *, is_status: bool = False) -> None:
        self._evaluator = evaluator
        self._new = new
        self._old = old
        self._now = now
        self._is_status = is_status
        self._usage: tuple[Amounts, Amounts] | None = None

    def charges(self, quotas: Iterable[Quota], limited: Sequence[Limited] = ()) -> dict[str, Amounts]:
        """What each quota, by name, has to count more; empty: the write is of no interest to any. Raises Refused, Uncovered."""
        quotas = list(quotas)
        concerned = {quota.name: quota for quota in quotas if self._concerns(quota)}
        if not concerned and not limited:
            return {}
        added, changed = self._used()
        if limited:
            self._check_covered(limited, quotas, concerned.values(), added if self._old is None else changed)
        charges: dict[str, Amounts] = {}
        for name, quota in concerned.items():
            counted = self._old is not None and self._evaluator.matches(quota.scopes, self._old)
            more = only(changed if counted else added, quota.hard)
            if more := {resource: amount for resource, amount in more.items() if amount}:
                charges[name] = more
        if not self._is_status:
            for name, more in charges.items():
                _check(concerned[name], more)
        return charges

    def _check_covered(
        self, limited: Sequence[Limited], quotas: Sequence[Quota], concerned: Iterable[Quota], more: Amounts
    ) -> None:
        evaluator, used = self._evaluator, self._used()[0]
        if not any(more.values()):
            return
        kind = (evaluator.group, evaluator.plural)
        contained = [text for each in limited if (each.group, each.plural) == kind for text in each.contains]
        wanted = {name for name, amount in used.items() if amount > ZERO and any(text in name for text in contained)}
        if missing := wanted.difference(*(evaluator.names(quota.hard) for quota in concerned)):
            raise Refused(f"insufficient quota to consume: {','.join(sorted(missing))}")
        covered = {scope.name for quota in quotas for scope in quota.scopes if self._is_of(scope)}
        open_scopes = [scope for each in limited for scope in each.scopes if self._is_of(scope) and scope.name not in covered]
        if open_scopes:
            told = " ".join(f"{{{scope.name} {scope.operator} [{' '.join(scope.values)}]}}" for scope in open_scopes)
            raise Uncovered(f"insufficient quota to match these scopes: [{told}]")

    def _is_of(self, scope: Scope) -> bool:
        return self._evaluator.matches((scope,), self._new)

    def _concerns(self, quota: Quota) -> bool:
        """Raises Refused for what the quota wants to be said and is not."""
        names = self._evaluator.names(quota.hard)
        if not names or not self._evaluator.matches(quota.scopes, self._new):
            return False
        if why := self._evaluator.missing(names, self._new):
            raise Refused(f"failed quota: {quota.name}: {why}")
        if any(name not in quota.used for name in names):
            raise Refused(f"status unknown for quota: {quota.name}, resources: {','.join(sorted(names))}")
        return True

    def _used(self) -> tuple[Amounts, Amounts]:
        """By the object as it will be; and by how much that is more than it was."""
        if self._usage is None:
            new = self._evaluator.usage(self._new, self._now)
            if negative := sorted(name for name, amount in new.items() if amount < ZERO):
                raise Refused(f"quota usage is negative for resource(s): {','.join(negative)}")
            old = self._evaluator.usage(self._old, self._now) if self._old is not None else {}
            self._usage = new, rest(new, old)
        return self._usage


def _check(quota: Quota, more: Mapping[str, Quantity]) -> None:
    after = total(quota.used, more)
    beyond = [name for name in more if after[name] > quota.hard[name]]
    if beyond:
        requested, used, limited = (shown(only(amounts, beyond)) for amounts in (more, quota.used, quota.hard))
        raise Refused(f"exceeded quota: {quota.name}, requested: {requested}, used: {used}, limited: {limited}")

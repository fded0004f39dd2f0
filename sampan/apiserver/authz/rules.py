"""RBAC's policy rules as pure functions: what a rule allows, what a set of rules covers.

After k8s.io/kubernetes/pkg/apis/rbac/v1 (evaluation_helpers.go) and k8s.io/component-helpers/auth/rbac/validation (Covers).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, Protocol

ALL = "*"


class Question(Protocol):
    """What a request wants, as `RequestInfo` has it."""

    is_resource: bool
    path: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str


class Rule(NamedTuple):
    """A policyRule of a role."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Rule:
        fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        return cls(*(tuple(tree.get(field) or ()) for field in fields))

    def tree(self) -> dict[str, Any]:
        names = ("apiGroups", "nonResourceURLs", "resourceNames", "resources", "verbs")
        values = (self.groups, self.urls, self.names, self.resources, self.verbs)
        return {name: list(value) for name, value in zip(names, values, strict=True) if value}

    def allows(self, question: Question) -> bool:
        if question.verb not in self.verbs and ALL not in self.verbs:
            return False
        if not question.is_resource:
            return any(url_covers(url, question.path) for url in self.urls)
        return (
            (question.group in self.groups or ALL in self.groups)
            and self._has_resource(question.resource, question.subresource)
            and (not self.names or question.name in self.names)
        )

    def _has_resource(self, resource: str, subresource: str) -> bool:
        wanted = f"{resource}/{subresource}" if subresource else resource
        return ALL in self.resources or wanted in self.resources or bool(subresource and f"*/{subresource}" in self.resources)

    def __str__(self) -> str:
        """As upstream words a rule in the message of a refused escalation."""
        named = (
            ("APIGroups", self.groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.urls),
            ("ResourceNames", self.names),
            ("Verbs", self.verbs),
        )
        return "{" + ", ".join(f"{name}:{quoted(values)}" for name, values in named if values) + "}"


def quoted(values: Iterable[str]) -> str:
    """Go's %q of a list of strings."""
    return "[" + " ".join(json.dumps(value, ensure_ascii=False) for value in values) + "]"


def url_covers(pattern: str, path: str) -> bool:
    """Whether a nonResourceURL, which may end in *, stands for `path` (or for all of another pattern)."""
    return pattern in (ALL, path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def missing(owned: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """What `wanted` grants and no single rule of `owned` does, in the smallest pieces a rule has."""
    return [piece for rule in wanted for piece in _pieces(rule) if not any(_covers(have, piece) for have in owned)]


def compact(pieces: Iterable[Rule]) -> list[Rule]:
    """Pieces about the same resource as one rule with all their verbs; paths are left as they are."""
    verbs: dict[Rule, list[str]] = {}
    for piece in pieces:
        thing = piece if piece.urls else piece._replace(verbs=())
        verbs.setdefault(thing, []).extend(piece.verbs)
    return [thing._replace(verbs=tuple(dict.fromkeys(found))) for thing, found in verbs.items()]


def _pieces(rule: Rule) -> Iterator[Rule]:
    for group, resource, verb in product(rule.groups, rule.resources, rule.verbs):
        if rule.names:
            for name in rule.names:
                yield Rule((verb,), (group,), (resource,), (name,))
        else:
            yield Rule((verb,), (group,), (resource,))
    for url, verb in product(rule.urls, rule.verbs):
        yield Rule((verb,), urls=(url,))


def _covers(owned: Rule, piece: Rule) -> bool:
    """`piece` has one of everything."""
    if ALL not in owned.verbs and piece.verbs[0] not in owned.verbs:
        return False
    if piece.urls:
        return any(url_covers(url, piece.urls[0]) for url in owned.urls)
    resource, _, subresource = piece.resources[0].partition("/")
    return (
        (ALL in owned.groups or piece.groups[0] in owned.groups)
        and owned._has_resource(resource, subresource)
        and (not owned.names or (bool(piece.names) and piece.names[0] in owned.names))
    )

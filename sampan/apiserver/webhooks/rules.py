"""Which requests a rule of a webhook or policy is about: its operations, groups, versions, resources and scope.

After k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules. Pure. What a rule says of a request depends on little of
it, its `Place`, so that the answer can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sampan.api.resource import Resource, Tree

ANY: Final = "*"
_GROUP: Final = "admissionregistration.k8s.io"


class Place(NamedTuple):
    """What rules go by."""

    group: str
    version: str
    plural: str
    subresource: str
    operation: str
    namespaced: bool

    def at(self, resource: Resource) -> Place:
        """The same of a resource that is equivalent."""
        return self._replace(group=resource.group, version=resource.version, plural=resource.plural)


class Rule:
    """A RuleWithOperations; `names` are those of a NamedRuleWithOperations, none being all."""

    __slots__ = ("_groups", "_operations", "_resources", "_scope", "_versions", "names")

    def __init__(self, tree: Tree) -> None:
        self._operations = frozenset(tree.get("operations") or ())
        self._groups = frozenset(tree.get("apiGroups") or ())
        self._versions = frozenset(tree.get("apiVersions") or ())
        split = (text.partition("/") for text in tree.get("resources") or ())
        self._resources = frozenset((plural, subresource) for plural, _, subresource in split)
        self._scope: str = tree.get("scope") or ANY
        self.names = frozenset(tree.get("resourceNames") or ())

    def matches(self, place: Place) -> bool:
        return (
            self._matches_scope(place)
            and _has(self._operations, place.operation)
            and _has(self._groups, place.group)
            and _has(self._versions, place.version)
            and self._matches_resource(place.plural, place.subresource)
        )

    def _matches_scope(self, place: Place) -> bool:
        """A Namespace is not in itself."""
        if self._scope == ANY:
            return True
        return place.namespaced == (self._scope == "Namespaced")

    def _matches_resource(self, plural: str, subresource: str) -> bool:
        wanted = ((plural, subresource), (plural, ANY), (ANY, subresource), (ANY, ANY))
        return any(pair in self._resources for pair in wanted)


def _has(values: frozenset[str], value: str) -> bool:
    return value in values or ANY in values


class Target(NamedTuple):
    """As what a request matches: a version of its resource, and under which names."""

    resource: Resource
    names: frozenset[str]


def targets(rules: Sequence[Rule], place: Place, resource: Resource, equivalents: Sequence[Resource]) -> list[Target]:
    """All ways in which a request matches, best first: as itself, or as an equivalent resource, earlier rules first."""
    found = [Target(resource, rule.names) for rule in rules if rule.matches(place)]
    for rule in rules:
        found += [Target(other, rule.names) for other in equivalents if rule.matches(place.at(other))]
    return found


def is_exempt(resource: Resource) -> bool:
    """What webhooks and policies are made of is not theirs to judge: a bad one must be possible to remove."""
    return resource.group == _GROUP

"""Which webhooks and policies a request concerns: by rules, by the labels of its namespace, by those of its object.

After k8s.io/apiserver/pkg/admission/plugin/webhook/{generic,predicates} and .../policy/matching. What rules say is worked out
once for each kind of request and kept, so that a request that concerns nobody costs a look into a dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

from sampan.api.errors import internal_error, not_found
from sampan.api.resource import Resource, Tree
from sampan.api.scheme import Scheme
from sampan.api.selectors import EVERYTHING, LabelSelector, SelectorError, from_label_selector
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.apiserver.webhooks.equivalents import Equivalents
from sampan.apiserver.webhooks.rules import Place, Rule, Target, targets

_NO_LABELS: Final[Mapping[str, str]] = {}
_EQUIVALENT: Final = "Equivalent"


def is_namespace(resource: Resource) -> bool:
    return resource.plural == "namespaces" and not resource.group


def namespace_of(attributes: Attributes) -> str:
    """The namespace that a request is about: of a Namespace itself, its own name."""
    return attributes.name if is_namespace(attributes.resource) else attributes.namespace


def place_of(attributes: Attributes) -> Place:
    resource = attributes.resource
    return Place(
        resource.group,
        resource.version,
        resource.plural,
        attributes.subresource,
        attributes.operation,
        resource.namespaced,
    )


class Criteria:
    """What a webhook, a policy or a binding says of the requests that concern it.

    `rules` None: any; `excluded` are the rules of those it has nothing to do with after all.
    """

    def __init__(self, tree: Tree, rules: Sequence[Tree] | None, excluded: Sequence[Tree] = ()) -> None:
        self._rules = [Rule(rule) for rule in rules] if rules is not None else None
        self._excluded = [Rule(rule) for rule in excluded]
        self._by_equivalence = tree.get("matchPolicy") == _EQUIVALENT
        self._problem = ""
        self._namespaces = self._selector(tree, "namespaceSelector")
        self._objects = self._selector(tree, "objectSelector")

    def _selector(self, tree: Tree, field: str) -> LabelSelector:
        """One that is no good, which only a store of long ago can hold, must not fail requests that it is not about."""
        try:
            return from_label_selector(tree.get(field) or {})
        except SelectorError as error:
            self._problem = str(error)
            return EVERYTHING

    def targets(self, place: Place, resource: Resource, equivalents: Equivalents) -> tuple[Sequence[Target], Sequence[Target]]:
        """As what a request may match, and as what it may be excluded."""
        others = equivalents.of(resource, place.subresource) if self._by_equivalence else ()
        found = [Target(resource, frozenset())] if self._rules is None else targets(self._rules, place, resource, others)
        return found, targets(self._excluded, place, resource, others)

    def selects(self, attributes: Attributes, shown: Tree | None, namespace: NamespaceLabels) -> bool:
        """Whether labels allow it; `shown` is the object as it is by now. Raises StatusError 404 for a namespace that is not
        there."""
        if self._problem:
            raise internal_error(self._problem)
        if not self._objects.empty and not (self._has_labels(shown) or self._has_labels(attributes.old)):
            return False
        if self._namespaces.empty:
            return True
        labels = namespace.labels(shown)
        return labels is None or self._namespaces.matches(labels)

    def _has_labels(self, tree: Tree | None) -> bool:
        metadata = tree.get("metadata") if tree is not None else None
        return metadata is not None and self._objects.matches(metadata.get("labels") or _NO_LABELS)


class NamespaceLabels:
    """Those of the namespace that a request is about, looked up once."""

    __slots__ = ("_attributes", "_found", "_namespaces")

    def __init__(self, attributes: Attributes, namespaces: WatchCache) -> None:
        self._attributes = attributes
        self._namespaces = namespaces
        self._found: Mapping[str, str] | None = None

    def labels(self, shown: Tree | None) -> Mapping[str, str] | None:
        """None: it is about nothing in a namespace, and is exempted by none. Raises StatusError 404."""
        if self._found is not None:
            return self._found
        attributes = self._attributes
        name = namespace_of(attributes)
        if is_namespace(attributes.resource):
            if attributes.operation in (CREATE, UPDATE) and not attributes.subresource:
                return ((shown or {}).get("metadata") or {}).get("labels") or _NO_LABELS
        elif not name:
            return None
        found = self._namespaces.get("", name)
        if found is None:
            raise not_found("namespaces", "", name)
        self._found = found.labels
        return found.labels


def choose(found: Sequence[Target], name: str) -> Target | None:
    """The first that has nothing against the object's name."""
    return next((target for target in found if not target.names or name in target.names), None)


class HasCriteria(Protocol):
    @property
    def criteria(self) -> Criteria: ...


Who = TypeVar("Who", bound=HasCriteria)


class Concerned(Generic[Who]):
    """A webhook or policy that may be concerned: as what, and as what it is not."""

    __slots__ = ("_always", "_excluded", "_found", "who")

    def __init__(self, who: Who, found: Sequence[Target], excluded: Sequence[Target]) -> None:
        self.who = who
        self._found = found
        self._excluded = excluded
        self._always = found[0] if not excluded and not found[0].names else None

    def target(self, name: str) -> Target | None:
        """As what the object of that name concerns it, labels aside."""
        if self._always is not None:
            return self._always
        return None if choose(self._excluded, name) is not None else choose(self._found, name)


class Index(Generic[Who]):
    """Who of many is concerned with a kind of request, as far as rules say, in their order."""

    def __init__(self, scheme: Scheme, equivalents: Equivalents) -> None:
        self._scheme = scheme
        self._equivalents = equivalents
        self._all: Sequence[Who] = ()
        self._known: dict[Place, Sequence[Concerned[Who]]] = {}
        self._generation = -1

    def replace(self, everybody: Sequence[Who]) -> None:
        self._all = everybody
        self._known.clear()

    def __bool__(self) -> bool:
        """Whether there is anybody at all."""
        return bool(self._all)

    def concerned(self, attributes: Attributes) -> Sequence[Concerned[Who]]:
        if not self._all:
            return ()
        if self._generation != self._scheme.generation:  # other versions may be served by now
            self._known.clear()
            self._generation = self._scheme.generation
        place = place_of(attributes)
        known = self._known.get(place)
        if known is None:
            asked = ((who, who.criteria.targets(place, attributes.resource, self._equivalents)) for who in self._all)
            known = self._known[place] = [Concerned(who, *answer) for who, answer in asked if answer[0]]
        return known

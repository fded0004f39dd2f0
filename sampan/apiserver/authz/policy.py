"""The roles and bindings of the cluster, indexed by whom they concern and kept up by the watch caches of the four kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sampan.apiserver.authz.rules import Rule
from sampan.apiserver.user import User

GROUP = "rbac.authorization.k8s.io"
PLURALS = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")

_USER = "User"
_GROUP = "Group"
_ACCOUNT = "system:serviceaccount:"

Key = tuple[str, str]
"""(namespace, name) of a role or binding, or (kind, name) of a subject."""


class Cached(Protocol):
    """What is read of a cached object."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    def tree(self) -> dict[str, Any]: ...


class Source(Protocol):
    """What is needed of a watch cache. Filling it anew replaces `objects`; single changes are told to listeners."""

    @property
    def objects(self) -> Mapping[str, Cached]: ...

    def listen(self, listener: Callable[[Sequence[Any]], None]) -> None: ...


class Binding(NamedTuple):
    kind: str
    namespace: str
    name: str
    subjects: tuple[Key, ...]
    role_kind: str
    role_name: str

    def __str__(self) -> str:
        place = f"{self.name}/{self.namespace}" if self.namespace else self.name
        return f'{self.kind} "{place}" of {self.role_kind} "{self.role_name}"'


class Grant(NamedTuple):
    """A binding that concerns a user, the subject by which it does, and its role's rules (None: there is no such role)."""

    binding: Binding
    subject: str
    rules: tuple[Rule, ...] | None


class Policy:
    """`changed` is called whenever anything in it may have become different."""

    def __init__(self, sources: Mapping[str, Source], changed: Callable[[], None] = lambda: None) -> None:
        self._sources = sources
        self._changed = changed
        self._seen: tuple[Mapping[str, Cached], ...] = ()
        self._clear()
        for plural, source in sources.items():
            source.listen(lambda events, plural=plural: self._apply(plural, events))  # type: ignore[misc]

    def refresh(self) -> None:
        """Index everything anew if a cache was filled since; costs four comparisons when none was."""
        seen = self._seen
        if seen and all(source.objects is old for source, old in zip(self._sources.values(), seen, strict=True)):
            return
        self._seen = tuple(source.objects for source in self._sources.values())
        self._clear()
        for plural, objects in zip(self._sources, self._seen, strict=True):
            for obj in objects.values():
                self._put(plural, obj)
        self._changed()

    def grants(self, user: User, namespace: str) -> Iterator[Grant]:
        """Every grant to the user in the namespace ("": at cluster scope), cluster-wide ones first."""
        subjects = [(_USER, user.name), *((_GROUP, group) for group in user.groups)]
        for scope in ("", namespace) if namespace else ("",):
            bound = self._bound.get(scope)
            if not bound:
                continue
            for subject in subjects:
                for binding in bound.get(subject, {}).values():
                    yield Grant(binding, _shown(subject), self.role(binding))

    def role(self, binding: Binding) -> tuple[Rule, ...] | None:
        return self.rules(binding.role_kind, binding.role_name, binding.namespace)

    def rules(self, kind: str, name: str, namespace: str) -> tuple[Rule, ...] | None:
        """The rules of a Role of the namespace or a ClusterRole; None where there is none."""
        return self._roles.get(("" if kind == "ClusterRole" else namespace, name))

    def _clear(self) -> None:
        self._roles: dict[Key, tuple[Rule, ...]] = {}
        self._bindings: dict[Key, Binding] = {}
        self._bound: dict[str, dict[Key, dict[str, Binding]]] = {}
        """Namespace ("": cluster) → subject → name → binding."""

    def _apply(self, plural: str, events: Sequence[Any]) -> None:
        for event in events:
            if event.deleted:
                self._remove(plural, event.object)
            else:
                self._put(plural, event.object)
        self._changed()

    def _put(self, plural: str, obj: Cached) -> None:
        tree = obj.tree()
        if plural in ("roles", "clusterroles"):
            self._roles[obj.namespace, obj.name] = tuple(Rule.of(rule) for rule in tree.get("rules") or ())
            return
        self._remove(plural, obj)
        binding = _binding(tree, obj.namespace, obj.name)
        self._bindings[obj.namespace, obj.name] = binding
        for subject in binding.subjects:
            self._bound.setdefault(obj.namespace, {}).setdefault(subject, {})[obj.name] = binding

    def _remove(self, plural: str, obj: Cached) -> None:
        if plural in ("roles", "clusterroles"):
            self._roles.pop((obj.namespace, obj.name), None)
            return
        binding = self._bindings.pop((obj.namespace, obj.name), None)
        if binding is None or not binding.subjects:
            return
        bound = self._bound[obj.namespace]
        for subject in binding.subjects:
            bound[subject].pop(obj.name, None)
            if not bound[subject]:
                del bound[subject]  # namespaces and users come and go: what is empty would be kept for ever
        if not bound:
            del self._bound[obj.namespace]


def _binding(tree: Mapping[str, Any], namespace: str, name: str) -> Binding:
    subjects = [_subject(subject, namespace) for subject in tree.get("subjects") or ()]
    role = tree.get("roleRef") or {}
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return Binding(kind, namespace, name, tuple(dict.fromkeys(subjects)), role.get("kind", ""), role.get("name", ""))


def _subject(subject: Mapping[str, str], namespace: str) -> Key:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind == "ServiceAccount":
        return _USER, f"{_ACCOUNT}{subject.get('namespace') or namespace}:{name}"
    return kind, name


def _shown(subject: Key) -> str:
    kind, name = subject
    if kind == _USER and name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        return f'ServiceAccount "{account}/{namespace}"'
    return f'{kind} "{name}"'

"""The webhooks of all configurations of a kind, taken apart once, in the order in which they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from sampan.api.groups.admissionregistration.expressions import Scope
from sampan.api.resource import Tree
from sampan.apiserver.context import Context
from sampan.apiserver.policies.conditions import Conditions
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.apiserver.webhooks.equivalents import Equivalents
from sampan.apiserver.webhooks.matching import Criteria, Index

GROUP = "admissionregistration.k8s.io"


class Hook:
    """One webhook. `uid` tells it from all others, also from those of its configuration that share its name."""

    def __init__(self, configuration: str, tree: Tree, uid: str) -> None:
        self.configuration = configuration
        self.uid = uid
        self.name: str = tree.get("name", "")
        self.client: Tree = tree.get("clientConfig") or {}
        self.criteria = Criteria(tree, tree.get("rules") or ())
        self.fails_open = tree.get("failurePolicy") == "Ignore"
        self.timeout_seconds: int = tree.get("timeoutSeconds") or 10
        self.runs_dry = tree.get("sideEffects") in ("None", "NoneOnDryRun")
        self.review_versions: Sequence[str] = tree.get("admissionReviewVersions") or ()
        self.is_reinvoked = tree.get("reinvocationPolicy") == "IfNeeded"
        self._conditions: Sequence[Tree] = tree.get("matchConditions") or ()

    @cached_property
    def conditions(self) -> Conditions | None:
        """Compiled when they are first asked."""
        return Conditions(self._conditions, Scope(), fails_open=self.fails_open) if self._conditions else None


def hooks_of(configuration: Tree) -> list[Hook]:
    found: list[Hook] = []
    seen: dict[str, int] = {}
    name = configuration["metadata"]["name"]
    for tree in configuration.get("webhooks") or ():
        own = tree.get("name", "")
        seen[own] = seen.get(own, -1) + 1
        found.append(Hook(name, tree, f"{name}/{own}/{seen[own]}"))
    return found


class Configurations:
    """Of one kind, "mutatingwebhookconfigurations" or "validatingwebhookconfigurations"."""

    def __init__(self, context: Context, plural: str, equivalents: Equivalents) -> None:
        self._cache: WatchCache = context.registry(GROUP, plural).cache
        self._index: Index[Hook] = Index(context.scheme, equivalents)
        self._compiled: dict[str, tuple[CachedObject, list[Hook]]] = {}
        outdate(context, (self._cache,), self._outdate)
        self._outdated = True

    @property
    def index(self) -> Index[Hook]:
        if self._outdated:
            self._refresh()
        return self._index

    def _outdate(self) -> None:
        self._outdated = True

    def _refresh(self) -> None:
        """What did not change is not taken apart again. By name, as configurations are called."""
        self._outdated = False
        before, self._compiled = self._compiled, {}
        for obj in self._cache.in_namespace(""):
            known = before.get(obj.name)
            self._compiled[obj.name] = known if known and known[0] is obj else (obj, hooks_of(obj.tree()))
        self._index.replace([hook for _, hooks in self._compiled.values() for hook in hooks])


def watch(context: Context, caches: Sequence[WatchCache], changed: Callable[[], None]) -> None:
    """Call `changed` whenever one of the caches may hold something else than before."""
    for cache in caches:
        cache.listen(lambda events: changed())
    context.feed.on_fill(changed)


def outdate(context: Context, caches: Sequence[WatchCache], changed: Callable[[], None]) -> None:
    """As `watch`, for who admits by what the caches hold: without any of it, admission has nothing to do with him."""

    def forget() -> None:
        changed()
        context.registries.admission.ask_anew()

    watch(context, caches, forget)

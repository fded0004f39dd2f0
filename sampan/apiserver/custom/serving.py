"""Which custom resources are served: those whose definitions have been given their names.

A definition that appears or changes is served by a task, for its objects are read from the store first; one that is gone is
served no more from that moment. Requests that may depend on a change that is not served yet wait for it (`settled`), so that
a client which was told of a definition finds what it defines. Upstream waits, with its sleeps, for its informers.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sampan.api.crd import definition
from sampan.api.resource import Resource, Tree
from sampan.apiserver.context import Context
from sampan.apiserver.custom.conditions import ESTABLISHED, NAMES_ACCEPTED, TERMINATING
from sampan.apiserver.custom.conversion import WebhookConverter
from sampan.apiserver.custom.endpoint import CustomEndpoint
from sampan.apiserver.custom.plan import Plan, build_plan, identity_of
from sampan.apiserver.custom.shape import CustomShape
from sampan.apiserver.custom.versions import Version, make_version, show_faces
from sampan.apiserver.registry.generic import Registry
from sampan.apiserver.registry.views import RenamedView
from sampan.lib.log import get_logger

_TERMINATING_VERBS = ("delete", "deletecollection", "get", "list", "watch")

log = get_logger("apiserver")


class Served:
    """What is served of one definition."""

    def __init__(self, plan: Plan, uid: str, identity: bytes, registry: Registry) -> None:
        self.plan = plan
        self.uid = uid
        self.identity = identity
        self.registry = registry
        """Of the stored form."""
        self.endpoints: list[CustomEndpoint] = []
        self.versions: list[Version] = []
        """Those that a webhook makes."""
        self.terminating = False


class CustomResources:
    """`changed` and `gone` are called with every event of a definition; `serve` by the task that acts on it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._served: dict[str, Served] = {}
        self._builtin = frozenset((r.group, r.plural) for r in context.scheme)
        self._pending: dict[str, asyncio.Event] = {}
        """By name: definitions whose change is not served yet."""

    def changed(self, crd: Tree) -> None:
        if not self._is_current(crd):
            self._pending.setdefault(crd["metadata"]["name"], asyncio.Event())

    def gone(self, name: str) -> None:
        self.withdraw(name)
        self.release(name)

    def _is_current(self, crd: Tree) -> bool:
        served = self._served.get(crd["metadata"]["name"])
        return served is not None and served.identity == identity_of(crd)

    def settle(self, name: str) -> None:
        """Let those go on who wait for a definition, if what it says by now is served. One that has neither got its names nor
        been denied them stays pending: some server is about to say."""
        if name not in self._pending:
            return
        found = self._context.registry(definition.GROUP, "customresourcedefinitions").cache.get("", name)
        crd = found.tree() if found is not None else None
        if crd is not None and definition.condition(crd, NAMES_ACCEPTED) is None:
            return
        if crd is None or not self._shall_be_served(crd) or self._is_current(crd):
            self.release(name)

    def release(self, name: str) -> None:
        """Let them go on in any case."""
        pending = self._pending.pop(name, None)
        if pending is not None:
            pending.set()

    def _shall_be_served(self, crd: Tree) -> bool:
        accepted = definition.is_true(crd, NAMES_ACCEPTED) or definition.is_true(crd, ESTABLISHED)
        return accepted and not self.overlaps(crd)

    def is_pending(self, group: str, plural: str) -> bool:
        """Whether what is served of a resource is about to change."""
        return bool(self._pending) and f"{plural}.{group}" in self._pending

    def may_come(self, group: str, plural: str) -> bool:
        """Whether a resource that is not served may be before long."""
        return self.is_pending(group, plural) or not self._context.feed.local

    async def settled(self, group: str, plural: str) -> None:
        """Return when what this server knows of a definition is served; of several servers of one store, what any knows."""
        if not self._context.feed.local:
            await self._context.feed.reach_now()
        pending = self._pending.get(f"{plural}.{group}")
        if pending is not None:
            await pending.wait()

    def overlaps(self, crd: Tree) -> bool:
        """Whether the definition's objects would be those of a built-in kind, which goes before."""
        return (crd["spec"]["group"], crd["spec"]["names"]["plural"]) in self._builtin

    def registry_of(self, name: str) -> Registry | None:
        """That of the stored form of a definition's objects; None where they are not served."""
        served = self._served.get(name)
        return served.registry if served is not None else None

    async def serve(self, crd: Tree) -> None:
        """Serve what a definition says; call it with its newest state, and one at a time. Raises StoreUnavailable."""
        name = crd["metadata"]["name"]
        if not self._shall_be_served(crd):
            self.withdraw(name)
            return
        identity = identity_of(crd)
        served = self._served.get(name)
        if served is None or served.identity != identity:
            served = await self._install(name, crd["metadata"]["uid"], build_plan(crd), identity)
        if served is not None:
            self._set_terminating(served, definition.is_true(crd, TERMINATING))

    async def _install(self, name: str, uid: str, plan: Plan, identity: bytes) -> Served | None:
        """None where the definition went away meanwhile."""
        context = self._context
        before = self._served.get(name)
        if before is not None and before.uid != uid:
            self.withdraw(name)
        shape = CustomShape(plan.stored, plan.schemas)
        if plan.webhook is not None:
            show_faces(shape, plan)
        registry = await context.registries.join(plan.stored, shape)
        # Nothing below waits, so that no request finds one half of it.
        if self._is_gone(name, uid):
            context.registries.leave(plan.group, plan.plural)
            return None
        served = self._build(Served(plan, uid, identity, registry))
        before = self._served.pop(name, None)
        if before is not None:
            self._unlist(before, keep={resource.version for resource in plan.served})
            self._stop_versions(before)
        for endpoint in served.endpoints:
            context.endpoints.add(endpoint)
            context.scheme.add(endpoint.resource)
        self._served[name] = served
        log.info("custom resource served", name=name, versions=[resource.version for resource in plan.served])
        return served

    def _is_gone(self, name: str, uid: str) -> bool:
        found = self._context.registry(definition.GROUP, "customresourcedefinitions").cache.get("", name)
        return found is None or found.tree()["metadata"]["uid"] != uid

    def _build(self, served: Served) -> Served:
        plan, registry = served.plan, served.registry
        converter = WebhookConverter(self._context.webhooks, plan.webhook) if plan.webhook is not None else None
        for resource in plan.served:
            if converter is None or (resource is plan.stored and plan.uniform):
                served.endpoints.append(self._endpoint(plan, resource))
            else:
                version = self._version(plan, resource, converter, registry)
                served.versions.append(version)
                served.endpoints.append(CustomEndpoint(version.registry, version.hub, self._context.config))
        if converter is not None and not plan.uniform:
            served.registry = self._stored_version(plan, served, converter, registry).registry
        return served

    def _endpoint(self, plan: Plan, resource: Resource) -> CustomEndpoint:
        registries = self._context.registries
        view = RenamedView(resource) if resource.stored_as and resource.version in plan.same_form else None
        return CustomEndpoint(registries.serve(resource), registries.hub_of(resource), self._context.config, view)

    def _version(self, plan: Plan, resource: Resource, converter: WebhookConverter, stored: Registry) -> Version:
        context = self._context
        version = make_version(plan, resource, converter, stored, context.clock, context.tasks)
        context.registries.more_hubs.add(version.hub)
        return version

    def _stored_version(self, plan: Plan, served: Served, converter: WebhookConverter, stored: Registry) -> Version:
        """The storage version, whose objects are of older ones in part, be it served or not."""
        for version in served.versions:
            if version.registry.resource is plan.stored:
                return version
        served.versions.append(self._version(plan, plan.stored, converter, stored))
        return served.versions[-1]

    def _stop_versions(self, served: Served) -> None:
        for version in served.versions:
            version.stop()
            self._context.registries.more_hubs.discard(version.hub)

    def withdraw(self, name: str) -> None:
        """Serve nothing of a definition any more; watches end."""
        served = self._served.pop(name, None)
        if served is not None:
            self._unlist(served, keep=set())
            self._stop_versions(served)
            self._context.registries.leave(served.plan.group, served.plan.plural)
            log.info("custom resource no longer served", name=name)

    def _unlist(self, served: Served, keep: set[str]) -> None:
        gone = [resource for resource in served.plan.served if resource.version not in keep]
        self._context.endpoints.remove((resource.group, resource.version, resource.plural) for resource in gone)
        for resource in gone:
            self._context.scheme.remove(resource)

    def _set_terminating(self, served: Served, terminating: bool) -> None:
        if served.terminating == terminating:
            return
        served.terminating = terminating
        for endpoint in served.endpoints:
            endpoint.terminating = terminating
            shown = replace(endpoint.resource, verbs=_TERMINATING_VERBS) if terminating else endpoint.resource
            self._context.scheme.add(shown)

"""Admission: the plugins every write passes, in upstream's order: first all that may change the object, then all that judge.

A plugin is one file with one class. It says what concerns it, and has `mutate`, `validate` or both; it raises StatusError
(most often 403) to refuse. Plugins read the caches; one that must wait for them to change does so in `settle`, before any sees
the object. One that must ask elsewhere, or write first, answers with an awaitable; most writes meet none and wait for nothing.
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sampan.api.errors import StatusError, forbidden
from sampan.api.resource import Resource, Tree
from sampan.apiserver.registry.options import DeleteOptions, WriteOptions
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User
from sampan.apiserver.webhooks.reinvocation import Reinvocation

CREATE = "CREATE"
UPDATE = "UPDATE"
DELETE = "DELETE"
CONNECT = "CONNECT"


async def _no_turn() -> None:
    """Of a write that holds nobody up."""


@dataclass(slots=True)
class Attributes:
    """One write, as plugins see it. `object` is None for a delete, `old` for a create."""

    operation: str
    resource: Resource
    namespace: str
    name: str
    user: User
    object: Tree | None
    old: Tree | None = None
    subresource: str = ""
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    options: WriteOptions | DeleteOptions | None = None
    """Those of the request; None for a write of the server's own."""
    form: Resource | None = None
    """What the object is where it is not of the resource's own kind: the Scale of a Deployment, the options of an exec."""
    nameless: bool = False
    """Whether the client named no object: the name is one that was generated, or one of a whole collection that is deleted."""
    round: int = 0
    """1 while plugins change the object a second time, for webhooks have changed it meanwhile."""
    again: bool = False
    """Set by who wants that second round."""
    reinvocation: Reinvocation | None = None
    """What webhooks keep from one round to the next."""
    end_turn: Callable[[], Awaitable[None]] = _no_turn
    """Lets other writers of the object go first; for plugins that wait long, or for somebody who may write it himself."""
    on_failure: list[Callable[[], None]] = field(default_factory=list)
    """What to undo of admission if the write is not made after all."""

    def failed(self) -> None:
        """The write was refused, or not stored."""
        while self.on_failure:
            self.on_failure.pop()()

    def refused(self, why: str) -> StatusError:
        return forbidden(self.resource.plural, self.resource.group, self.name, why)


class Plugin(Protocol):
    name: str

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        """Asked once for each combination; the answer is kept."""
        ...

    def settle(self, attributes: Attributes) -> Awaitable[None] | None:
        """None: nothing to wait for."""
        ...

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        """None: done."""
        ...

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        """None: done."""
        ...


class Judge:
    """A base for plugins that do not do everything."""

    def settle(self, attributes: Attributes) -> Awaitable[None] | None:
        return None

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        return None

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        return None


class Concerned(NamedTuple):
    """The plugins that have something to do in each step."""

    settling: tuple[Plugin, ...]
    mutating: tuple[Plugin, ...]
    validating: tuple[Plugin, ...]


def _does(plugin: Plugin, step: str) -> bool:
    return getattr(type(plugin), step) is not getattr(Judge, step)


def _nobody_may(user: User, info: RequestInfo) -> tuple[bool, str]:
    return False, "the server is not up yet"


class Admission:
    """The plugins in order; none until `use`, for plugins read the caches of registries that are made with their admission."""

    def __init__(self) -> None:
        self.authorize: Callable[[User, RequestInfo], tuple[bool, str]] = _nobody_may
        """Asked for writes that turn out to be others than the request's verb said."""
        self._plugins: Sequence[Plugin] = ()
        self._concerned: dict[tuple[str, str, bool, str, str], Concerned] = {}

    def use(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = plugins
        self.ask_anew()

    def ask_anew(self) -> None:
        """What concerns plugins may not be what it was."""
        self._concerned.clear()

    def _plugins_for(self, resource: Resource, subresource: str, operation: str) -> Concerned:
        # A custom resource may come back with another scope.
        key = (resource.group, resource.plural, resource.namespaced, subresource, operation)
        found = self._concerned.get(key)
        if found is None:
            concerned = [p for p in self._plugins if p.concerns(resource, subresource, operation)]
            found = self._concerned[key] = Concerned(
                tuple(p for p in concerned if _does(p, "settle")),
                tuple(p for p in concerned if _does(p, "mutate")),
                tuple(p for p in concerned if _does(p, "validate")),
            )
        return found

    async def mutate(self, attributes: Attributes) -> None:
        concerned = self._plugins_for(attributes.resource, attributes.subresource, attributes.operation)
        for plugin in concerned.settling:
            waiting = plugin.settle(attributes)
            if waiting is not None:
                await waiting
        if concerned.mutating:
            await _mutate(concerned.mutating, attributes)
        if attributes.again:
            attributes.round = 1
            await _mutate(concerned.mutating, attributes)

    async def judge(self, attributes: Attributes) -> None:
        """Both steps, for what is not stored."""
        await self.mutate(attributes)
        if (waiting := self.validate(attributes)) is not None:
            await waiting

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        """None: done, as for most writes, which need no coroutine for it."""
        plugins = self._plugins_for(attributes.resource, attributes.subresource, attributes.operation).validating
        for index, plugin in enumerate(plugins):
            waiting = plugin.validate(attributes)
            if waiting is not None:
                return _validate_rest(waiting, plugins[index + 1 :], attributes)
        return None


async def _mutate(plugins: Sequence[Plugin], attributes: Attributes) -> None:
    for plugin in plugins:
        waiting = plugin.mutate(attributes)
        if waiting is not None:
            await waiting


async def _validate_rest(waiting: Awaitable[None], plugins: Sequence[Plugin], attributes: Attributes) -> None:
    await waiting
    for plugin in plugins:
        following = plugin.validate(attributes)
        if following is not None:
            await following

"""MutatingAdmissionWebhook: webhooks that change objects, one after another, by the names of their configurations.

After k8s.io/apiserver/pkg/admission/plugin/webhook/mutating.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final

from sampan.api.errors import internal_error
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge
from sampan.apiserver.webhooks.calling import Caller
from sampan.apiserver.webhooks.configurations import Hook
from sampan.apiserver.webhooks.hooks import Hooks
from sampan.apiserver.webhooks.matching import Concerned
from sampan.apiserver.webhooks.patches import admitted, decode_patch, has_schema, patched
from sampan.apiserver.webhooks.reinvocation import Reinvocation
from sampan.apiserver.webhooks.review import JSON_PATCH
from sampan.apiserver.webhooks.rules import is_exempt
from sampan.apiserver.webhooks.versioned import plain

_LATER: Final = ("uid", "creationTimestamp")
"""What an object is given after it was changed, though it has it already here."""


class MutatingWebhooks(Judge):
    name = "MutatingAdmissionWebhook"

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return bool(self._hooks) and not is_exempt(resource)

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        concerned = self._hooks.concerned(attributes)
        return _Round(self._hooks, attributes).run(concerned) if concerned else None


class _Round:
    """The calls for one write, in the first or the second round."""

    def __init__(self, hooks: Hooks, attributes: Attributes) -> None:
        self._hooks = hooks
        self._caller: Caller = hooks.caller
        self._attributes = attributes
        self._current = _shown(attributes)
        self._old = plain(attributes.old) if attributes.old is not None else None
        self._version = attributes.resource
        """That of `_current` and `_old`."""
        self._came = (self._current, self._old)
        """As what the request is about has them; the former with what webhooks changed, as long as nothing is `_dirty`."""
        self._dirty = False
        self._changed = False
        self._reinvocation = attributes.reinvocation = attributes.reinvocation or Reinvocation()

    async def run(self, concerned: Sequence[Concerned[Hook]]) -> None:
        noted = self._reinvocation
        if self._attributes.round and noted.last_output != self._current:
            noted.changed()  # by other plugins, in this round
        namespace = self._hooks.namespace(self._attributes)
        for each in concerned:
            target = self._hooks.target(each, self._attributes, self._current, namespace)
            if target is not None:
                await self._pass(each.who, target)
        if self._changed:
            await self._turn(self._attributes.resource)
            self._put_back()
        noted.last_output = _shown(self._attributes)

    async def _pass(self, hook: Hook, target: Resource) -> None:
        if hook.conditions is not None:
            await self._turn(target)
            if not self._hooks.wants(hook, self._attributes, target, self._current, self._old):
                return
        if self._attributes.round and not self._reinvocation.is_due(hook.uid):
            return
        await self._turn(target)
        await self._call(hook, target)

    async def _call(self, hook: Hook, target: Resource) -> None:
        await self._attributes.end_turn()
        try:
            found = await self._caller.ask(hook, self._attributes, target, self._current, self._old)
            if found is not None and found.patch:
                self._apply(hook, found.patch, found.patch_type, target)
        finally:
            if hook.is_reinvoked:
                self._reinvocation.note(hook.uid)

    def _apply(self, hook: Hook, patch: bytes, patch_type: str, target: Resource) -> None:
        operations = decode_patch(patch)
        if not operations:
            return
        if self._current is None:
            why = f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
            raise internal_error(why)
        if patch_type != JSON_PATCH:
            raise internal_error(f'failed calling webhook "{hook.name}": unsupported patch type "{patch_type}"')
        form = self._attributes.form or target
        before = {**self._current, "kind": form.kind, "apiVersion": form.group_version}
        after = patched(before, operations, form)
        is_same = after == admitted(before, form)
        if has_schema(form):
            form.complete(after)
        self._current, self._dirty, self._changed = after, True, True
        if not is_same:
            self._reinvocation.changed()
            self._attributes.again = True

    async def _turn(self, target: Resource) -> None:
        """Bring the objects into a version. What no webhook changed is made from what came in, lest anything be lost."""
        if target.group_version == self._version.group_version or self._attributes.form is not None:
            return
        source, (shown, old) = self._attributes.resource, self._came
        convert = self._hooks.equivalents.convert
        if self._dirty and self._current is not None:
            shown = await convert(self._current, self._version, source)
            self._came, self._dirty = (shown, old), False
        self._current = await convert(shown, source, target) if shown is not None else None
        self._old = await convert(old, source, target) if old is not None else None
        self._version = target

    def _put_back(self) -> None:
        """Into the very tree that is written."""
        tree, current = self._attributes.object, self._current
        assert tree is not None and current is not None, "a patch was applied"
        metadata, after = tree.get("metadata") or {}, current.get("metadata") or {}
        managed = metadata.get("managedFields")
        if managed is not None and after.get("managedFields") == plain({"": managed})[""]:
            after["managedFields"] = managed  # which says that nobody touched them
        if self._attributes.operation == CREATE and self._attributes.form is None:
            for field in _LATER:
                after.pop(field, None)
                if field in metadata:
                    after[field] = metadata[field]
            if self._attributes.nameless and not after.get("name"):
                after["name"] = metadata["name"]
        tree.clear()
        tree.update(current)


def _shown(attributes: Attributes) -> Tree | None:
    """The object as webhooks see it: new ones have no uid, and no name that nobody chose, before all is changed."""
    if attributes.object is None:
        return None
    tree = plain(attributes.object)
    if attributes.operation != CREATE or attributes.form is not None:
        return tree
    metadata = tree["metadata"]
    metadata.pop("uid", None)
    metadata["creationTimestamp"] = None
    if attributes.nameless:
        metadata.pop("name", None)
    return tree

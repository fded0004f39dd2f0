"""Keeps metadata.managedFields in every write of a resource, by the rules of `sampan.api.apply`.

They stand in no tree while an object is defaulted, checked and compared: they are carried beside it as the JSON they are
stored as, for most writes need not even decode them. After upstream's FieldManager
(k8s.io/apimachinery/pkg/util/managedfields/internal/fieldmanager.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec

from sampan.api.apply import ownership as owners
from sampan.api.apply.elements import ElementError
from sampan.api.apply.fieldset import union
from sampan.api.apply.outline import outline
from sampan.api.apply.ownership import Ownership, OwnershipError, Raw
from sampan.api.apply.places import place_of
from sampan.api.apply.update import STRIPPED, Converted, Rules, update
from sampan.api.decoding import TypeProblem
from sampan.api.errors import FieldError
from sampan.api.groups.validation.metadata import validate_managed_fields
from sampan.api.resource import Resource, Tree
from sampan.apiserver.registry.resetfields import excluded_fields, open_fields
from sampan.lib.remember import remember

FIELD = "managedFields"
BROKEN_BY_ADMISSION = (
    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission "
    "controller; please fix your requests: "
)
_LONGEST_NAME = 128
_FAILURES = (ElementError, RecursionError)
"""What stands in no relation to a schema, or too deep for one, is owned by nobody."""


@remember(1024)
def name_of_agent(user_agent: str) -> str:
    """What a client is called that does not say who manages the fields that it writes."""
    name, size = "", 0
    for character in filter(str.isprintable, user_agent.partition("/")[0]):
        size += len(character.encode(errors="replace"))
        if size > _LONGEST_NAME:
            break
        name += character
    return name


def take(tree: Tree) -> Any:
    """A tree's managedFields, which are there no more; None if it had none."""
    return tree["metadata"].pop(FIELD, None)


def put(tree: Tree, managed: Any) -> None:
    if managed is not None:
        tree["metadata"][FIELD] = managed


class FieldOwners:
    """Of one resource. `faces` are the versions in which its objects are shown, by apiVersion; it may grow."""

    def __init__(self, resource: Resource, faces: Mapping[str, Resource], now: Callable[[], str]) -> None:
        self.resource = resource
        self.now = now
        self._faces = faces
        self._rules: dict[str, Rules] = {}

    def rules(self, subresource: str) -> Rules:
        found = self._rules.get(subresource)
        if found is None:
            resource = self.resource
            excluded = excluded_fields(resource, subresource)
            custom = resource.custom_schema is not None
            patterns = open_fields(resource, subresource)
            place = place_of(resource.schema)
            found = Rules(resource.group_version, place, excluded, patterns, self._converted, custom)
            self._rules[subresource] = found
        return found

    def created(self, tree: Tree, sent: Any, manager: str) -> Raw | None:
        """Of a new object, defaulted; `sent` are the managedFields of the request."""
        if sent is not None:
            ownership, _ = _sent(sent, None)
            if ownership:
                return self._updated(ownership, {}, tree, manager, "")
        try:
            fields = self._outline(tree)
        except _FAILURES:
            return None
        return owners.write_one(manager, self.resource.group_version, self.now(), fields) if fields else None

    def updated(self, old: Tree, new: Tree, held: Raw | None, sent: Any, manager: str, subresource: str) -> Raw | None:
        """`held` are those of `old`; `sent` those of the request, which may be `held` themselves."""
        if sent is None or sent is held or subresource:
            ownership = owners.decode(held) if held is not None else {}
        else:
            ownership, held = _sent(sent, held)
        if not ownership:
            # Nobody was ever noted, or somebody asked to forget all: that goes on until the next apply.
            return None
        if old == new:
            return held if held is not None else owners.write(ownership)
        return self._updated(ownership, old, new, manager, subresource, held)

    @cached_property
    def _outline(self) -> Callable[[Tree], str]:
        rules = self.rules("")
        return outline(rules.place, union(rules.excluded, STRIPPED))

    def problems(self, managed: Raw | None, sent: Any) -> list[FieldError]:
        """What is wrong with names in managedFields that come from a client."""
        if managed is None or not isinstance(sent, list):
            return []
        return validate_managed_fields(msgspec.json.decode(managed))

    def _updated(
        self, ownership: Ownership, old: Tree, new: Tree, manager: str, subresource: str, held: Raw | None = None
    ) -> Raw | None:
        rules = self.rules(subresource)
        who = owners.owner(manager, owners.UPDATE, rules.api_version, subresource)
        try:
            result = update(rules, ownership, who, old, new, self.now())
        except _FAILURES:
            return None
        if held is not None and _are_same(ownership, result):
            return held
        return owners.write(result) if result else None

    def _converted(self, tree: Tree, api_version: str) -> Converted | None:
        source = self._faces.get(tree.get("apiVersion") or self.resource.group_version)
        target = self._faces.get(api_version)
        if source is None or target is None:
            return None
        # Conversions may change and keep what they are handed.
        copied: Tree = msgspec.json.decode(msgspec.json.encode(tree))
        stored = source.to_stored(copied) if source.to_stored is not None else copied
        shown = target.from_stored(stored) if target.from_stored is not None else stored
        with suppress(TypeProblem):  # a part of an object converts to what need not be one
            shown = target.schema.admit_tree(shown).tree
        return place_of(target.schema), {**shown, "apiVersion": api_version}


def _are_same(before: Ownership, after: Ownership) -> bool:
    return len(before) == len(after) and all(after.get(who) is owned for who, owned in before.items())


def _sent(sent: Any, held: Raw | None) -> tuple[Ownership, Raw | None]:
    """What a client's managedFields come to, and `held` if it is that. Those that are bad are not heard."""
    if sent is None:
        ownership: Ownership = {}
    elif owners.is_reset(sent):
        return {}, None
    else:
        try:
            ownership = owners.from_client(sent)
        except OwnershipError:
            ownership = {}
    if held is not None and (not ownership or owners.write(ownership) == held):
        return owners.decode(held), held
    return ownership, None


def are_same(managed: Raw | None, held: Raw | None) -> bool:
    """Whether nothing but times differs."""
    if managed is None or held is None or managed == held:
        return managed == held
    return _timeless(managed) == _timeless(held)


def _timeless(managed: Raw) -> list[Tree]:
    entries: list[Tree] = msgspec.json.decode(managed)
    return [{**entry, "time": ""} for entry in entries]


def settled(admitted: Any, before: Raw | None) -> tuple[Raw | None, str]:
    """managedFields after mutating admission, and why they are as they were before it if that broke them."""
    if admitted is before or admitted is None:
        return admitted, ""
    try:
        return owners.write(owners.from_client(admitted)), ""
    except OwnershipError as error:
        return before, str(error)

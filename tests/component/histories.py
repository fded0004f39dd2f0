"""Whether what clients were answered can be told as one story: that which a watch tells.

Each write has a revision, so the watch gives the order of those that were made, and what stood after each. An answer must then
be what its request does to something that stood between the request and the answer. A write whose outcome nobody was told may
have been made once, at any time after, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

Tree = dict[str, Any]


class View(NamedTuple):
    """What of an object the story is about."""

    notes: Tree
    finalizers: tuple[str, ...] = ()
    leaves: bool = False
    replicas: int | None = None
    observed: int | None = None


def view(tree: Tree) -> View:
    meta, spec, status = tree["metadata"], tree.get("spec", {}), tree.get("status", {})
    return View(
        meta.get("annotations", {}),
        tuple(meta.get("finalizers", ())),
        "deletionTimestamp" in meta,
        spec.get("replicas"),
        status.get("observedGeneration"),
    )


def revision(tree: Tree) -> int:
    return int(tree["metadata"].get("resourceVersion", 0))


class Refused(Exception):
    """The request cannot be done upon what stands."""


Effect = Callable[[View | None, int], View | None]
"""From what stands, at its revision, to what stands then; None is nothing. Raises Refused."""


@dataclass
class Call:
    what: str
    place: str
    """The path of the object, at the version that is watched."""
    effect: Effect
    began: int
    """The newest revision there was."""
    dry_run: bool = False
    may_be_refused: bool = False
    """For reasons that are no part of the story."""
    status: int = 0
    """0: no outcome was told."""
    tree: Any = None
    ended: float = math.inf

    def does(self, before: Version, after: View | None) -> bool:
        try:
            return self.effect(before.view, before.revision) == after
        except Refused:
            return False

    def shows(self, tree: Tree, before: Version) -> bool:
        """Whether `tree` is what a dry run makes of that."""
        try:
            after = self.effect(before.view, before.revision)
        except Refused:
            return False
        shown = view(tree)
        if after is None:
            return shown.leaves and not shown.finalizers
        return after.replicas == shown.replicas if tree["kind"] == "Scale" else after == shown

    def is_refused(self, before: Version) -> bool:
        try:
            self.effect(before.view, before.revision)
        except Refused:
            return True
        return self.may_be_refused


class Version(NamedTuple):
    revision: int
    view: View | None
    tree: Tree


class Story:
    """Of one object."""

    def __init__(self, events: Sequence[tuple[str, Tree]]) -> None:
        self.versions = [Version(0, None, {})]
        for type_, tree in events:
            assert (self.versions[-1].view is None) == (type_ == "ADDED"), "an event follows from the one before"
            self.versions.append(Version(revision(tree), None if type_ == "DELETED" else view(tree), tree))
        revisions = [version.revision for version in self.versions]
        assert revisions == sorted(set(revisions))
        self._place = {found: index for index, found in enumerate(revisions)}
        self._left = set(revisions[1:])
        """Of the writes that nobody was found to have made yet."""

    def check(self, calls: Sequence[Call]) -> None:
        told = [call for call in calls if call.status]
        for call in sorted(told, key=self._is_vague):
            assert self._tells(call), (call.what, call.status, call.began, call.ended, call.tree, self.views(call))
        untold = [call for call in calls if not call.status]
        for left in sorted(self._left):
            index = self._place[left]
            before, after = self.versions[index - 1 : index + 1]
            made = next((call for call in untold if call.began < left and call.does(before, after.view)), None)
            assert made is not None, ("nobody made it, or it was made twice", before, after)
            untold.remove(made)

    def views(self, call: Call) -> list[tuple[int, View | None]]:
        return [(found.revision, found.view) for found in self._during(call)]

    def _is_vague(self, call: Call) -> tuple[bool, bool, float]:
        """Who was told at which revision his write was made goes before, and he who must have made it before him who may have
        found it made."""
        index = self._place.get(revision_told(call), 0)
        found = self.versions[index]
        return not index, call.does(found, found.view), call.ended

    def _tells(self, call: Call) -> bool:
        if call.status >= 400:
            return any(map(call.is_refused, self._during(call)))
        told = revision_told(call)
        if call.dry_run:
            standing = [before for before in self._during(call) if before.revision == told or not told]
            return any(call.shows(call.tree, before) for before in standing)
        if not told:
            return self._made(call, [found.revision for found in self.versions if found.view is None])
        if self._made(call, [told]):
            return True
        return any(found.revision == told and call.does(found, found.view) for found in self._during(call))

    def _made(self, call: Call, revisions: Sequence[int]) -> bool:
        for found in revisions:
            if found not in self._left or not call.began < found <= call.ended:
                continue
            before, after = self.versions[self._place[found] - 1 : self._place[found] + 1]
            if call.does(before, after.view) and (after.view is None or self._is_shown(call, after)):
                self._left.remove(found)
                return True
        return False

    def _is_shown(self, call: Call, after: Version) -> bool:
        """Other faces than the one that is watched are compared by what the story is about."""
        same_face = call.tree.get("apiVersion") == after.tree["apiVersion"] and call.tree.get("kind") == after.tree["kind"]
        return call.tree == after.tree if same_face else call.tree["kind"] == "Scale" or view(call.tree) == after.view

    def _during(self, call: Call) -> Iterator[Version]:
        """What stood at some time between the request and the answer."""
        follows = [version.revision for version in self.versions[1:]] + [math.inf]
        for version, end in zip(self.versions, follows, strict=True):
            if version.revision <= call.ended and end > call.began:
                yield version


_STATUS: Final = "Status"


def revision_told(call: Call) -> int:
    return revision(call.tree) if isinstance(call.tree, dict) and call.tree.get("kind") != _STATUS else 0

"""How ownership changes: an update takes the fields that it changes, an apply owns what it says and loses the rest.

    update(rules, ownership, who, old, new, now)                     # Ownership
    apply(rules, ownership, who, live, wanted, now, force=False)     # Applied(object, ownership), or raises Conflicts

After structured-merge-diff's merge/update.go and the managers of k8s.io/apimachinery/pkg/util/managedfields/internal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sampan.api.apply.compare import Comparison, all_fields, compare
from sampan.api.apply.fieldset import (
    EMPTY,
    LEAF,
    Fields,
    difference,
    intersection,
    matching,
    paths,
    recursive_difference,
    union,
)
from sampan.api.apply.merge import merge, remove, with_named_fields
from sampan.api.apply.ownership import Owned, Owner, Ownership, cap_updaters
from sampan.api.apply.places import Place
from sampan.api.apply.reconcile import reconciled

Tree = dict[str, Any]
Converted = tuple[Place, Tree]

STRIPPED: Final[Fields] = {
    "f:apiVersion": LEAF,
    "f:kind": LEAF,
    "f:metadata": {
        ".": LEAF,
        **{
            f"f:{name}": LEAF
            for name in (
                "clusterName",
                "creationTimestamp",
                "generation",
                "managedFields",
                "name",
                "namespace",
                "resourceVersion",
                "selfLink",
                "uid",
            )
        },
    },
}
"""What nobody owns."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A kind in one of its versions, through one of its subresources."""

    api_version: str
    place: Place
    excluded: Fields
    """What writes through the subresource cannot change, with all within."""
    patterns: tuple[tuple[str, ...], ...]
    """What alone they can change, where that is easier to say; none: all but the excluded."""
    convert: Callable[[Tree, str], Converted | None]
    """An object of whatever version it says in another; None: there is no such version any more."""
    changes: bool = False
    """Whether the schema may have changed since fields were noted, as that of a custom resource may."""

    def converted(self, tree: Tree, api_version: str) -> Converted | None:
        if api_version == self.api_version and tree.get("apiVersion", api_version) == api_version:
            return self.place, tree
        return self.convert(tree, api_version)

    def differences(self, old: Tree, new: Tree, api_version: str) -> Comparison | None:
        """Raises ElementError."""
        before, after = self.converted(old, api_version), self.converted(new, api_version)
        if before is None or after is None:
            return None
        found = compare(before[0], before[1], after[1])
        if self.excluded or self.patterns:
            return Comparison(*map(self.kept, found))
        return found

    def kept(self, fields: Fields) -> Fields:
        """What of them can be changed, and so owned, through the subresource."""
        left = recursive_difference(fields, self.excluded)
        return matching(left, self.patterns) if self.patterns else left


class Conflict(NamedTuple):
    owner: Owner
    path: tuple[str, ...]


class Conflicts(Exception):
    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts


class Applied(NamedTuple):
    object: Tree | None
    """None: it is as it was."""
    ownership: Ownership


def update(rules: Rules, ownership: Ownership, who: Owner, old: Tree, new: Tree, now: str) -> Ownership:
    """`old` and `new` are of `rules.api_version`. Raises ElementError for lists whose items cannot be told apart."""
    ownership = _settled(rules, ownership, old)
    found = _Differences(rules, old, new)
    own = found.of(rules.api_version)
    assert own is not None, "a version converts to itself"
    taken = difference(own.changed, STRIPPED)
    result: Ownership = {}
    for other, owned in ownership.items():
        differences = found.of(owned.api_version)
        if differences is None:
            continue
        fields = owned.fields
        if other != who or owned.api_version != rules.api_version:
            fields = difference(fields, differences.changed)
        fields = difference(fields, differences.removed)
        if fields:
            result[other] = owned.with_fields(fields)
    if taken:
        before = result.get(who)
        fields = union(before.fields, taken) if before is not None else taken
        held = before if before is not None and before.api_version == rules.api_version else None
        result[who] = held.with_fields(fields).at(now) if held is not None else Owned(rules.api_version, now, fields)
    return cap_updaters(result)


def apply(
    rules: Rules, ownership: Ownership, who: Owner, live: Tree, wanted: Tree, now: str, *, force: bool = False
) -> Applied:
    """`wanted` is valid. Raises Conflicts; ElementError."""
    ownership = dict(_settled(rules, ownership, live))
    last = ownership.get(who)
    fields = rules.kept(all_fields(rules.place, wanted))
    ownership[who] = Owned(rules.api_version, last.time if last else None, fields)
    merged = merge(rules.place, live, wanted)
    if last is not None and last.fields:
        merged = _pruned(rules, merged, ownership, last)
    ownership = _taken(rules, ownership, who, live, merged, force)
    changed = merged != live
    own = ownership.get(who)
    if own is not None:
        kept = difference(own.fields, STRIPPED)
        if kept:
            owned = own.with_fields(kept)
            ownership[who] = owned.at(now) if changed else owned
        else:
            del ownership[who]
    return Applied(merged if changed else None, ownership)


class _Differences:
    """Between two objects in whatever versions there are owners of; each is made once."""

    def __init__(self, rules: Rules, old: Tree, new: Tree) -> None:
        self._rules, self._old, self._new = rules, old, new
        self._found: dict[str, Comparison | None] = {}

    def of(self, api_version: str) -> Comparison | None:
        if api_version not in self._found:
            self._found[api_version] = self._rules.differences(self._old, self._new, api_version)
        return self._found[api_version]


def _taken(rules: Rules, ownership: Ownership, who: Owner, live: Tree, merged: Tree, force: bool) -> Ownership:
    """What others keep when an apply is done. Raises Conflicts if it would take something and may not."""
    found = _Differences(rules, live, merged)
    conflicts: dict[Owner, Fields] = {}
    result: Ownership = {}
    for other, owned in ownership.items():
        if other == who:
            result[other] = owned
            continue
        differences = found.of(owned.api_version)
        if differences is None:
            continue
        lost = intersection(owned.fields, differences.changed)
        if lost:
            conflicts[other] = lost
        result[other] = owned.with_fields(difference(difference(owned.fields, lost), differences.removed))
    if conflicts and not force:
        raise Conflicts([Conflict(other, path) for other in sorted(conflicts) for path in paths(conflicts[other])])
    return {other: owned for other, owned in result.items() if owned.fields}


def _pruned(rules: Rules, merged: Tree, ownership: Ownership, last: Owned) -> Tree:
    """Without what the applier said the last time, says no more, and nobody else owns."""
    at_last = rules.converted(merged, last.api_version)
    if at_last is None:
        return merged
    place, tree = at_last
    said = with_named_fields(place, last.fields)
    pruned = _object(remove(place, tree, said))
    pruned = _with_owned(rules, tree, pruned, last.api_version, ownership)
    gone = difference(with_named_fields(place, all_fields(place, tree)), with_named_fields(place, all_fields(place, pruned)))
    left = _object(remove(place, tree, intersection(gone, said)))
    own = rules.converted(left, rules.api_version)
    return own[1] if own is not None else merged


def _with_owned(rules: Rules, merged: Tree, pruned: Tree, version: str, ownership: Ownership) -> Tree:
    """`pruned` with what any owner still owns, in `version`, in which both trees are."""
    by_version: dict[str, Fields] = {version: EMPTY}
    for owned in ownership.values():
        by_version[owned.api_version] = union(by_version.get(owned.api_version, EMPTY), owned.fields)
    for api_version, fields in by_version.items():
        whole, part = rules.converted(merged, api_version), rules.converted(pruned, api_version)
        if whole is None or part is None:
            continue
        place = whole[0]
        there = with_named_fields(place, all_fields(place, whole[1]))
        stays = union(with_named_fields(place, all_fields(place, part[1])), with_named_fields(place, fields))
        kept = _object(remove(place, whole[1], difference(there, stays)))
        back = rules.converted(kept, version)
        pruned = back[1] if back is not None else pruned
    return pruned


def _object(value: Any) -> Tree:
    return value if isinstance(value, dict) else {}


def _settled(rules: Rules, ownership: Ownership, live: Tree) -> Ownership:
    """Fields as they are noted now that the schema is what it is."""
    if not rules.changes:
        return ownership
    result: Ownership = {}
    for who, owned in ownership.items():
        found = rules.converted(live, owned.api_version)
        if found is not None:
            result[who] = owned.with_fields(reconciled(found[0], owned.fields))
    return result

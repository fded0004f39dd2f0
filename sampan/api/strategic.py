"""Strategic merge patches: merge patches that know, from the schema, which lists merge and by which key.

After k8s.io/apimachinery/pkg/util/strategicpatch, with its directives: `$patch: replace|merge|delete`, `$retainKeys`,
`$deleteFromPrimitiveList/x` and `$setElementOrder/x`. Use `sampan.api.patch.strategic_patch`. Neither input is changed;
the outcome shares with both what it does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from sampan.api.errors import INVALID, StatusError, bad_request
from sampan.api.schema import Schema

Value = Any
"""A JSON value."""
Tree = dict[str, Any]

_DIRECTIVE: Final = "$patch"
_RETAIN_KEYS: Final = "$retainKeys"
_DELETE_PREFIX: Final = "$deleteFromPrimitiveList"
_ORDER_PREFIX: Final = "$setElementOrder"
_BAD_DELETE: Final = "invalid patch format of primitive list"
_BAD_RETAIN_KEYS: Final = "invalid patch format of retainKeys"
_BAD_ORDER: Final = "invalid patch format of setElementOrder list"


def unprocessable() -> StatusError:
    """422 for a patch that cannot be applied. Upstream keeps the reason to itself."""
    return StatusError(422, INVALID, "the server rejected our request due to an error in our request", details={})


def _failed(message: str) -> StatusError:
    """Errors for which upstream's server has no name are 500s that carry nothing but their message."""
    return StatusError(500, "", message)


def _go(value: Value) -> str:
    """As Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def _no_merge_key(item: Value, key: str) -> NoReturn:
    raise _failed(f"map: {_go(item)} does not contain declared merge key: {key}")


def apply(original: Tree, patch: Tree, schema: Schema | None) -> Tree:
    """`original` with `patch` merged in. Raises StatusError."""
    return _merge_objects(original, patch, schema)


def _merge_objects(original: Tree, patch: Tree, schema: Schema | None) -> Tree:
    if _DIRECTIVE in patch:
        return _whole_object(patch)
    merged = dict(original)
    patch = dict(patch)
    _retain_keys(merged, patch)
    _merge_ordered_lists(merged, patch, schema)
    for key, value in patch.items():
        deletes = key.startswith(_DELETE_PREFIX)
        name = _named_list(key, _DELETE_PREFIX, _BAD_DELETE) if deletes else key
        if value is None:
            merged.pop(name, None)
            continue
        current = merged.get(name)
        if deletes:
            if isinstance(current, list) and isinstance(value, list):
                merged[name] = _without(current, value)
            continue
        place = schema.field(name) if schema is not None else None
        if isinstance(current, dict) and isinstance(value, dict):
            replaces = place is not None and "replace" in place.patch_strategy
            merged[name] = value if replaces else _merge_objects(current, value, place)
        elif isinstance(current, list) and isinstance(value, list):
            merged[name] = _merge_lists(current, value, place)
        else:
            _take(merged, name, value)
    return merged


def _whole_object(patch: Tree) -> Tree:
    directive = patch[_DIRECTIVE]
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    raise _failed(f"unknown patch type: {_go(directive)} in map: {_go(patch)}")


def _take(merged: Tree, name: str, value: Value) -> None:
    """What was not there is taken from the patch, without its nulls and directives."""
    if isinstance(value, dict) and value.get(_DIRECTIVE) == "delete":
        merged.pop(name, None)
        return
    merged[name] = _plain(value)


def _plain(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None and not _is_directive(key)}
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and item.get(_DIRECTIVE) == "delete")]
    return value


def _is_directive(key: str) -> bool:
    return key in (_DIRECTIVE, _RETAIN_KEYS) or key.startswith((_DELETE_PREFIX, _ORDER_PREFIX))


def _named_list(key: str, prefix: str, message: str) -> str:
    directive, slash, name = key.partition("/")
    if not slash or directive != prefix:
        raise bad_request(message)
    return name


def _retain_keys(merged: Tree, patch: Tree) -> None:
    retained = patch.pop(_RETAIN_KEYS, _RETAIN_KEYS)
    if retained is _RETAIN_KEYS:
        return
    if not isinstance(retained, list):
        raise bad_request(_BAD_RETAIN_KEYS)
    names = {name for name in retained if isinstance(name, str)}
    for key, value in patch.items():
        if value is not None and key not in names and not key.startswith((_DELETE_PREFIX, _ORDER_PREFIX)):
            raise bad_request(_BAD_RETAIN_KEYS)
    for key in list(merged):
        if key not in names:
            del merged[key]


def _merge_ordered_lists(merged: Tree, patch: Tree, schema: Schema | None) -> None:
    """Lists that come with a $setElementOrder; they are done with afterwards and leave `patch`."""
    for directive in [key for key in patch if key.startswith(_ORDER_PREFIX)]:
        order = patch.pop(directive)
        name = _named_list(directive, _ORDER_PREFIX, _BAD_ORDER)
        place = schema.field(name) if schema is not None else None
        key = place.merge_key if place is not None else ""
        current, changes = merged.get(name), patch.get(name)
        if not isinstance(order, list) or not isinstance(changes, (list, type(None))):
            raise bad_request(_BAD_ORDER)
        _check_order(changes or [], order, key)
        deleted = patch.pop(f"{_DELETE_PREFIX}/{name}", None)
        if isinstance(deleted, list) and isinstance(current, list):
            current = _without(current, deleted)
        if isinstance(current, list) and isinstance(changes, list):
            items = _merge_lists(current, changes, place)
        elif name in patch and changes is None:
            # An explicit null: the list goes, whatever order was wished for it.
            continue
        elif isinstance(current, list):
            items = current
        elif changes is not None:
            items = _plain(changes)
        else:
            continue
        merged[name] = _ordered(items, order, current if isinstance(current, list) else [], key)
        patch.pop(name, None)


def _check_order(changes: Sequence[Value], order: Sequence[Value], key: str) -> None:
    """The items of the patch must stand in the order that the patch demands."""
    if not changes or not order:
        return
    position = 0
    for item in changes:
        if isinstance(item, dict) and _DIRECTIVE in item:
            continue
        while position < len(order) and not _same(item, order[position], key):
            position += 1
        if position == len(order):
            why = f"The order in patch list:\n{_go(list(changes))}\n doesn't match {_ORDER_PREFIX} list:\n{_go(list(order))}\n"
            raise _failed(why)
        position += 1


def _merge_lists(current: list[Value], changes: list[Value], place: Schema | None) -> list[Value]:
    if place is None or "merge" not in place.patch_strategy:
        return changes
    if not current and not changes:
        return current
    samples = [*current, *changes]
    if any(isinstance(item, list) for item in samples):
        raise unprocessable()
    objects = [isinstance(item, dict) for item in samples]
    if not all(objects):
        if any(objects):
            raise _failed("list element types are not identical")
        merged = _unrepeated(samples)
        return _ordered(merged, changes, current, "")
    key = place.merge_key
    if not key:
        raise _failed("cannot merge lists without merge key for type struct")
    current, changes = _special_items(current, changes, key)
    merged = list(current)
    places = _places(merged, key)
    for item in changes:
        if key not in item:
            _no_merge_key(item, key)
        wanted = _identity(item, key)
        at = places.get(wanted, -1)
        if at < 0:
            merged.append(_plain(item))
            at = len(merged) - 1
        else:
            merged[at] = _merge_objects(merged[at], item, place.items)
        if item[key] is None:  # which the merged item has no more
            places = _places(merged, key)
        else:
            places[wanted] = at
    return _ordered(merged, changes, current, key)


def _special_items(current: list[Value], changes: list[Value], key: str) -> tuple[list[Value], list[Value]]:
    """Obey the items that are directives; the rest of both lists comes back."""
    plain: list[Value] = []
    standing: list[Value] | None = None
    gone: set[Value] = set()
    replaces = False
    for item in changes:
        directive = item.get(_DIRECTIVE)
        if _DIRECTIVE not in item:
            plain.append(item)
        elif directive == "delete":
            if key not in item:
                _no_merge_key(item, key)
            if standing is None:
                standing = [_identity(existing, key) for existing in current]
            gone.add(_identity(item, key))
        elif directive == "replace":
            replaces = True
        elif directive == "merge":
            raise _failed("merging lists cannot yet be specified in the patch")
        else:
            raise _failed(f"unknown patch type: {_go(directive)} in map: {_go(item)}")
    if standing is not None:
        current = [existing for existing, identity in zip(current, standing, strict=True) if identity not in gone]
    return ([_plain(item) for item in plain], []) if replaces else (current, plain)


def _ordered(items: list[Value], order: Sequence[Value], before: Sequence[Value], key: str) -> list[Value]:
    """Items that the patch speaks of in its order, the others in the order they had, interleaved by where those stood.

    An item that was not there before goes in front of those that the patch does not mention: upstream's surprise."""
    wanted = _positions(order, key)
    stood = _positions(before, key)
    mentioned = sorted((item for item in items if wanted(item) >= 0), key=wanted)
    others = sorted((item for item in items if wanted(item) < 0), key=lambda item: stood(item) % (len(before) + 1))
    placed: list[Value] = []
    left = right = 0
    while left < len(others) and right < len(mentioned):
        other, own = stood(others[left]), stood(mentioned[right])
        if 0 <= other < own:
            placed.append(others[left])
            left += 1
        else:
            placed.append(mentioned[right])
            right += 1
    return placed + others[left:] + mentioned[right:]


def _positions(items: Sequence[Value], key: str) -> Callable[[Value], int]:
    """A function from an item to the first place of its like in `items`, -1 where there is none."""
    table: dict[Value, int] = {}
    for index, item in enumerate(items):
        table.setdefault(_identity(item, key), index)
    return lambda item: table.get(_identity(item, key), -1)


def _identity(item: Value, key: str) -> Value:
    """What tells one item from another, and True from 1."""
    if key:
        if not isinstance(item, dict):
            raise _failed("value for key is not a map.")
        if key not in item:
            _no_merge_key(item, key)
        item = item[key]
    return type(item), repr(item) if isinstance(item, (dict, list)) else item


def _same(left: Value, right: Value, key: str) -> bool:
    return bool(_identity(left, key) == _identity(right, key))


def _places(items: Sequence[Value], key: str) -> dict[Value, int]:
    """Where the first of each identity stands."""
    found: dict[Value, int] = {}
    for index, item in enumerate(items):
        if key in item:
            found.setdefault(_identity(item, key), index)
    return found


def _without(items: Sequence[Value], deleted: Sequence[Value]) -> list[Value]:
    gone = {_identity(item, "") for item in deleted}
    return [item for item in items if _identity(item, "") not in gone]


def _unrepeated(items: Sequence[Value]) -> list[Value]:
    return list({_identity(item, ""): item for item in reversed(items)}.values())[::-1] if items else []

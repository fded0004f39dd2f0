"""The metadata the server itself writes: names, uids, times; and how far a client's own must agree with the URL."""

from __future__ import annotations

import os
import random
from uuid import UUID

from sampan.api.errors import bad_request, conflict
from sampan.api.repeats import repeats
from sampan.api.resource import Resource, Tree
from sampan.lib.clock import rfc3339

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_LONGEST_PREFIX = 63 - _SUFFIX_LENGTH

_SERVERS_OWN = ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")

_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"

_stamp = (0, "")


def timestamp(now: float) -> str:
    """`rfc3339`, remembered for the second it is true."""
    global _stamp
    second = int(now)
    if _stamp[0] != second:
        _stamp = (second, rfc3339(second))
    return _stamp[1]


_random = b""


def new_uid() -> str:
    """A random (version 4) UUID. Randomness is fetched for many at a time: the call costs more than all else."""
    global _random
    if len(_random) < 16:
        _random = os.urandom(4096)
    piece, _random = _random[:16], _random[16:]
    return str(UUID(bytes=piece, version=4))


def generate_name(prefix: str) -> str:
    return prefix[:_LONGEST_PREFIX] + "".join(random.choices(_SUFFIX_LETTERS, k=_SUFFIX_LENGTH))


def start_metadata(tree: Tree, resource: Resource, namespace: str, now: float) -> Tree:
    """What every new object gets, whatever the client sent. Raises StatusError 400 where the client's disagrees."""
    meta: Tree = tree.setdefault("metadata", {})
    place_in_namespace(meta, resource, namespace)
    if meta.get("resourceVersion") not in (None, "", "0"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    for field in _SERVERS_OWN:
        meta.pop(field, None)
    meta["uid"] = new_uid()
    meta["creationTimestamp"] = timestamp(now)
    return meta


def place_in_namespace(meta: Tree, resource: Resource, namespace: str) -> None:
    if not resource.namespaced:
        meta.pop("namespace", None)
        return
    if meta.get("namespace", "") not in ("", namespace):
        raise bad_request(_OTHER_NAMESPACE)
    meta["namespace"] = namespace


def check_names(meta: Tree, namespace: str, name: str) -> None:
    """An object that is PUT must be the one the URL names. Raises StatusError 400."""
    if not namespace:
        meta.pop("namespace", None)
    elif meta.get("namespace", "") not in ("", namespace):
        raise bad_request(_OTHER_NAMESPACE)
    own = meta.get("name")
    if not own:
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if own != name:
        raise bad_request(f"the name of the object ({own}) does not match the name on the URL ({name})")
    if namespace:
        meta["namespace"] = namespace


def check_uid(meta: Tree, old: Tree, resource: Resource, key: str) -> None:
    """An object that is PUT with a uid must be of that life. Raises StatusError 409."""
    uid = meta.get("uid")
    if uid and uid != old.get("uid"):
        why = (
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.get('uid', '')}"
        )
        raise conflict(resource.plural, resource.group, old.get("name", ""), why)


def continue_metadata(meta: Tree, old: Tree) -> None:
    """What an update need not send, or may not change unnoticed; what it may not change at all is left to be refused."""
    if not meta.get("uid"):
        meta["uid"] = old.get("uid", "")
    if "deletionGracePeriodSeconds" in old:
        meta.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])
    if "deletionTimestamp" in old:
        meta["deletionTimestamp"] = old["deletionTimestamp"]
    for field in ("creationTimestamp", "generation"):
        if field in old:
            meta[field] = old[field]
        else:
            meta.pop(field, None)
    meta.pop("selfLink", None)


AFTER_ADMISSION = " after mutating admission happens"


def drop_repeated_owners(meta: Tree, warnings: list[str], when: str = "") -> None:
    """Owners that are the same in all they say stand once."""
    owners: list[Tree] = meta.get("ownerReferences") or []
    if len(owners) < 2:
        return
    again = dict(repeats(owners))
    if again:
        repeated = [owner.get("uid", "") for owner in again.values()]
        meta["ownerReferences"] = [owner for index, owner in enumerate(owners) if index not in again]
        warnings.append(
            f".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may "
            f"reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {', '.join(repeated)}"
        )

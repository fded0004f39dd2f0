"""metadata.managedFields: its entries decoded, encoded, sorted and kept few.

An owner is told from others by its name, what it does ("Apply" or "Update"), the subresource through which it does it and,
when it updates, the API version. After k8s.io/apimachinery/pkg/util/managedfields/internal/managedfields.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from sampan.api.apply.fieldset import EMPTY, Fields, FieldSetError, encode, parse, union

APPLY: Final = "Apply"
UPDATE: Final = "Update"
MAX_UPDATERS: Final = 10
ANCIENT_CHANGES: Final = "ancient-changes"
BEFORE_FIRST_APPLY: Final = "before-first-apply"
UNKNOWN: Final = "unknown"
_FIELDS_TYPE: Final = "FieldsV1"
_NO_FIELDS: Final = b"{}"

Raw = msgspec.Raw
"""managedFields as they stand in trees of the server: JSON that nobody need decode."""


class Entry(msgspec.Struct, omit_defaults=True, rename={"api_version": "apiVersion", "fields_type": "fieldsType"}):
    """One entry on the wire, its fields in upstream's order."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: str | None = None
    fields_type: str = ""
    fields: Raw = msgspec.field(default_factory=Raw, name="fieldsV1")
    subresource: str = ""


class OwnershipError(ValueError):
    """These are no managedFields. The message is upstream's."""


class Owner(NamedTuple):
    manager: str
    operation: str
    api_version: str
    """"" for one that applies: it may change its version and stay the same."""
    subresource: str


def owner(manager: str, operation: str, api_version: str, subresource: str) -> Owner:
    return Owner(manager or UNKNOWN, operation, "" if operation == APPLY else api_version, subresource)


class Owned:
    """What an owner owns, in the form of an API version. Never changed."""

    __slots__ = ("_encoded", "_fields", "api_version", "time")

    def __init__(self, api_version: str, time: str | None, fields: Fields | None, encoded: bytes | None = None) -> None:
        self.api_version = api_version
        self.time = time
        self._fields = fields
        self._encoded = encoded

    @property
    def fields(self) -> Fields:
        """Raises FieldSetError if they were not checked."""
        if self._fields is None:
            self._fields = parse(self._encoded or _NO_FIELDS)
        return self._fields

    @property
    def encoded(self) -> bytes:
        if self._encoded is None:
            self._encoded = encode(self._fields or EMPTY)
        return self._encoded

    def with_fields(self, fields: Fields) -> Owned:
        return self if fields is self._fields else Owned(self.api_version, self.time, fields)

    def at(self, time: str) -> Owned:
        return self if time == self.time else Owned(self.api_version, time, self._fields, self._encoded)


Ownership = dict[Owner, Owned]

_decode_entries = msgspec.json.Decoder(list[Entry]).decode
_encode_entries = msgspec.json.Encoder().encode


def decode(encoded: bytes | Raw) -> Ownership:
    """What the server wrote itself. Raises OwnershipError."""
    return _ownership(_decode_entries(encoded))


def from_client(entries: object) -> Ownership:
    """What a client sent, checked whole. Raises OwnershipError."""
    try:
        found = _ownership(_decode_entries(msgspec.json.encode(entries)))
        for owned in found.values():
            # Written as the server writes, whatever order the client's keys had.
            owned._encoded = encode(owned.fields)
    except msgspec.DecodeError as error:
        raise OwnershipError(str(error)) from None
    except FieldSetError as error:
        raise OwnershipError(f"error decoding set: {error}") from None
    return found


def _ownership(entries: Iterable[Entry]) -> Ownership:
    found: Ownership = {}
    for index, entry in enumerate(entries):
        if entry.operation not in (APPLY, UPDATE):
            raise OwnershipError("operation must be `Apply` or `Update`")
        if not entry.api_version:
            raise OwnershipError("apiVersion must not be empty")
        if entry.fields_type != _FIELDS_TYPE:
            if not entry.fields_type:
                raise OwnershipError(f"missing fieldsType in managed fields entry {index}")
            raise OwnershipError(f'invalid fieldsType "{entry.fields_type}" in managed fields entry {index}')
        version = "" if entry.operation == APPLY else entry.api_version
        key = Owner(entry.manager, entry.operation, version, entry.subresource)
        found[key] = Owned(entry.api_version, entry.time, None, bytes(entry.fields) or _NO_FIELDS)
    return found


def is_reset(entries: object) -> bool:
    """Whether a client asks to forget all owners: by an empty list, or one that holds an empty entry."""
    return entries == [] or entries == [{}]


def write(ownership: Mapping[Owner, Owned]) -> Raw:
    """As upstream sorts them: who applies first, then by time, name, version and subresource."""
    entries = [
        Entry(who.manager, who.operation, what.api_version, what.time, _FIELDS_TYPE, Raw(what.encoded), who.subresource)
        for who, what in ownership.items()
    ]
    if len(entries) > 1:
        entries.sort(key=_sort_key)
    return Raw(_encode_entries(entries))


def write_one(manager: str, api_version: str, time: str, fields: str) -> Raw:
    """Of an object that has one owner, who updates."""
    entry = Entry(manager or UNKNOWN, UPDATE, api_version, time, _FIELDS_TYPE, Raw(fields.encode()))
    return Raw(_encode_entries((entry,)))


def _sort_key(entry: Entry) -> tuple[str, str, str, str, str]:
    return entry.operation, entry.time or "", entry.manager, entry.api_version, entry.subresource


def cap_updaters(ownership: Ownership) -> Ownership:
    """With the oldest updates of each version put into one entry while there are more than MAX_UPDATERS."""
    updaters = [who for who in ownership if who.operation == UPDATE]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return ownership
    updaters.sort(key=lambda who: (ownership[who].time or "", who))
    result = dict(ownership)
    first: dict[str, Owner] = {}
    joined: dict[Owner, list[Fields]] = {}
    for who in updaters:
        if excess <= 0:
            break
        owned = result[who]
        bucket = Owner(ANCIENT_CHANGES, UPDATE, owned.api_version, "")
        earlier = first.setdefault(owned.api_version, who)
        if earlier is who or who == bucket:
            continue
        if bucket not in result:
            result[bucket] = result.pop(earlier)
        joined.setdefault(bucket, [result[bucket].fields]).append(owned.fields)
        del result[who]
        excess -= 1
        result[bucket] = Owned(owned.api_version, owned.time, None)
    for bucket, sets in joined.items():
        result[bucket] = result[bucket].with_fields(_union_of(sets))
    return result


def _union_of(sets: list[Fields]) -> Fields:
    """In pairs, and the pairs in pairs: a client may send thousands, and each union copies what it unites."""
    while len(sets) > 1:
        sets = [union(*sets[at : at + 2]) if at + 1 < len(sets) else sets[at] for at in range(0, len(sets), 2)]
    return sets[0]

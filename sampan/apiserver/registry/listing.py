"""Lists: which objects, at which revision, in which pages.

A page is cut from the cache while nothing of the resource has changed since the list began, and from the store's history
at the list's own revision after that, so that all pages of a list show one moment.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from sampan.api.errors import EXPIRED, StatusError, bad_request, expired, too_large_resource_version
from sampan.api.jsonsyntax import explain
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.options import EXACT, ListOptions, revision_of
from sampan.apiserver.registry.selection import Selection
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.store.base import Compacted, FutureRevision

_STORE_PAGE = 500
_BEYOND = 2**63

_not_base64 = re.compile(r"[^A-Za-z0-9_-]").search


class Listed(NamedTuple):
    objects: Sequence[CachedObject]
    revision: int
    continue_: str = ""
    remaining: int | None = None


class _Continue(NamedTuple):
    revision: int
    """-1: whatever is newest, the list having given up on one moment."""
    start: str


def _encode_token(revision: int, start: str) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


class _Token(msgspec.Struct):
    v: str = ""
    rv: int = 0
    start: str = ""


_read_token = msgspec.json.Decoder(_Token).decode


def _decode_token(token: str) -> _Continue:
    """Raises StatusError 400, in the words of Go's decoders as far as clients may see them."""
    foreign = _not_base64(token)
    if foreign is not None or len(token) % 4 == 1:
        raise _bad_token(f"illegal base64 data at input byte {foreign.start() if foreign else len(token) - 1}")
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    try:
        found = _read_token(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad_token(explain(text.decode("utf-8", "replace")) or f"json: {error}") from None
    if found.v != "meta.k8s.io/v1":
        raise _bad_token(f"server does not recognize this encoded version {found.v}")
    if not found.rv or not -_BEYOND <= found.rv < _BEYOND:
        raise _bad_token("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not found.start:
        raise _bad_token("encoded start key empty (version meta.k8s.io/v1)")
    key = found.start if found.start.startswith("/") else f"/{found.start}"
    # So that no client leaves the place of the resource it lists.
    if "//" in key or posixpath.normpath(key) != key:
        raise _bad_token(found.start)
    return _Continue(found.rv, key[1:])


def _bad_token(why: str) -> StatusError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")


class _Inconsistent(StatusError):
    """410 with a token to go on with, at the price of consistency."""

    def __init__(self, message: str, token: str) -> None:
        super().__init__(410, EXPIRED, message)
        self._token = token

    def status(self) -> dict[str, Any]:
        return {**super().status(), "metadata": {"continue": self._token}}


def is_exact(options: ListOptions) -> bool:
    """Whether what is asked for is one revision and no later one. A limit beside a revision has meant that since before clients
    could say so."""
    return options.match == EXACT or (not options.match and options.limit > 0 and options.resource_version not in ("", "0"))


class Lister:
    """Lists one resource."""

    def __init__(self, cache: WatchCache, feed: Feed) -> None:
        self._cache = cache
        self._feed = feed

    def now(self, selection: Selection) -> Listed:
        """Everything selected, as the cache holds it at this moment."""
        name = selection.exact("metadata.name")
        if name is not None and self._is_single(selection):
            obj = self._cache.get(selection.namespace, name)
            return Listed([obj] if obj is not None and selection.picks(obj) else [], self._feed.revision)
        found = self._cache.in_namespace(selection.namespace)
        if selection.selective:
            found = [obj for obj in found if selection.picks(obj)]
        return Listed(found, self._feed.revision)

    def _is_single(self, selection: Selection) -> bool:
        """Whether at most one object can be meant, which is looked up by its key."""
        whole_key = bool(selection.namespace) or not self._cache.shape.resource.namespaced
        return whole_key and selection.exact("metadata.name") is not None

    async def page(self, selection: Selection, options: ListOptions) -> Listed:
        """A list with any options; the caches must have reached what consistency asks for. Raises StatusError."""
        if options.continue_:
            token = _decode_token(options.continue_)
            if options.resource_version and options.resource_version != "0":
                raise bad_request("specifying resource version is not allowed when using continue")
            start = self._cache.prefix + token.start
            revision = token.revision if token.revision > 0 else self._feed.revision
            return await self._cut(selection, revision, start, options.limit, options.continue_)
        any_will_do = options.resource_version == "0"
        revision = revision_of(options.resource_version) if is_exact(options) else self._feed.revision
        # Who takes anything is served at once and whole.
        return await self._cut(selection, revision, "", 0 if any_will_do else options.limit, "")

    async def _cut(self, selection: Selection, revision: int, start: str, limit: int, token: str) -> Listed:
        limit = 0 if self._is_single(selection) else limit
        if self._cache.revision <= revision <= self._feed.revision:
            return self._cut_cache(selection, revision, start, limit)
        try:
            return await self._cut_store(selection, revision, start, limit)
        except Compacted:
            raise self._gone(token) from None
        except FutureRevision as error:
            raise too_large_resource_version(revision, error.current, 0) from None

    def _cut_cache(self, selection: Selection, revision: int, start: str, limit: int) -> Listed:
        keys = self._cache.keys_in(selection.namespace)
        first = bisect_left(keys, start) if start else 0
        objects = self._cache.objects
        if not limit and not selection.selective:
            return Listed([objects[key] for key in (keys[first:] if first else keys)], revision)
        found: list[CachedObject] = []
        for index in range(first, len(keys)):
            # Whether what is left has anything that is selected, nobody looks.
            if limit and len(found) == limit:
                return self._partial(selection, found, revision, len(keys) - index)
            obj = objects[keys[index]]
            if not selection.selective or selection.picks(obj):
                found.append(obj)
        return Listed(found, revision)

    async def _cut_store(self, selection: Selection, revision: int, start: str, limit: int) -> Listed:
        cache = self._cache
        namespace = selection.namespace
        prefix = f"{cache.prefix}{namespace}/" if namespace and cache.shape.resource.namespaced else cache.prefix
        found: list[CachedObject] = []
        while True:
            size = _STORE_PAGE if selection.selective or not limit else limit
            page = await self._feed.store.list(prefix, start=start, limit=size, revision=revision)
            for index, entry in enumerate(page.entries):
                if limit and len(found) == limit:
                    return self._partial(selection, found, revision, page.remaining + len(page.entries) - index)
                obj = cache.shape.load(entry.key, entry.revision, entry.value)
                if selection.picks(obj):
                    found.append(obj)
            if not page.remaining:
                return Listed(found, revision)
            if limit and len(found) == limit:
                return self._partial(selection, found, revision, page.remaining)
            start = page.entries[-1].key + "\0"

    def _partial(self, selection: Selection, found: list[CachedObject], revision: int, remaining: int) -> Listed:
        """A page with more behind it; how much more is known only without selectors."""
        start = found[-1].key[len(self._cache.prefix) :] + "\0"
        return Listed(found, revision, _encode_token(revision, start), None if selection.selective else remaining)

    def _gone(self, token: str) -> StatusError:
        if not token:
            return expired("The resourceVersion for the provided list is too old.")
        message = (
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
            "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
            "modified, or deleted between the time the first chunk was returned and now may show up in the list."
        )
        return _Inconsistent(message, _encode_token(-1, _decode_token(token).start))

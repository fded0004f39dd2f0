"""The verbs of one served resource over HTTP: options in, registry in the middle, bytes in the client's form out.

Reads answer at once, without a task, whenever the caches already stand where consistency wants them.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Mapping, Sequence
from copy import copy

import msgspec

from sampan.api.errors import (
    ALREADY_EXISTS,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    StatusError,
    method_not_supported,
    too_large_resource_version,
)
from sampan.api.resource import Resource, Tree
from sampan.apiserver.answers import dress, is_pretty, warning_headers
from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.filters.authorization import refusal
from sampan.apiserver.negotiation import (
    CONVERTED,
    PARTIAL,
    PARTIAL_LIST,
    TABLE,
    WITHOUT_TABLES,
    YAML,
    Form,
    negotiate,
    negotiate_stream,
)
from sampan.apiserver.registry.applying import APPLY_PATCH, Configuration
from sampan.apiserver.registry.bodies import read_again, read_as, read_object
from sampan.apiserver.registry.deletion import delete, delete_collection, success_of
from sampan.apiserver.registry.generic import Caller, Part, Registry
from sampan.apiserver.registry.largebodies import LARGE_BYTES, ahead
from sampan.apiserver.registry.listing import Listed, is_exact
from sampan.apiserver.registry.longlists import is_long, stream_list
from sampan.apiserver.registry.metadata import check_names, check_uid, drop_repeated_owners
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.options import (
    DeleteOptions,
    ListOptions,
    WriteOptions,
    delete_options,
    list_options,
    revision_of,
    revision_to_get,
    write_options,
)
from sampan.apiserver.registry.ownership import name_of_agent
from sampan.apiserver.registry.patching import decode_patch, patch_change, patch_kind
from sampan.apiserver.registry.selection import Selection, select
from sampan.apiserver.registry.table import ColumnsOnce, TableView
from sampan.apiserver.registry.updating import Change, Present
from sampan.apiserver.registry.views import MetadataView, View, frame, list_metadata, view_of, whole_list
from sampan.apiserver.registry.watching import Watcher, WatchHub
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User
from sampan.apiserver.watchsocket import watch_over_websocket
from sampan.lib.http import Answer, Request, Response, Sink, Stream
from sampan.lib.websocket import is_websocket

Reply = Answer | Awaitable[Answer]

# Kinds whose DELETE answers with the object rather than a Status, as upstream's ReturnDeletedObject says.
_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_RETURNS_DELETED = {
    *("namespaces", "pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "resourcequotas"),
    *("podtemplates", "csidrivers", "csinodes", "storageclasses", "volumeattachments"),
}
_APPLY_TRIES = 5
_BAD_REVISION = "invalid resource version: "
_NO_LIST = "you requested PartialObjectMetadataList, but the requested object is not a list ({})"
_A_LIST = "you requested PartialObjectMetadata, but the requested object is a list ({})"
_encode = msgspec.json.encode


class Endpoint:
    def __init__(self, registry: Registry, hub: WatchHub, config: APIServerConfig, view: View | None = None) -> None:
        self.registry = registry
        self.resource = resource = registry.resource
        self.hub = hub
        self._config = config
        self._feed = registry.feed
        self.view = view or view_of(resource)
        self._warnings = warning_headers((resource.deprecated,)) if resource.deprecated else ()
        shown = self.view.object
        self._tables: dict[tuple[str, str], View] = {}
        self._metadata_views = {version: MetadataView(version, shown) for version in ("v1", "v1beta1")}

    def view_for(self, form: Form, request: Request) -> View:
        if not form.shown_as:
            return self.view
        if form.shown_as != TABLE:
            return self._metadata_views[form.version]
        include = request.parameters().get("includeObject") or "Metadata"
        view = self._tables.get((form.version, include))
        if view is None:
            view = TableView(self.resource, form.version, include, self.view.object, self._feed.clock)
            self._tables[form.version, include] = view
        return view

    # Reads.

    def get(self, request: Request, info: RequestInfo) -> Reply:
        if not request.query and self._feed.local:
            return self._show(request, self._found(request, info))
        asked = request.parameters().get("resourceVersion", "") if request.query else ""
        wanted = revision_to_get(asked)
        if wanted <= self._feed.revision and (self._feed.local or asked):
            return self._show(request, self._found(request, info))
        return self._get_later(request, info, wanted)

    async def _get_later(self, request: Request, info: RequestInfo, wanted: int) -> Answer:
        await self._reach(wanted)
        return self._show(request, self._found(request, info))

    def _found(self, request: Request, info: RequestInfo) -> CachedObject:
        try:
            return self.registry.get(info.namespace, info.name)
        except StatusError:
            self._form(request)  # that there is no form for an answer is said before that there is no object
            raise

    async def _reach(self, wanted: int) -> None:
        if wanted:
            await self._feed.reach_requested(wanted)
        else:
            await self._feed.reach_now()

    def _show(self, request: Request, obj: CachedObject, status: int = 200) -> Response:
        form = self._form(request)
        if form.shown_as == PARTIAL_LIST and self.resource.custom_schema is not None:
            raise StatusError(500, "", "content is not a list")
        if form.shown_as == PARTIAL_LIST:
            raise StatusError(406, NOT_ACCEPTABLE, _NO_LIST.format(_go_type(self.resource)))
        answer = dress(request, self.view_for(form, request).object(obj), form, status)
        answer.headers += self._warnings
        return answer

    def _form(self, request: Request) -> Form:
        """Of the answer. Asked for before anything is written, for a refusal must not follow upon a write."""
        return negotiate(request.headers.get("accept", ""))

    def list(self, request: Request, info: RequestInfo) -> Reply:
        options = list_options(request.parameters())
        selection = self.select(info, options)
        wanted = 0 if options.continue_ else revision_of(options.resource_version, _BAD_REVISION)
        fresh = (self._feed.local or options.resource_version) and wanted <= self._feed.revision
        if fresh and not (options.continue_ or options.match or options.limit):
            return self._show_list(request, self.registry.lister.now(selection))
        return self._list_later(request, selection, options, wanted)

    async def _list_later(self, request: Request, selection: Selection, options: ListOptions, wanted: int) -> Answer:
        if not options.resource_version:
            await self._feed.catch_up()
        else:
            await self._feed.reach_requested(wanted, waits=not is_exact(options))
        return self._show_list(request, await self.registry.lister.page(selection, options))

    def _show_list(self, request: Request, listed: Listed) -> Answer:
        form = self._form(request)
        if form.shown_as == PARTIAL:
            raise StatusError(406, NOT_ACCEPTABLE, _A_LIST.format(_go_type(self.resource, "List")))
        view = self.view_for(form, request)
        metadata = list_metadata(listed.revision, listed.continue_, listed.remaining)
        answer: Answer
        if is_long(listed.objects) and (form.media_type == YAML or not (form.pretty or is_pretty(request))):
            answer = stream_list(request, view, listed.objects, metadata, self._config.request_timeout_seconds, form.media_type)
        else:
            answer = dress(request, whole_list(view, listed.objects, metadata), form)
        answer.headers += self._warnings
        return answer

    def space(self, info: RequestInfo) -> str:
        """The namespace objects are in; what stands there in a URL of a Namespace is its own name."""
        return info.namespace if self.resource.namespaced else ""

    def select(self, info: RequestInfo, options: ListOptions) -> Selection:
        name = info.name if len(info.parts) > 1 else ""
        return select(self.registry.fields, self.space(info), name, options.labels, options.fields)

    # Watches.

    def watch(self, request: Request, info: RequestInfo) -> Reply:
        reply = self._watched(request, info)
        return watch_over_websocket(request, reply) if is_websocket(request.headers) else reply

    def _watched(self, request: Request, info: RequestInfo) -> Stream | Awaitable[Stream]:
        options = list_options(request.parameters(), watching=True)
        selection = self.select(info, options)
        streams_list = bool(options.initial_events) and options.bookmarks
        form = negotiate_stream(request.headers.get("accept", ""), WITHOUT_TABLES if streams_list else CONVERTED)
        view = self.view_for(form, request)
        if isinstance(view, TableView):
            view = view.without_columns()
        revision = revision_to_get(options.resource_version)
        newest = self._feed.store.revision
        if self._feed.local and options.initial_events is None and revision > newest:
            # Nobody has that from this store, but from one that it took the place of, and whoever waited for it to come would
            # be blind till then. This makes clients list anew.
            raise too_large_resource_version(revision, newest)
        fresh = revision <= self._feed.revision and (self._feed.local or options.resource_version)
        if fresh or (options.initial_events is None and (self._feed.local or revision)):
            return self._watch(view, selection, options, revision)  # also from a revision that is still to come
        return self._watch_later(view, selection, options, revision)

    async def _watch_later(self, view: View, selection: Selection, options: ListOptions, revision: int) -> Stream:
        try:
            await self._reach(revision if options.initial_events else 0)
        except StatusError as error:
            return _broken(error)
        return self._watch(view, selection, options, revision)

    def _watch(self, view: View, selection: Selection, options: ListOptions, revision: int) -> Stream:
        seconds = options.timeout_seconds or self._config.min_watch_seconds * (1 + random.random())
        deadline = self._feed.clock.monotonic() + seconds
        starts_with_state = revision == 0 if options.initial_events is None else options.initial_events
        if options.initial_events is False and revision == 0:
            revision = self._feed.revision

        async def produce(sink: Sink) -> None:
            channel = self.hub.channel(view, selection)
            objects: Sequence[CachedObject] = ()
            after, last = revision, b""
            if starts_with_state:
                listed = self.registry.lister.now(selection)
                after, objects = listed.revision, listed.objects
                if options.initial_events and options.bookmarks:
                    last = frame("BOOKMARK", view.bookmark(after, initial_end=True))
            frames = (frame("ADDED", view.object(obj)) for obj in objects)
            watcher = Watcher(self.hub, channel, after, deadline=deadline, bookmarks=options.bookmarks)
            await watcher.run(ColumnsOnce(sink, view) if isinstance(view, TableView) else sink, frames, last)

        return Stream(produce, headers=(("Cache-Control", "no-cache, private"), *self._warnings))

    # Writes.

    async def create(self, request: Request, info: RequestInfo) -> Answer:
        self._form(request)
        options = write_options(request.parameters(), "CreateOptions")
        by = self.caller(request, options)
        tree = await self.read(request, options, by)
        obj = await self.registry.create(tree, self.space(info), by)
        return self._show(request, obj, 201)

    async def read(self, request: Request, options: WriteOptions, by: Caller) -> Tree:
        return await read_object(request, self.resource, options.field_validation, by.warnings)

    def caller(self, request: Request, options: WriteOptions) -> Caller:
        manager = options.field_manager or name_of_agent(request.headers.get("user-agent", ""))
        return Caller(request.user, options.dry_run, request.attributes.warnings, manager, options=options)

    async def update(self, request: Request, info: RequestInfo, part: Part | None = None) -> Answer:
        self._form(request)
        options = write_options(request.parameters(), "UpdateOptions")
        by = self.caller(request, options)
        tree = await self.read(request, options, by)
        check_names(tree["metadata"], self.space(info), info.name)
        creates = part is None and self.resource.strategy.allow_create_on_update
        if creates:
            await self._feed.catch_up()
        if creates and self.registry.cache.get(info.namespace, info.name) is None:
            self._check_may_create(request.user, info)
            # What is sent with the uid of a life that is over is not brought back by this.
            check_uid(tree["metadata"], {"name": info.name}, self.resource, self.registry.cache.key(info.namespace, info.name))
            tree["metadata"].pop("resourceVersion", None)
            return self._show(request, await self.registry.create(tree, self.space(info), by), 201)
        drop_repeated_owners(tree["metadata"], by.warnings)
        sent = dict(tree["metadata"])
        try:
            obj = await self.registry.update(info.namespace, info.name, self._replace(request, info, tree), by, part=part)
        except StatusError as error:
            if error.code == 404:
                check_uid(sent, {"name": info.name}, self.resource, self.registry.cache.key(info.namespace, info.name))
            raise
        return self._show(request, obj, 200)

    def _replace(self, request: Request, info: RequestInfo, tree: Tree) -> Change:
        """The body's tree; decoded anew, and a large one from what is decoded fast, for another attempt: each uses it up."""
        attempts = iter([tree])
        fast = msgspec.json.encode(tree) if len(request.body) > LARGE_BYTES else b""

        def change(present: Present) -> Tree:
            found = next(attempts, None)
            if found is None:
                found = msgspec.json.decode(fast) if fast else read_again(request, self.resource, self.space(info), info.name)
            meta = present.tree["metadata"]
            check_uid(found["metadata"], meta, self.resource, self.registry.cache.key(meta.get("namespace", ""), meta["name"]))
            return found

        return change

    async def patch(self, request: Request, info: RequestInfo, part: Part | None = None) -> Answer:
        kind = patch_kind(request)
        self._form(request)
        if kind == APPLY_PATCH:
            return await self._apply(request, info, part)
        options = write_options(request.parameters(), "PatchOptions")
        by = self.caller(request, options)
        decode = await ahead(request.body, decode_patch, request.body, kind)
        change = patch_change(request, self.resource, options, by.warnings, decode)
        obj = await self.registry.update(info.namespace, info.name, change, by, part=part)
        return self._show(request, obj, 200)

    async def _apply(self, request: Request, info: RequestInfo, part: Part | None) -> Answer:
        """What is not there is made, unless it is applied to a subresource."""
        options = write_options(request.parameters(), "PatchOptions", applies=True)
        by = self.caller(request, options)
        by.applies = True
        wanted = await self.configuration(request, info, options, by).read()
        for _ in range(_APPLY_TRIES):
            await self._feed.catch_up()
            stands = part is not None or self.registry.cache.get(info.namespace, info.name) is not None
            try:
                if stands:
                    obj = await self.registry.update(
                        info.namespace, info.name, lambda present: wanted.on(present.own()), by, part=part
                    )
                    return self._show(request, obj, 200)
                tree = wanted.on(None)
                self._check_may_create(request.user, info)
                tree["metadata"].pop("resourceVersion", None)
                return self._show(request, await self.registry.create(tree, self.space(info), by), 201)
            except StatusError as error:
                # Try again if it came or went meanwhile. What a create does not find is something else, such as its namespace.
                if part is not None or error.reason != (NOT_FOUND if stands else ALREADY_EXISTS):
                    raise
                if stands and self.registry.cache.get(info.namespace, info.name) is not None:
                    raise
        raise self.registry.modified(info.name)

    def configuration(self, request: Request, info: RequestInfo, options: WriteOptions, by: Caller) -> Configuration:
        """What a server-side apply wants of an object."""
        return Configuration(
            self.registry.owners,
            request.body,
            options,
            by.warnings,
            namespace=self.space(info),
            name=info.name,
            subresource=info.subresource,
        )

    def _check_may_create(self, user: User, info: RequestInfo) -> None:
        """Raises StatusError 403: who may patch or update may not yet create."""
        create = copy(info)
        create.verb = "create"
        allowed, reason = self.registry.admission.authorize(user, create)
        if not allowed:
            raise refusal(user, create, reason)

    async def delete(self, request: Request, info: RequestInfo) -> Answer:
        form = self._form(request)
        options = await self._delete_options(request, request.parameters())
        by = Caller(request.user, options.dry_run, request.attributes.warnings)
        found = await delete(self.registry, info.namespace, info.name, options, by)
        if found.gone and (self.resource.plural not in _RETURNS_DELETED or self.resource.custom_schema is not None):
            answer = dress(request, _encode(success_of(self.resource, found.object)), form)
            answer.headers += self._warnings
            return answer
        return self._show(request, found.object, 202 if options.orphan is False and not found.gone else 200)

    async def _delete_options(self, request: Request, query: Mapping[str, str]) -> DeleteOptions:
        return delete_options(await read_as(request, _DELETE_OPTIONS) if request.body else None, query)

    async def deletecollection(self, request: Request, info: RequestInfo) -> Answer:
        self._form(request)
        query = request.parameters()
        which = list_options(query)
        selection = self.select(info, which)
        options = await self._delete_options(request, query)
        by = Caller(request.user, options.dry_run, request.attributes.warnings)
        await self._feed.reach_requested(revision_of(which.resource_version, _BAD_REVISION), waits=False)
        return self._show_list(request, await delete_collection(self.registry, selection, which, options, by))

    def unsupported(self, verb: str) -> StatusError:
        return method_not_supported(self.resource.plural, self.resource.group, verb)


def _go_type(resource: Resource, suffix: str = "") -> str:
    """As upstream names the type of what it holds."""
    if resource.custom_schema is not None:
        return f"*unstructured.Unstructured{suffix}"
    return f"*{resource.group.partition('.')[0] or 'core'}.{resource.kind}{suffix}"


def _broken(error: StatusError) -> Stream:
    """A watch that begins with its end: whoever asks for one right is answered 200, whatever becomes of it."""

    async def produce(sink: Sink) -> None:
        sink.write(frame("ERROR", _encode(error.status())))

    return Stream(produce)

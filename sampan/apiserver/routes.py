"""From what a request asks for to the code that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from sampan.api.errors import not_found, page_not_found
from sampan.api.scheme import builtin
from sampan.apiserver.answers import method_not_allowed, text_answer
from sampan.apiserver.context import Context
from sampan.apiserver.custom.serving import CustomResources
from sampan.apiserver.documents import Documents
from sampan.apiserver.endpoint import Endpoint
from sampan.apiserver.registry.scale import scale
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Answer, Handler, Request, Response, Stream, Upgrade

Reply = Answer | Awaitable[Answer]

_IN_NAMESPACES = ("bindings", "localsubjectaccessreviews")
_READS = frozenset(("get", "list", "watch"))


class Routes:
    """`pages` are the paths that are no resources, `subresources` and `virtual` what is not generic.

    `subresources` is keyed by (group, plural, subresource); `virtual` resources, which are created and never stored, by (group,
    version, plural).
    """

    def __init__(
        self,
        context: Context,
        custom: CustomResources,
        pages: Mapping[str, Handler],
        subresources: Mapping[tuple[str, str, str], Handler],
        virtual: Mapping[tuple[str, str, str], Handler],
        documents: Documents,
    ) -> None:
        self._custom = custom
        self._pages = pages
        self._documents = documents
        self._subresources = subresources
        self._virtual = virtual
        self._own = {(resource.group, resource.version) for resource in builtin()} | {place[:2] for place in virtual}
        self._endpoints = context.endpoints

    def handle(self, request: Request) -> Reply:
        info: RequestInfo = request.attributes
        if not info.is_resource:
            return self._page(request, info.path)
        if request.method == "HEAD" and info.subresource != "proxy":
            raise method_not_allowed()
        endpoint = self._endpoints.find(info.group, info.version, info.resource)
        if endpoint is None:
            return self._not_stored(request, info)
        if info.verb not in _READS and self._custom.is_pending(info.group, info.resource):
            return self._later(request, info)
        return self._served(request, info, endpoint)

    async def _later(self, request: Request, info: RequestInfo) -> Answer:
        """Once what is served is what definitions say by now."""
        await self._custom.settled(info.group, info.resource)
        endpoint = self._endpoints.find(info.group, info.version, info.resource)
        reply = self._served(request, info, endpoint) if endpoint is not None else self._absent(info)
        return reply if isinstance(reply, Response | Stream | Upgrade) else await reply

    def _served(self, request: Request, info: RequestInfo, endpoint: Endpoint) -> Reply:
        if info.subresource:
            return self._subresource(request, info, endpoint)
        if len(info.parts) == 1:
            return self._collection(request, info, endpoint)
        return self._object(request, info, endpoint)

    def _page(self, request: Request, path: str) -> Reply:
        page = self._pages.get(path) or self._pages.get(path.rstrip("/"))
        if page is not None:
            return page(request)
        document = self._documents.page(request)
        if document is None:
            return text_answer("404 page not found\n", 404)
        if request.method != "GET":
            raise method_not_allowed()
        return document

    def _not_stored(self, request: Request, info: RequestInfo) -> Reply:
        virtual = self._virtual.get((info.group, info.version, info.resource))
        if virtual is None:
            return self._later(request, info) if self._custom.may_come(info.group, info.resource) else self._absent(info)
        if info.resource in _IN_NAMESPACES and not info.namespace:
            raise page_not_found()
        if request.method != "POST":
            raise method_not_allowed()
        return virtual(request)

    def _absent(self, info: RequestInfo) -> Answer:
        """Upstream looks for paths of its own groups among what these serve, and says so; others lead nowhere."""
        if (info.group, info.version) in self._own:
            raise page_not_found()
        return text_answer("404 page not found\n", 404)

    def _collection(self, request: Request, info: RequestInfo, endpoint: Endpoint) -> Reply:
        resource, verb = endpoint.resource, info.verb
        namespaced = resource.namespaced
        if info.namespace and not namespaced and resource.plural != "namespaces":
            return self._absent(info)
        if verb not in resource.verbs:
            raise method_not_allowed()
        if verb == "list":
            return endpoint.list(request, info)
        if verb == "watch":
            return endpoint.watch(request, info)
        if namespaced and not info.namespace:
            if resource.custom_schema is not None:
                return self._absent(info)
            raise method_not_allowed()
        if verb == "create":
            return endpoint.create(request, info)
        if verb == "deletecollection":
            return endpoint.deletecollection(request, info)
        raise method_not_allowed()

    def _object(self, request: Request, info: RequestInfo, endpoint: Endpoint) -> Reply:
        resource, verb = endpoint.resource, info.verb
        if resource.namespaced != bool(info.namespace) and resource.plural != "namespaces":
            return self._absent(info)
        if verb not in resource.verbs:
            raise method_not_allowed()
        if verb == "get":
            return endpoint.get(request, info)
        if verb == "update":
            return endpoint.update(request, info)
        if verb == "patch":
            return endpoint.patch(request, info)
        if verb == "delete":
            return endpoint.delete(request, info)
        if verb == "watch":
            return endpoint.watch(request, info)
        raise method_not_allowed()

    def _subresource(self, request: Request, info: RequestInfo, endpoint: Endpoint) -> Reply:
        resource = endpoint.resource
        special = self._subresources.get((info.group, info.resource, info.subresource))
        if special is not None:
            return special(request)
        if info.subresource == "status" and resource.status:
            part = endpoint.registry.status
            if info.verb == "get":
                return endpoint.get(request, info)
            if info.verb == "update":
                return endpoint.update(request, info, part)
            if info.verb == "patch":
                return endpoint.patch(request, info, part)
            raise method_not_allowed()
        if info.subresource == "scale" and resource.scale is not None:
            return scale(endpoint, request, info)
        if resource.custom_schema is not None:
            raise not_found(resource.plural, resource.group, info.name)
        raise page_not_found()

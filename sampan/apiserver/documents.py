"""Discovery and OpenAPI over HTTP; the documents themselves come from sampan/api/discovery.py and sampan/api/openapi.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection

from sampan.api.discovery import Catalogue, Discovery, aggregated_version
from sampan.api.openapi import V2_PROTOBUF, V2_PROTOBUF_DOTTED, OpenAPI
from sampan.apiserver.answers import compressed, dress
from sampan.apiserver.context import Context
from sampan.apiserver.negotiation import AS_IT_IS, negotiate
from sampan.lib.http import Answer, Request, Response

_VARY = ("Vary", "Accept")


class Documents:
    """Pages by path; paths come and go with the groups of the scheme, so they are looked up, not listed once."""

    def __init__(
        self,
        context: Context,
        subresources: Collection[tuple[str, str, str]],
        virtual: Collection[tuple[str, str, str]],
        address: Callable[[], str],
    ) -> None:
        self._context = context
        self._address = address
        self.catalogue = Catalogue(context.scheme, subresources, virtual)
        self._discovery = Discovery(self.catalogue)
        self._openapi = OpenAPI(self.catalogue)

    def paths(self) -> list[str]:
        """Every path that has a document."""
        found = ["/api", "/api/v1", "/apis", "/openapi/v2", "/openapi/v3"]
        for group, version in self.catalogue.group_versions():
            if group:
                found += [f"/apis/{group}", f"/apis/{group}/{version}"]
        return list(dict.fromkeys(found))

    def page(self, request: Request) -> Answer | None:
        """The document at the request's path; None where there is none."""
        parts = request.path.strip("/").split("/")
        accept = request.headers.get("accept", "")
        match parts:
            case ["api"]:
                return self._root(request, accept, core=True)
            case ["apis"]:
                return self._root(request, accept, core=False)
            case ["api", version]:
                return self._document(request, self._discovery.api_resource_list("", version))
            case ["apis", group]:
                return self._document(request, self._discovery.api_group(group) if group else None)
            case ["apis", group, version]:
                return self._document(request, self._discovery.api_resource_list(group, version) if group else None)
            case ["openapi", "v2"]:
                return self._openapi_v2(request, accept)
            case ["openapi", "v3"]:
                return self._answer(request, self._openapi.v3_index())  # JSON, whatever is accepted
            case ["openapi", "v3", "api", version]:
                return self._openapi_v3(request, "", version)
            case ["openapi", "v3", "apis", group, version]:
                return self._openapi_v3(request, group, version)
        return None

    def _openapi_v2(self, request: Request, accept: str) -> Answer:
        if V2_PROTOBUF in accept or V2_PROTOBUF_DOTTED in accept:
            return self._tagged(request, self._openapi.v2_protobuf(), V2_PROTOBUF_DOTTED)
        return self._tagged(request, self._openapi.v2_json())

    def _openapi_v3(self, request: Request, group: str, version: str) -> Answer | None:
        if (group, version) not in self.catalogue.group_versions():
            return None
        digest = self._openapi.v3_hash(group, version)
        wanted = request.parameters().get("hash", "")
        if wanted and wanted != digest:
            return Response(301, headers=(("Location", f"{request.path}?hash={digest}"),))
        # Asked for by its hash (as the index names it), a document never changes.
        caching = "public, immutable" if wanted else "no-cache, private"
        headers = (("ETag", f'"{digest}"'), ("Cache-Control", caching))
        if request.headers.get("if-none-match") == f'"{digest}"':
            return Response(304, headers=headers)
        document = self._openapi.v3(group, version)
        return None if document is None else self._answer(request, document, headers=headers)

    def _root(self, request: Request, accept: str, *, core: bool) -> Answer:
        version = aggregated_version(accept)
        if not version:
            document = self._discovery.api_versions(self._address()) if core else self._discovery.api_group_list()
            answer = self._negotiated(request, document)
            answer.headers += (_VARY,)
            return answer
        document = self._discovery.aggregated(core=core, version=version)
        content_type = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        return self._tagged(request, document, content_type, (("Cache-Control", "public"),))

    def _tagged(
        self,
        request: Request,
        document: bytes,
        content_type: str = "application/json",
        more: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """For a client to ask again whether it has changed."""
        etag = f'"{hashlib.sha512(document).hexdigest().upper()}"'
        headers = (("ETag", etag), _VARY, *more)
        if request.headers.get("if-none-match") == etag:
            return Response(304, b"", content_type, headers)
        return self._answer(request, document, content_type, headers)

    def _document(self, request: Request, document: bytes | None) -> Answer | None:
        return None if document is None else self._negotiated(request, document)

    def _negotiated(self, request: Request, document: bytes) -> Response:
        return dress(request, document, negotiate(request.headers.get("accept", ""), AS_IT_IS))

    def _answer(
        self,
        request: Request,
        document: bytes,
        content_type: str = "application/json",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        return compressed(request, Response(200, document, content_type, headers))

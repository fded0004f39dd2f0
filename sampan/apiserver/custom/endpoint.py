"""The verbs of a custom resource over HTTP, where they differ from those of built-in kinds."""

from __future__ import annotations

from sampan.api.crd.decoding import KindMissing
from sampan.api.errors import METHOD_NOT_ALLOWED, StatusError, unsupported_media_type
from sampan.api.resource import Tree
from sampan.apiserver.endpoint import Endpoint
from sampan.apiserver.registry.bodies import YAML_TYPE, is_protobuf, media_type
from sampan.apiserver.registry.generic import Caller, Part
from sampan.apiserver.registry.options import WriteOptions
from sampan.apiserver.registry.patching import ACCEPTED as PATCHES
from sampan.apiserver.registry.patching import STRATEGIC_PATCH
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Answer, Request

_PATCHES = tuple(kind for kind in PATCHES if kind != STRATEGIC_PATCH)
_BODIES = ("application/json", YAML_TYPE)


class CustomEndpoint(Endpoint):
    """Strategic merge patches and protobuf are for kinds that are compiled in."""

    terminating = False
    """Whether the definition is being deleted: nothing new is made, that the end be reached."""

    async def create(self, request: Request, info: RequestInfo) -> Answer:
        if self.terminating:
            why = f"{info.verb} not allowed while custom resource definition is terminating"
            raise StatusError(405, METHOD_NOT_ALLOWED, why, details={"group": info.group, "kind": info.resource})
        return await super().create(request, info)

    async def patch(self, request: Request, info: RequestInfo, part: Part | None = None) -> Answer:
        if media_type(request.headers.get("content-type", "")) not in _PATCHES:
            raise unsupported_media_type(_PATCHES)
        return await super().patch(request, info, part)

    async def read(self, request: Request, options: WriteOptions, by: Caller) -> Tree:
        if is_protobuf(request.headers.get("content-type", "")):
            raise unsupported_media_type(_BODIES)
        try:
            return await super().read(request, options, by)
        except KindMissing as error:
            raise error.loosely if options.field_validation == "Ignore" else error from None

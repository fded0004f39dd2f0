"""`pods/eviction`: a delete that asks first. There are no disruption budgets yet, so nothing is asked.

https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from __future__ import annotations

from typing import Any

import msgspec

from sampan.api.errors import bad_request
from sampan.apiserver.answers import dress, method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.bodies import decode_as
from sampan.apiserver.registry.deletion import delete
from sampan.apiserver.registry.generic import Caller
from sampan.apiserver.registry.options import delete_options
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Answer, Handler, Request

_EVICTED = msgspec.json.encode({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def eviction(context: Context) -> Handler:
    async def evict(request: Request) -> Answer:
        if request.method != "POST":
            raise method_not_allowed()
        info: RequestInfo = request.attributes
        body = _decode(request)
        own = (body.get("metadata") or {}).get("name", "")
        if own and own != info.name:
            raise bad_request(f"name in URL does not match name in Eviction object: {info.name} != {own}")
        query = request.parameters()
        options = delete_options(body.get("deleteOptions") or {}, query)
        options.dry_run = options.dry_run or query.get("dryRun") == "All"
        await delete(context.registry("", "pods"), info.namespace, info.name, options, Caller(request.user, options.dry_run))
        return dress(request, _EVICTED, negotiate(request.headers.get("accept", "")), 201)

    return evict


def _decode(request: Request) -> dict[str, Any]:
    return decode_as(request.body, request.headers.get("content-type", ""), "io.k8s.api.policy.v1.Eviction")

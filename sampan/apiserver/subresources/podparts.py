"""`pods/ephemeralcontainers` and `pods/resize`: the pod again, with one part of its spec open to change.

https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/ and
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

from collections.abc import Awaitable

from sampan.api.groups.core import pod_parts
from sampan.apiserver.answers import method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Part
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Answer, Handler, Request

_EPHEMERAL_CONTAINERS = Part(
    "ephemeralcontainers", pod_parts.prepare_ephemeral_containers, pod_parts.validate_ephemeral_containers_update
)
_RESIZE = Part("resize", pod_parts.prepare_resize, pod_parts.validate_resize)


def _handler(context: Context, part: Part) -> Handler:
    def handle(request: Request) -> Answer | Awaitable[Answer]:
        endpoint = context.endpoints["", "v1", "pods"]
        info: RequestInfo = request.attributes
        if info.verb == "get":
            return endpoint.get(request, info)
        if info.verb == "update":
            return endpoint.update(request, info, part)
        if info.verb == "patch":
            return endpoint.patch(request, info, part)
        raise method_not_allowed()

    return handle


def pod_part_handlers(context: Context) -> dict[tuple[str, str, str], Handler]:
    return {("", "pods", part.subresource): _handler(context, part) for part in (_EPHEMERAL_CONTAINERS, _RESIZE)}

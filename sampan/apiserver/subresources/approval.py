"""`certificatesigningrequests/approval`, and what its `status` needs a clock for: both date the conditions they are given.

After pkg/registry/certificates/certificates.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sampan.api.groups.certificates.certificatesigningrequest import prepare_approval, prepare_status, stamp_conditions
from sampan.api.groups.certificates.validation import validate_approval, validate_status
from sampan.api.resource import Tree
from sampan.apiserver.answers import method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Part
from sampan.apiserver.registry.metadata import timestamp
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.clock import Clock
from sampan.lib.http import Answer, Handler, Request


def approval_part(clock: Clock) -> Part:
    return Part("approval", _dated(prepare_approval, clock), validate_approval)


def status_part(clock: Clock) -> Part:
    return Part("status", _dated(prepare_status, clock), validate_status)


def _dated(prepare: Callable[[Tree, Tree], None], clock: Clock) -> Callable[[Tree, Tree], None]:
    def prepare_and_date(new: Tree, old: Tree) -> None:
        prepare(new, old)
        stamp_conditions(new, old, timestamp(clock.now()))

    return prepare_and_date


def approval(context: Context) -> Handler:
    endpoint = context.endpoints["certificates.k8s.io", "v1", "certificatesigningrequests"]
    part = approval_part(context.clock)

    def handle(request: Request) -> Answer | Awaitable[Answer]:
        info: RequestInfo = request.attributes
        if info.verb == "get":
            return endpoint.get(request, info)
        if info.verb == "update":
            return endpoint.update(request, info, part)
        if info.verb == "patch":
            return endpoint.patch(request, info, part)
        raise method_not_allowed()

    return handle

"""The filters every request passes, outermost first, and the routes at their end."""

from __future__ import annotations

from sampan.apiserver.aggregation.proxying import aggregated
from sampan.apiserver.aggregation.remotes import Remotes
from sampan.apiserver.context import Context
from sampan.apiserver.fairness.controller import Fairness
from sampan.apiserver.filters.authorization import authorization
from sampan.apiserver.filters.boundary import boundary
from sampan.apiserver.filters.fairness import fairness
from sampan.apiserver.filters.impersonation import impersonation
from sampan.apiserver.filters.info import request_info
from sampan.apiserver.filters.metrics import measure
from sampan.apiserver.filters.timeout import timeout
from sampan.lib.http import Filter, Handler

_QUEUE_PART = 4
"""A request may spend this part of its time waiting for its turn."""


def build(context: Context, authentication: Filter, levels: Fairness, remotes: Remotes, routes: Handler) -> Handler:
    """The size of bodies is bounded further out still, where they are read (lib/httpserver.py)."""

    def count(group: str, resource: str) -> int:
        registry = context.registries.find(group, resource)
        return len(registry.cache) if registry is not None else 0

    filters: list[Filter] = [
        boundary,
        request_info,
        measure(context.scheme),
        authentication,
        impersonation(context.authorize),
        fairness(levels, count, context.clock, context.config.request_timeout_seconds / _QUEUE_PART),
        authorization(context.authorize),
        aggregated(remotes, context.config.max_body_bytes),
        timeout(context.config.request_timeout_seconds),
    ]
    handler = routes
    for install in reversed(filters):
        handler = install(handler)
    return handler

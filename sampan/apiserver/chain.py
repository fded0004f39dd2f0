"""The filters every request passes, outermost first, and the routes at their end."""

from __future__ import annotations

from sampan.apiserver.context import Context
from sampan.apiserver.filters.authorization import authorization
from sampan.apiserver.filters.boundary import boundary
from sampan.apiserver.filters.impersonation import impersonation
from sampan.apiserver.filters.info import request_info
from sampan.apiserver.filters.metrics import measure
from sampan.apiserver.filters.timeout import timeout
from sampan.lib.http import Filter, Handler


def build(context: Context, authentication: Filter, routes: Handler) -> Handler:
    """The size of bodies is bounded further out still, where they are read (lib/httpserver.py)."""
    filters: list[Filter] = [
        boundary,
        request_info,
        measure(context.scheme),
        authentication,
        impersonation(context.authorize),
        authorization(context.authorize),
        timeout(context.config.request_timeout_seconds),
    ]
    handler = routes
    for install in reversed(filters):
        handler = install(handler)
    return handler

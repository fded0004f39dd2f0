"""Reads what a request asks for off its URL, for every filter further in."""

from __future__ import annotations

from collections.abc import Awaitable

from sampan.apiserver.requestinfo import resolve
from sampan.lib.http import Answer, Handler, Request


def request_info(inner: Handler) -> Handler:
    def handle(request: Request) -> Answer | Awaitable[Answer]:
        request.attributes = resolve(request.method, request.path, request.query)
        return inner(request)

    return handle

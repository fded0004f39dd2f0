"""Patches that take long to decode: read in a thread, and then made what is decoded fast or known to be refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import msgspec

from sampan.api.errors import StatusError
from sampan.api.resource import Resource, Tree
from sampan.apiserver.registry.largebodies import LARGE_BYTES, in_turn, is_plain
from sampan.apiserver.registry.options import WriteOptions
from sampan.apiserver.registry.patching import decode_patch, patch_change, patch_kind
from sampan.lib.http import Request


async def read_patch(request: Request, resource: Resource, options: WriteOptions, warnings: list[str]) -> Callable[[Any], Tree]:
    """`patch_change` of the request. What is wrong with a patch is said when it is applied, not before: whether there is such
    an object goes first."""
    if len(request.body) > LARGE_BYTES and not is_plain(request.body):
        try:
            patch, strict = await in_turn(decode_patch, request.body, patch_kind(request))
        except StatusError as error:
            return _refusing(error)
        if not strict:
            request = copy(request)
            request.body = msgspec.json.encode(patch)
    return patch_change(request, resource, options, warnings)


def _refusing(error: StatusError) -> Callable[[Any], Tree]:
    def refuse(_: Any) -> Tree:
        raise error

    return refuse

"""What is not generic: one file a subresource, found here by (group, plural, subresource)."""

from __future__ import annotations

from sampan.apiserver.context import Context
from sampan.apiserver.subresources.podstreams import pod_stream_handlers
from sampan.lib.http import Handler


def subresource_handlers(context: Context) -> dict[tuple[str, str, str], Handler]:
    return {**pod_stream_handlers(context)}


def virtual_handlers(context: Context) -> dict[tuple[str, str, str], Handler]:
    return {}

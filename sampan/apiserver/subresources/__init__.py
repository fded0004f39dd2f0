"""What is not generic: one file a subresource, found here by (group, plural, subresource)."""

from __future__ import annotations

from sampan.apiserver import reviews
from sampan.apiserver.context import Context
from sampan.apiserver.subresources import token
from sampan.apiserver.subresources.approval import approval
from sampan.apiserver.subresources.binding import binding
from sampan.apiserver.subresources.eviction import eviction
from sampan.apiserver.subresources.finalize import finalize
from sampan.apiserver.subresources.podparts import pod_part_handlers
from sampan.apiserver.subresources.podstreams import pod_stream_handlers
from sampan.apiserver.subresources.proxy import proxy_handlers
from sampan.lib.http import Handler

Key = tuple[str, str, str]


def subresource_handlers(context: Context) -> dict[Key, Handler]:
    return {
        **pod_stream_handlers(context),
        **pod_part_handlers(context),
        **proxy_handlers(context),
        ("", "pods", "binding"): binding(context),
        ("", "pods", "eviction"): eviction(context),
        ("", "namespaces", "finalize"): finalize(context),
        ("", "serviceaccounts", "token"): token.make(context),
        ("certificates.k8s.io", "certificatesigningrequests", "approval"): approval(context),
    }


def virtual_handlers(context: Context) -> dict[Key, Handler]:
    """Resources that are created and never stored, by (group, version, plural)."""
    return {**reviews.handlers(context), ("", "v1", "bindings"): binding(context)}

"""The pod subresources that lead to a kubelet, as the server's table of subresources wants them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from sampan.api.errors import METHOD_NOT_ALLOWED, StatusError
from sampan.apiserver.context import Context
from sampan.apiserver.kubelet import Tree
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.subresources.log import serve_log
from sampan.apiserver.subresources.streams import serve_attach, serve_exec, serve_portforward
from sampan.apiserver.subresources.target import Nodes
from sampan.lib.http import Answer, Handler, Request

Serve = Callable[[Request, RequestInfo, Nodes], Awaitable[Answer]]


def pod_stream_handlers(context: Context) -> dict[tuple[str, str, str], Handler]:
    pods, nodes = context.registry("", "pods"), context.registry("", "nodes")

    def get_pod(namespace: str, name: str) -> Tree:
        return pods.get(namespace, name).tree()

    def get_node(name: str) -> Tree:
        return nodes.get("", name).tree()

    found = Nodes(get_pod, get_node, context.kubelets)
    return {
        ("", "pods", "log"): _handler(serve_log, found, ("GET", "HEAD")),
        ("", "pods", "exec"): _handler(serve_exec, found, ("GET", "POST")),
        ("", "pods", "attach"): _handler(serve_attach, found, ("GET", "POST")),
        ("", "pods", "portforward"): _handler(serve_portforward, found, ("GET", "POST")),
    }


def _handler(serve: Serve, nodes: Nodes, methods: Collection[str]) -> Handler:
    def handle(request: Request) -> Awaitable[Answer]:
        if request.method not in methods:
            raise StatusError(405, METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource")
        return serve(request, request.attributes, nodes)

    return handle

"""The pod subresources that lead to a kubelet, as the server's table of subresources wants them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from sampan.api.errors import METHOD_NOT_ALLOWED, StatusError
from sampan.api.resource import Resource
from sampan.apiserver.context import Context
from sampan.apiserver.kubelet import Tree
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.subresources.connecting import admit_connection
from sampan.apiserver.subresources.forms import POD_ATTACH, POD_EXEC, POD_PORT_FORWARD
from sampan.apiserver.subresources.log import serve_log
from sampan.apiserver.subresources.streams import serve_attach, serve_exec, serve_portforward
from sampan.apiserver.subresources.target import Nodes
from sampan.lib.http import Answer, Handler, Request

Serve = Callable[[Request, RequestInfo, Nodes], Awaitable[Answer]]
_STREAM_METHODS = ("GET", "POST")


def pod_stream_handlers(context: Context) -> dict[tuple[str, str, str], Handler]:
    pods, nodes = context.registry("", "pods"), context.registry("", "nodes")

    def get_pod(namespace: str, name: str) -> Tree:
        return pods.get(namespace, name).tree()

    def get_node(name: str) -> Tree:
        return nodes.get("", name).tree()

    found = Nodes(get_pod, get_node, context.kubelets)
    return {
        ("", "pods", "log"): _handler(serve_log, found, ("GET", "HEAD")),
        ("", "pods", "exec"): _handler(_admitted(context, POD_EXEC, serve_exec), found, _STREAM_METHODS),
        ("", "pods", "attach"): _handler(_admitted(context, POD_ATTACH, serve_attach), found, _STREAM_METHODS),
        ("", "pods", "portforward"): _handler(_admitted(context, POD_PORT_FORWARD, serve_portforward), found, _STREAM_METHODS),
    }


def _admitted(context: Context, form: Resource, serve: Serve) -> Serve:
    async def admit_and_serve(request: Request, info: RequestInfo, nodes: Nodes) -> Answer:
        await admit_connection(context, request, info, form)
        return await serve(request, info, nodes)

    return admit_and_serve


def _handler(serve: Serve, nodes: Nodes, methods: Collection[str]) -> Handler:
    def handle(request: Request) -> Awaitable[Answer]:
        if request.method not in methods:
            raise StatusError(405, METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource")
        return serve(request, request.attributes, nodes)

    return handle

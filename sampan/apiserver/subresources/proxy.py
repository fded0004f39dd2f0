"""`pods/proxy`, `services/proxy` and `nodes/proxy`: any HTTP request to a port of the cluster, authorized by the API server.

The name in the URL may say scheme and port: `https:web:8443`. After ResourceLocation of pkg/registry/core/{pod,service,node}.
https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from sampan.api.errors import StatusError, bad_request, service_unavailable
from sampan.api.resource import Resource
from sampan.apiserver.answers import method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.kubelet import endpoint
from sampan.apiserver.requestinfo import RequestInfo, resolve
from sampan.apiserver.reverseproxy import forward, is_upgrade, passed_on, relocated
from sampan.apiserver.subresources.connecting import admit_connection
from sampan.apiserver.subresources.forms import NODE_PROXY, POD_PROXY, SERVICE_PROXY
from sampan.apiserver.webhooks.resolve import Place, ready_places
from sampan.client.transport import ConnectFailed, Transport
from sampan.lib.http import Answer, Handler, Request, Response

_PROXIED = frozenset(("pods", "services", "nodes"))
_PROXY_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Asked(NamedTuple):
    """A name taken apart; `port` may be a name, and "" where none is said."""

    scheme: str
    name: str
    port: str


def take_apart(text: str, kind: str) -> Asked:
    """Raises StatusError 400."""
    parts = text.split(":")
    if len(parts) == 1:
        found = Asked("http", text, "")
    elif len(parts) == 2:
        found = Asked("http", parts[0], parts[1])
    else:
        found = Asked(parts[0] or "http", parts[1], parts[2])
    if len(parts) > 3 or not found.name or found.scheme not in _DEFAULT_PORTS:
        raise bad_request(f'invalid {kind} request "{text}"')
    return found


Locate = Callable[[RequestInfo], Transport]


def proxy_handlers(context: Context) -> dict[tuple[str, str, str], Handler]:
    locating = _Locating(context)
    return {
        ("", "pods", "proxy"): _handler(context, POD_PROXY, locating.pod),
        ("", "services", "proxy"): _handler(context, SERVICE_PROXY, locating.service),
        ("", "nodes", "proxy"): _handler(context, NODE_PROXY, locating.node),
    }


class _Locating:
    """From the name in a URL to what is there."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._backends = context.backends

    def pod(self, info: RequestInfo) -> Transport:
        asked = take_apart(info.name, "pod")
        tree = self._context.registry("", "pods").get(info.namespace, asked.name).tree()
        port = asked.port or next(
            (str(ports[0]["containerPort"]) for each in tree["spec"].get("containers", ()) if (ports := each.get("ports"))), ""
        )
        address = tree.get("status", {}).get("podIP", "")
        _check_address(address)
        number = _number(port, _DEFAULT_PORTS[asked.scheme], address)
        return self._backends.transport(asked.scheme, Place(address, number, (info.namespace, asked.name)))

    def service(self, info: RequestInfo) -> Transport:
        asked = take_apart(info.name, "service")
        tree = self._context.registry("", "services").get(info.namespace, asked.name).tree()
        port_name = asked.port
        if port_name.isdigit():
            ports = tree["spec"].get("ports", ())
            found = next((port for port in ports if port["port"] == int(asked.port)), None)
            if found is None:
                raise service_unavailable(f'no service port {asked.port} found for service "{asked.name}"')
            port_name = found.get("name", "")
        places = ready_places(self._context.registries, info.namespace, asked.name, port_name)
        if not places:
            raise service_unavailable(f'no endpoints available for service "{asked.name}"')
        place = random.choice(places)
        _check_address(place.address)
        return self._backends.transport(asked.scheme, place)

    def node(self, info: RequestInfo) -> Transport:
        asked = take_apart(info.name, "node")
        tree = self._context.registry("", "nodes").get("", asked.name).tree()
        address, port = endpoint(tree)
        if asked.port in ("", str(port)):
            return self._context.kubelets.of(tree)
        _check_address(address)
        return self._backends.transport(asked.scheme, Place(address, _number(asked.port, port, address), ()))


def _check_address(address: str) -> None:
    """Not to the server's own machine, nor to link-local services of its cloud. Raises StatusError 400."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise bad_request("address not allowed") from None
    if parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        raise bad_request("address not allowed")


def _number(port: str, default: int, address: str) -> int:
    if not port:
        return default
    if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return int(port)
    raise service_unavailable(f"error trying to reach service: dial tcp: address {address}:{port}: unknown port")


def _handler(context: Context, form: Resource, locate: Locate) -> Handler:
    async def handle(request: Request) -> Answer:
        info: RequestInfo = request.attributes
        if request.method not in _PROXY_METHODS:
            raise method_not_allowed()
        await admit_connection(context, request, info, form)
        prefix, rest = _split(request.raw_path, 8 if info.namespace else 6)
        if not rest and request.method in ("GET", "HEAD") and not is_upgrade(request):
            location = prefix + "/" + (f"?{request.query}" if request.query else "")
            return Response(301, b"", "", (("Location", location),))
        return await _pass(request, locate(info), prefix, rest)

    return handle


def _split(raw_path: str, count: int) -> tuple[str, str]:
    """The path up to and with "proxy", and what follows."""
    parts = raw_path.split("/")
    prefix, rest = "/".join(parts[:count]), "/".join(parts[count:])
    return prefix, "/" + rest if len(parts) > count else ""


async def _pass(request: Request, transport: Transport, prefix: str, rest: str) -> Answer:
    host = request.headers.get("host", "")
    headers = [*passed_on(request, without=("x-forwarded-uri",)), ("x-forwarded-uri", prefix + rest)]
    scheme, _, place = transport.config.server.partition("://")
    own = frozenset((place, place.removesuffix(f":{_DEFAULT_PORTS[scheme]}")))

    def relocate(link: str) -> str:
        return relocated(link, host, own, prefix)

    try:
        return await forward(request, transport, rest or "/", headers, relocate, host=host, head_seconds=None)
    except ConnectFailed as error:
        why = f"dial tcp {error.address}:{error.port}: connect: {_cause(error)}"
        raise service_unavailable(f"error trying to reach service: {why}") from error
    except (ConnectionError, TimeoutError) as error:
        raise service_unavailable(f"error trying to reach service: {error}") from error


def is_proxied(target: bytes) -> bool:
    """Whether a request's target is a proxy subresource: what such a request carries is read as it comes."""
    if b"/proxy" not in target or b"#" in target:
        return False
    try:
        info = resolve("", unquote(target.partition(b"?")[0]), "")
    except StatusError:
        return False
    return info.subresource == "proxy" and not info.group and info.resource in _PROXIED


def _cause(error: ConnectFailed) -> str:
    cause = error.__cause__
    return "connection refused" if isinstance(cause, ConnectionRefusedError) else str(cause)

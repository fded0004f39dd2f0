"""Calls to webhooks: a JSON object is posted to a URL or a Service, another comes back.

    client = WebhookClient(context)
    answer = await client.call(webhook["clientConfig"], review, timeout_seconds=10)

After k8s.io/apiserver/pkg/util/webhook. Connections are kept for calls to come; a Service's endpoint is chosen anew for each
connection, and its certificate must be for `NAME.NAMESPACE.svc`.
"""

from __future__ import annotations

import base64
import socket
import ssl
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.webhooks.goerrors import answer_error, connect_error
from sampan.client.config import ClientConfig
from sampan.client.transport import ConnectFailed, Transport

if TYPE_CHECKING:
    from sampan.apiserver.context import Context

_MOST_BYTES = 128 * 1024 * 1024
"""Of an answer. A hundred converted objects, the most there are in one, are seldom a hundredth of it."""
_KEPT_TRANSPORTS = 200
_DEFAULT_PORT = 443
_USER_AGENT = "kube-apiserver-admission"


class WebhookCallError(Exception):
    """The webhook gave no usable answer; the message is upstream's: `Post "https://…": dial tcp …`."""


class _Target(NamedTuple):
    server: str
    """https://host:port, the host being the name that the certificate must be for."""
    path: str
    ca_pem: bytes
    service: tuple[str, str, int] | None
    """Namespace, name and port."""


class WebhookClient:
    """Safe for any number of calls at once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._transports: OrderedDict[_Target, Transport] = OrderedDict()

    async def call(self, client_config: Tree, body: Tree, timeout_seconds: float) -> Tree:
        """Raises WebhookCallError."""
        target = _target(client_config)
        query = {"timeout": f"{timeout_seconds:g}s"}
        asked = f'Post "{target.server}{target.path}?timeout={query["timeout"]}": '
        try:
            transport = self._transport(target)
        except (ValueError, ssl.SSLError):
            raise WebhookCallError("unable to load root certificates: unable to parse bytes as PEM block") from None
        raw = msgspec.json.encode(body)
        try:
            answer = await transport.request(
                "POST", target.path, query=query, body=raw, accept="application/json, */*",
                deadline_seconds=timeout_seconds, repeatable=True, most_bytes=_MOST_BYTES,
            )  # fmt: skip
        except StatusError as error:  # of the service's resolution
            raise WebhookCallError(asked + error.message) from None
        except TimeoutError:
            raise WebhookCallError(asked + "context deadline exceeded") from None
        except ConnectionError as error:
            raise WebhookCallError(asked + _network_words(target, error)) from None
        return _decoded(answer.status, answer.body)

    def _transport(self, target: _Target) -> Transport:
        """Raises ValueError and ssl.SSLError for a bundle without a certificate."""
        found = self._transports.get(target)
        if found is not None:
            self._transports.move_to_end(target)
            return found
        config = ClientConfig(target.server, target.ca_pem, user_agent=_USER_AGENT)
        service = target.service

        async def dial() -> tuple[str, int] | socket.socket:
            assert service is not None
            return await self._context.backends.dial_service(*service)

        transport = self._transports[target] = Transport(config, dial=dial if service else None)
        if len(self._transports) > _KEPT_TRANSPORTS:
            _, oldest = self._transports.popitem(last=False)
            oldest.retire()
        return transport

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()


def bundle_of(client_config: Tree) -> bytes:
    """The PEM text of its authorities. Raises ValueError."""
    return base64.b64decode(client_config.get("caBundle") or "", validate=True)


def _target(client_config: Tree) -> _Target:
    try:
        ca_pem = bundle_of(client_config)
    except ValueError:
        raise WebhookCallError("unable to load root certificates: unable to parse bytes as PEM block") from None
    service = client_config.get("service")
    if service:
        port = service.get("port") or _DEFAULT_PORT
        namespace, name = service.get("namespace", ""), service.get("name", "")
        path = "/" + (service.get("path") or "").lstrip("/")
        return _Target(f"https://{name}.{namespace}.svc:{port}", path, ca_pem, (namespace, name, port))
    url = client_config.get("url")
    if not url:
        raise WebhookCallError("webhook configuration must have either service or URL")
    parts = urlsplit(url)
    return _Target(f"{parts.scheme}://{parts.netloc}", parts.path or "/", ca_pem, None)


def _network_words(target: _Target, error: ConnectionError) -> str:
    if isinstance(error, ConnectFailed):
        return connect_error(error.address, error.port, urlsplit(target.server).hostname or "", error)
    return "EOF" if "closed" in str(error) else str(error)


def _decoded(status: int, body: bytes) -> Tree:
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if status >= 300:
            raise WebhookCallError(answer_error(status, body)) from None
        raise WebhookCallError(f"couldn't get version/kind; json parse error: {error}") from None
    is_object = isinstance(tree, dict)
    if is_object and tree.get("kind") == "Status" and (status >= 300 or tree.get("status") == "Failure"):
        raise WebhookCallError(str(tree.get("message") or answer_error(status, b"")))
    if status >= 300:
        raise WebhookCallError(answer_error(status, body))
    if not is_object:
        raise WebhookCallError("couldn't get version/kind; json parse error: the answer is no JSON object")
    return cast(Tree, tree)

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
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import msgspec

from sampan.api.errors import StatusError
from sampan.api.jsonsyntax import explain
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
_JSON_KINDS = {str: "string", int: "number", float: "number", bool: "bool", list: "array"}
_GO_TYPE = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
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
        return _decoded(answer.status, answer.headers.get("content-type", ""), answer.body, body)

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


def _decoded(status: int, content_type: str, body: bytes, asked: Tree) -> Tree:
    """After client-go's Request and Result.Into. Raises WebhookCallError."""
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if status < 300 and body:
            why = explain(body.decode("utf-8", "replace")) or str(error)
            raise WebhookCallError(f"couldn't get version/kind; json parse error: {why}") from None
        tree = None
    is_status = isinstance(tree, dict) and tree.get("kind") == "Status"
    if status >= 300:
        said = is_status and tree.get("message")
        is_text = not content_type or content_type.startswith("text/")
        raise WebhookCallError(str(said) if said else answer_error(status, body if is_text and not is_status else b""))
    if not body:
        raise WebhookCallError(f"0-length response with status code: {status} and content type: {content_type}")
    if is_status and tree.get("apiVersion") == "v1":
        wanted = f"{asked.get('apiVersion', '').rpartition('/')[2]}.{asked.get('kind', '')}"
        raise WebhookCallError(f"converting (v1.Status) to ({wanted}): unknown conversion")
    if tree is not None and not isinstance(tree, dict):
        why = f"json: cannot unmarshal {_JSON_KINDS[type(tree)]} into Go value of type {_GO_TYPE}"
        raise WebhookCallError(f"couldn't get version/kind; json parse error: {why}")
    return tree or {}

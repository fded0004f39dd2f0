"""How the API server reaches the kubelets: their addresses from Node status, its own client certificate, the cluster CA."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sampan.api.errors import StatusError
from sampan.apiserver.config import APIServerConfig
from sampan.client.config import ClientConfig
from sampan.client.transport import Transport

DEFAULT_PORT = 10250
_PREFERRED = ("InternalIP", "ExternalIP", "Hostname")
"""Which of a node's addresses to use, as kubeadm orders them."""

Tree = dict[str, Any]


class KubeletClient:
    """One transport for each kubelet spoken to so far. A kubelet's certificate must name the address it is reached by."""

    def __init__(self, *, ca_pem: bytes, cert_pem: bytes, key_pem: bytes) -> None:
        self._ca_pem = ca_pem
        self._cert_pem = cert_pem
        self._key_pem = key_pem
        self._transports: dict[tuple[str, int], Transport] = {}

    def of(self, node: Tree) -> Transport:
        """Raises StatusError where the node does not say how to reach it."""
        address, port = endpoint(node)
        transport = self._transports.get((address, port))
        if transport is None:
            host = f"[{address}]" if ":" in address else address
            config = ClientConfig(
                f"https://{host}:{port}", self._ca_pem, self._cert_pem, self._key_pem, user_agent="kube-apiserver"
            )
            transport = self._transports[address, port] = Transport(config)
        return transport

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()


def endpoint(node: Tree) -> tuple[str, int]:
    """The address and port of a node's kubelet."""
    status = node.get("status") or {}
    by_type: dict[str, str] = {}
    for address in status.get("addresses") or ():
        by_type.setdefault(address.get("type", ""), address.get("address", ""))
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or DEFAULT_PORT
    for kind in _PREFERRED:
        if by_type.get(kind):
            return by_type[kind], int(port)
    raise StatusError(500, "", f"no preferred addresses found; known addresses: {sorted(by_type.values())}")


def unreachable(method: str, transport: Transport, path: str, error: Exception) -> StatusError:
    """A kubelet that cannot be reached, told as upstream tells it: the method, the URL and what the network said."""
    return StatusError(500, "", f'{method} "{transport.config.server}{quote(path)}": {error}')


def make_kubelet_client(config: APIServerConfig) -> KubeletClient:
    return KubeletClient(
        ca_pem=config.kubelet_ca_pem or config.client_ca_pem,
        cert_pem=config.kubelet_client_cert_pem,
        key_pem=config.kubelet_client_key_pem,
    )

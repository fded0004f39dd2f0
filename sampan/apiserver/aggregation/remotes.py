"""The group-versions that APIServices hand to Services of the cluster, and connections to what serves them."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sampan.api.foreign import Foreign
from sampan.api.resource import Tree
from sampan.apiserver.context import Context
from sampan.apiserver.registry.watchcache import CacheEvent
from sampan.client.config import ClientConfig
from sampan.client.transport import Transport

GROUP = "apiregistration.k8s.io"
_PORT = 443


@dataclass(slots=True)
class Remote:
    """One APIService with a Service. `transport` None: `problem` says why there can be none; so with `checking`."""

    name: str
    uid: str
    spec: Tree
    available: bool
    transport: Transport | None
    checking: Transport | None
    """The same without a look at the certificate: availability is about being there."""
    problem: str = ""
    known: Foreign | None = field(default=None)
    """What it said of itself when last asked."""

    @property
    def key(self) -> tuple[str, str]:
        return self.spec.get("group", ""), self.spec.get("version", "")

    @property
    def service(self) -> tuple[str, str, int]:
        service = self.spec["service"]
        return service["namespace"], service["name"], service.get("port", _PORT)

    def foreign(self) -> Foreign:
        group, version = self.key
        if self.known is not None:
            return self.known
        return Foreign(group, version, self.spec.get("groupPriorityMinimum", 0), self.spec.get("versionPriority", 0))


class Remotes:
    """By group and version. `on_change` is called whenever one comes, goes, or leads elsewhere."""

    def __init__(self, context: Context, on_change: Callable[[], None]) -> None:
        self._context = context
        self._on_change = on_change
        self._by_name: dict[str, Remote] = {}
        self.by_version: dict[tuple[str, str], Remote] = {}
        cache = context.registry(GROUP, "apiservices").cache
        cache.listen(self._heard)
        context.feed.on_fill(lambda: self._fill([obj.tree() for obj in cache]))
        self._fill([obj.tree() for obj in cache])

    def all(self) -> list[Remote]:
        return list(self._by_name.values())

    def _fill(self, trees: Sequence[Tree]) -> None:
        for name in set(self._by_name) - {tree["metadata"]["name"] for tree in trees}:
            self._drop(name)
        for tree in trees:
            self._take(tree)
        self._index()

    def _heard(self, events: Sequence[CacheEvent]) -> None:
        changes = [self._drop(event.object.name) if event.deleted else self._take(event.object.tree()) for event in events]
        if any(changes):
            self._index()

    def _take(self, tree: Tree) -> bool:
        """Whether that changes anything here; APIServices of this server's own do not."""
        name, spec = tree["metadata"]["name"], tree.get("spec", {})
        if spec.get("service") is None:
            return self._drop(name)
        conditions = tree.get("status", {}).get("conditions", ())
        available = any(each["type"] == "Available" and each["status"] == "True" for each in conditions)
        known = self._by_name.get(name)
        if known is not None and known.uid == tree["metadata"]["uid"] and known.spec == spec:
            changed, known.available = known.available != available, available
            return changed
        self._drop(name)
        self._by_name[name] = self._connected(Remote(name, tree["metadata"]["uid"], spec, available, None, None))
        return True

    def _connected(self, remote: Remote) -> Remote:
        namespace, name, port = remote.service
        config, spec = self._context.config, remote.spec
        server = f"https://{name}.{namespace}.svc:{port}"

        async def dial() -> tuple[str, int] | socket.socket:
            return await self._context.backends.dial_service(namespace, name, port)

        def transport(ca_pem: bytes, insecure: bool) -> Transport:
            client = ClientConfig(
                server, ca_pem, config.proxy_client_cert_pem, config.proxy_client_key_pem, insecure=insecure, user_agent=""
            )
            return Transport(client, dial=dial)

        try:
            # The name need not be one that a Service can have, and then makes no URL.
            remote.checking = transport(b"", True)
            ca_pem = base64.b64decode(spec.get("caBundle", ""))
            remote.transport = transport(ca_pem, bool(spec.get("insecureSkipTLSVerify")))
        except (ValueError, ssl.SSLError):
            remote.problem = "unable to load root certificates: unable to parse bytes as PEM block"
        return remote

    def _drop(self, name: str) -> bool:
        remote = self._by_name.pop(name, None)
        if remote is None:
            return False
        for transport in (remote.transport, remote.checking):
            if transport is not None:
                transport.retire()
        return True

    def _index(self) -> None:
        self.by_version = {remote.key: remote for remote in self._by_name.values()}
        self._on_change()

    async def close(self) -> None:
        for remote in self._by_name.values():
            for transport in (remote.transport, remote.checking):
                if transport is not None:
                    await transport.close()

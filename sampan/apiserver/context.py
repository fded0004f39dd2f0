"""What the parts of one API server share: its configuration, its kinds and their registries.

Handlers of subresources and of virtual resources are made from it, once, at start: `make(context) -> Handler`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sampan.api.scheme import Scheme
from sampan.apiserver.authn import Authenticator
from sampan.apiserver.authz.authorizer import Authorizer
from sampan.apiserver.backends import Backends
from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.endpoints import Endpoints
from sampan.apiserver.kubelet import KubeletClient
from sampan.apiserver.podports import PodPorts
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.generic import Registry
from sampan.apiserver.registry.registries import Registries
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User
from sampan.apiserver.webhooks.client import WebhookClient
from sampan.lib.clock import Clock
from sampan.lib.tasks import Tasks
from sampan.store.base import Store


@dataclass(slots=True)
class Context:
    config: APIServerConfig
    clock: Clock
    store: Store
    scheme: Scheme
    feed: Feed
    registries: Registries
    endpoints: Endpoints
    authorizer: Authorizer
    authenticator: Authenticator
    kubelets: KubeletClient
    tasks: Tasks
    """What lasts as long as the server."""
    backends: Backends = field(init=False)
    webhooks: WebhookClient = field(init=False)

    def __post_init__(self) -> None:
        self.backends = Backends(self.registries, PodPorts(self.registries, self.kubelets, self.tasks))
        self.webhooks = WebhookClient(self)

    def authorize(self, user: User, info: RequestInfo) -> tuple[bool, str]:
        """Whether the user may, and why or why not."""
        return self.authorizer.authorize(user, info)

    def registry(self, group: str, plural: str) -> Registry:
        """Raises KeyError for what is not stored here."""
        return self.registries.get(group, plural)

"""The API server: puts the parts together, starts them in order, stops them in the reverse.

    server = APIServer(MemoryStore(clock), config=APIServerConfig(...), clock=clock)
    await server.start()          # returns when /readyz would say ok
    ...
    await server.stop(grace_seconds=5)

`registry(group, plural)` gives writers of the same process what clients get over HTTP: defaults, checks, admission and all.
"""

from __future__ import annotations

from sampan.api.crd.definition import GROUP
from sampan.api.scheme import Scheme, builtin
from sampan.apiserver.admission.chain import Admission
from sampan.apiserver.admission.plugins import default_plugins
from sampan.apiserver.aggregation.availability import Availability
from sampan.apiserver.aggregation.proxying import is_aggregated
from sampan.apiserver.aggregation.registration import Registration
from sampan.apiserver.authn import make_authenticator
from sampan.apiserver.authz.authorizer import make_authorizer
from sampan.apiserver.bootstrap import bootstrap
from sampan.apiserver.chain import build
from sampan.apiserver.compaction import keep_compacting
from sampan.apiserver.componentstatuses import install_component_statuses
from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.context import Context
from sampan.apiserver.custom.controller import DefinitionController
from sampan.apiserver.custom.serving import CustomResources
from sampan.apiserver.documents import Documents
from sampan.apiserver.endpoint import Endpoint
from sampan.apiserver.endpoints import Endpoints
from sampan.apiserver.fairness.controller import Fairness
from sampan.apiserver.filters.authn import authentication
from sampan.apiserver.ipaddresses import start_ip_addresses
from sampan.apiserver.issuer import issuer_pages
from sampan.apiserver.kubelet import make_kubelet_client
from sampan.apiserver.kubernetes_service import KubernetesService
from sampan.apiserver.pages import health_pages, index, metrics, only_reads, version
from sampan.apiserver.policies.status import PolicyStatus
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.generic import Registry
from sampan.apiserver.registry.installed import install_hooks
from sampan.apiserver.registry.registries import Registries
from sampan.apiserver.routes import Routes
from sampan.apiserver.subresources import subresource_handlers, virtual_handlers
from sampan.apiserver.subresources.proxy import is_proxied
from sampan.lib.clock import Clock, RealClock
from sampan.lib.http import Handler
from sampan.lib.httpserver import HTTPServer
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks
from sampan.lib.tls import server_context
from sampan.store.base import Store

_TICK_SECONDS = 1.0

log = get_logger("apiserver")


class APIServer:
    """Opens and closes `store`. `scheme` is what it serves; None: every built-in kind."""

    def __init__(
        self, store: Store, *, config: APIServerConfig, clock: Clock | None = None, scheme: Scheme | None = None
    ) -> None:
        self.config = config
        self.clock = clock or RealClock()
        self.scheme = scheme or builtin()
        self.ports: list[int] = []
        self._store = store
        self._tasks = Tasks()
        self._ready = False
        self._stopping = False
        self._service: KubernetesService | None = None
        self.feed = Feed(store, self.clock)
        admission = Admission()
        self.registries = Registries(self.feed, admission, config.event_ttl_seconds)
        self.registries.add_scheme(self.scheme)
        self.context = Context(
            config,
            self.clock,
            store,
            self.scheme,
            self.feed,
            self.registries,
            self._endpoints(),
            make_authorizer(self.registries),
            make_authenticator(config, self.registries, self.clock),
            make_kubelet_client(config),
            self._tasks,
        )
        self.custom = CustomResources(self.context)
        admission.authorize = self.context.authorize
        admission.use(default_plugins(self.context))
        install_hooks(self.context)
        install_component_statuses(self.context)
        self.fairness = Fairness(self.context)
        self.aggregation = Availability(self.context)
        routes = self._routes().handle
        handler = build(
            self.context, authentication(self.context.authenticator), self.fairness, self.aggregation.remotes, routes
        )
        client_cas = config.client_ca_pem + config.requestheader_client_ca_pem
        tls = server_context(config.tls_cert_pem, config.tls_key_pem, client_cas)
        self._http = HTTPServer(
            handler, tls=tls, max_body_bytes=config.max_body_bytes, passes_on=self._passes_on, clock=self.clock
        )

    @property
    def port(self) -> int:
        """Of the first address; 0 before the start."""
        return self.ports[0] if self.ports else 0

    @property
    def url(self) -> str:
        host = self.config.bind[0][0]
        return f"https://{f'[{host}]' if ':' in host else host}:{self.port}"

    def registry(self, group: str, plural: str) -> Registry:
        """Raises KeyError for what is not stored here."""
        return self.registries.get(group, plural)

    async def start(self) -> None:
        """Open the store, fill the caches, listen, write what a cluster must have. Raises OSError, StoreUnavailable."""
        await self._store.open()
        # Its tasks never fail but by cancellation or a bug, so the scope may be left from another task than this.
        await self._tasks.__aenter__()
        try:
            await self._begin()
        except BaseException:
            await self.stop(0)
            raise
        log.info("ready", url=self.url, kinds=len(self.scheme))

    async def _begin(self) -> None:
        await self.feed.fill()
        self.feed.on_fill(self._end_watches)
        self._tasks.start(self.feed.run(), "feed")
        self._tasks.start(self.feed.check_store(), "store health")
        if (definitions := self.registries.find(GROUP, "customresourcedefinitions")) is not None:
            controller = DefinitionController(self.context, self.custom, definitions)
            await controller.start()
            self._tasks.start(controller.run(), "custom resource definitions")
        for host, port in self.config.bind:
            self.ports.append(await self._http.start(host, port))
        await bootstrap(self.context)
        await start_ip_addresses(self.context)
        self._service = KubernetesService(self.context, self.port)
        self._tasks.start(self._service.keep(), "kubernetes service")
        self._tasks.start(self.fairness.run(), "priority and fairness")
        self._tasks.start(self.aggregation.run(), "availability of APIServices")
        self._tasks.start(Registration(self.context).run(), "registration of APIServices")
        self._tasks.start(PolicyStatus(self.context).run(), "status of policies")
        self._tasks.start(self._tick(), "watch deadlines")
        self._tasks.start(keep_compacting(self.feed), "compaction")
        self._ready = True

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """End watches, let requests in progress finish within the grace, close the store."""
        self._stopping = True
        if self._service is not None:
            await self._service.leave()
        if self._ready and self.config.shutdown_delay_seconds:
            # Whoever sends clients here hears from readyz meanwhile that it should not.
            await self.clock.sleep(self.config.shutdown_delay_seconds)
        for hub in self.registries.hubs():
            hub.close()
        await self._http.stop(grace_seconds)
        await self.context.kubelets.close()
        await self.context.backends.close()
        await self.aggregation.remotes.close()
        await self.context.webhooks.close()
        await self._tasks.__aexit__(None, None, None)
        await self._store.close()

    async def _tick(self) -> None:
        while True:
            await self.clock.sleep(_TICK_SECONDS)
            now = self.clock.monotonic()
            for hub in self.registries.hubs():
                hub.check(now)

    def _end_watches(self) -> None:
        """Clients begin them anew; after the caches were filled again nobody knows what happened meanwhile."""
        for hub in self.registries.hubs():
            hub.end_all()

    def _endpoints(self) -> Endpoints:
        endpoints = Endpoints()
        for resource in self.scheme:
            if not resource.virtual:
                endpoints.add(Endpoint(self.registries.serve(resource), self.registries.hub_of(resource), self.config))
        return endpoints

    def _routes(self) -> Routes:
        pages: dict[str, Handler] = {"/version": version, "/metrics": metrics}
        checks = {"ping": lambda: "", "log": lambda: "", "etcd": self._store_problem}
        informed = {**checks, "informer-sync": self._cache_problem, "poststarthook/rbac/bootstrap-roles": self._start_problem}
        pages |= health_pages("healthz", {**checks, "poststarthook/rbac/bootstrap-roles": self._start_problem})
        pages |= health_pages("livez", checks)
        pages |= health_pages("readyz", {**informed, "shutdown": lambda: "process is shutting down" if self._stopping else ""})
        subresources, virtual = subresource_handlers(self.context), virtual_handlers(self.context)
        documents = Documents(self.context, subresources, virtual, self._public_address)
        documents.catalogue.foreign = lambda: self.aggregation.foreign
        pages |= issuer_pages(self.context, self._public_address)
        pages["/"] = index(lambda: [*pages, *documents.paths()])
        pages = {path: only_reads(page) for path, page in pages.items()}
        return Routes(self.context, self.custom, pages, subresources, virtual, documents)

    def _passes_on(self, target: bytes) -> bool:
        return is_proxied(target) or is_aggregated(self.aggregation.remotes, target)

    def _public_address(self) -> str:
        host = self.config.advertise_address or self.config.bind[0][0]
        return f"{f'[{host}]' if ':' in host else host}:{self.port}"

    def _store_problem(self) -> str:
        return "" if self.feed.healthy else "the store is unavailable"

    def _cache_problem(self) -> str:
        return "" if self.feed.ready.is_set() else "caches are not filled"

    def _start_problem(self) -> str:
        return "" if self._ready else "not finished"

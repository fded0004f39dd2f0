"""`componentstatuses`: how the parts of the control plane are, found out when somebody asks; nothing of it is stored.

Upstream knocks at ports on the server's own machine, where its scheduler and its controller manager usually are. Here they
show that they live where any client can see it, by renewing the Lease of their leader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sampan.api.resource import Tree
from sampan.apiserver.answers import dress
from sampan.apiserver.context import Context
from sampan.apiserver.endpoint import Endpoint, Reply
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.options import list_options
from sampan.apiserver.registry.views import whole_list
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.http import Request

Check = Callable[[], tuple[str, str]]
"""Whether a component is well ("True", "False", "Unknown"), and in words."""
_WELL = ("True", "ok")

_LEASES = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}


class ComponentStatuses(Endpoint):
    """Reads of a resource whose objects are made for the answer."""

    def __init__(self, endpoint: Endpoint, context: Context) -> None:
        super().__init__(endpoint.registry, endpoint.hub, context.config)
        self._context = context

        def store() -> tuple[str, str]:
            return _WELL if context.feed.healthy else ("False", "the store is unavailable")

        # Upstream's list is in no order; a stable one is kinder to those who read it.
        self._checks: Mapping[str, Check] = {
            "scheduler": lambda: self._lease_health(_LEASES["scheduler"]),
            "controller-manager": lambda: self._lease_health(_LEASES["controller-manager"]),
            "etcd-0": store,
        }

    def get(self, request: Request, info: RequestInfo) -> Reply:
        check = self._checks.get(info.name)
        if check is None:
            raise self.registry.not_found(info.name)
        return self._show(request, self._object(info.name, check()))

    def list(self, request: Request, info: RequestInfo) -> Reply:
        selection = self.select(info, list_options(request.parameters()))
        every = (self._object(name, check()) for name, check in self._checks.items())
        found = [obj for obj in every if selection.matches(obj)]
        form = negotiate(request.headers.get("accept", ""))
        answer = dress(request, whole_list(self.view_for(form, request), found, b"{}"), form)
        answer.headers += self._warnings
        return answer

    def _object(self, name: str, health: tuple[str, str]) -> CachedObject:
        status, message = health
        tree: Tree = {
            "metadata": {"name": name},
            "conditions": [{"type": "Healthy", "status": status, "message": message}],
        }
        shape = self.registry.cache.shape
        obj = shape.draft(self.registry.cache.key("", name), tree)
        obj.preview(shape.encode(tree))
        return obj

    def _lease_health(self, name: str) -> tuple[str, str]:
        leases = self._context.registries.find("coordination.k8s.io", "leases")
        lease = leases.cache.get("kube-system", name) if leases is not None else None
        if lease is None:
            # It may run without electing a leader, as it does alone in one process with the server.
            return "Unknown", f"there is no lease kube-system/{name}"
        spec = lease.tree().get("spec", {})
        if not spec.get("holderIdentity"):
            return "False", f"nobody holds the lease kube-system/{name}"
        renewed = datetime.fromisoformat(spec["renewTime"]).timestamp() if "renewTime" in spec else 0.0
        silent = self._context.clock.now() - renewed
        if silent <= spec.get("leaseDurationSeconds", 0):
            return _WELL
        return "False", f"{spec['holderIdentity']} has not renewed the lease kube-system/{name} for {silent:.0f} seconds"


def install_component_statuses(context: Context) -> None:
    endpoint = context.endpoints.find("", "v1", "componentstatuses")
    if endpoint is not None:
        context.endpoints.add(ComponentStatuses(endpoint, context))

"""Which kinds have hooks of their own."""

from __future__ import annotations

from sampan.api.resource import Tree
from sampan.apiserver.context import Context
from sampan.apiserver.custom.removal import DefinitionHooks
from sampan.apiserver.registry.allocators import AddressPool, PortPool
from sampan.apiserver.registry.hooks import Hooks
from sampan.apiserver.registry.services import ServiceHooks
from sampan.apiserver.registry.volumes import stamp_phases
from sampan.apiserver.subresources.approval import status_part


class NamespaceHooks(Hooks):
    """A namespace goes when its spec.finalizers, which stand for its content, are gone as well."""

    begins_deletion = True

    def holds(self, tree: Tree) -> bool:
        return bool(tree.get("spec", {}).get("finalizers"))

    def mark_deleted(self, tree: Tree) -> None:
        tree.setdefault("status", {})["phase"] = "Terminating"

    def is_finished(self, tree: Tree) -> bool:
        return not self.holds(tree) and super().is_finished(tree)


class PodHooks(Hooks):
    """A pod that no kubelet has, or has no more of, is not waited for."""

    def ends_at_once(self, tree: Tree) -> bool:
        return not tree["spec"].get("nodeName") or tree.get("status", {}).get("phase") in ("Succeeded", "Failed")


def install_hooks(context: Context) -> None:
    registries = context.registries
    if (namespaces := registries.find("", "namespaces")) is not None:
        namespaces.hooks = NamespaceHooks()
    if (requests := registries.find("certificates.k8s.io", "certificatesigningrequests")) is not None:
        requests.status = status_part(context.clock)
    if (pods := registries.find("", "pods")) is not None:
        pods.hooks = PodHooks()
    if (volumes := registries.find("", "persistentvolumes")) is not None:
        stamp_phases(volumes, context.clock)
    if (definitions := registries.find("apiextensions.k8s.io", "customresourcedefinitions")) is not None:
        definitions.hooks = DefinitionHooks(context.clock)
    if (services := registries.find("", "services")) is not None:
        config = context.config
        hooks = services.hooks = ServiceHooks(AddressPool(config.service_cidr), PortPool(*config.node_port_range))
        cache = services.cache
        context.feed.on_fill(lambda: hooks.rebuild(obj.tree() for obj in cache))

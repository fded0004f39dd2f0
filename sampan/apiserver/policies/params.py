"""The parameters that a binding gives to its policy: objects of any kind, by name or by labels.

After CollectParams of k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.api.selectors import from_label_selector
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Registry


class BadConfiguration(Exception):
    """What is wrong with a policy or a binding, as far as a request is concerned."""


class ParamSource:
    """Finds the objects of a paramKind."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def registry(self, kind: Tree) -> Registry:
        """Raises BadConfiguration where nothing of that kind is served."""
        version, name = kind.get("apiVersion", ""), kind.get("kind", "")
        group, _, bare = version.rpartition("/")
        resource = self._context.scheme.for_kind(group, bare, name)
        endpoint = self._context.endpoints.find(group, bare, resource.plural) if resource is not None else None
        if endpoint is None:
            raise BadConfiguration(f"failed to find resource referenced by paramKind: '{group}/{bare}, Kind={name}'")
        return endpoint.registry

    async def collect(self, registry: Registry, reference: Tree, namespace: str) -> Sequence[Tree]:
        """`namespace`: that of the request. Raises BadConfiguration."""
        place = self._namespace(registry, reference, namespace)
        try:
            await registry.feed.catch_up()
        except StatusError as error:
            raise BadConfiguration(error.message) from None
        found = _found(registry, reference, place)
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise BadConfiguration("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    def _namespace(self, registry: Registry, reference: Tree, namespace: str) -> str:
        said: str = reference.get("namespace") or ""
        if not registry.resource.namespaced:
            if said:
                raise BadConfiguration("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
            return ""
        if not said and not namespace:
            why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            raise BadConfiguration(why)
        return said or namespace


def _found(registry: Registry, reference: Tree, namespace: str) -> list[Tree]:
    name, selector = reference.get("name") or "", reference.get("selector")
    if name:
        obj = registry.cache.get(namespace, name)
        return [registry.tree_of(obj)] if obj is not None else []
    if selector is None:
        raise BadConfiguration("one of name or selector must be provided")
    labels = from_label_selector(selector)
    return [registry.tree_of(obj) for obj in registry.cache.in_namespace(namespace) if labels.matches(obj.labels)]

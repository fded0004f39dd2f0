"""What every generated struct module needs: the name of a resource on the wire, and free-form JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

JSON = Any


class API(NamedTuple):
    """Where a kind lives on the wire: its group, version, kind, plural resource name and scope."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of a collection or, with `name`, of an object or one of its subresources."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

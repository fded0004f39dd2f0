"""What every generated struct module needs: the name of a resource on the wire, free-form JSON, times that may be null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

JSON = Any

if TYPE_CHECKING:
    Time = str
else:

    class _AnyInstance(type):
        def __instancecheck__(cls, instance):
            return True

    class Time(metaclass=_AnyInstance):
        """A string. Go writes a time that is not set as null, for which a `str` would have no place."""


def read_time(type_: type, value: str | None) -> str:
    """The decoding hook for `Time`: null is ""."""
    return value or ""


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

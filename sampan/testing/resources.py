"""Finding where a kind lives: by discovery, so that custom resources are found like built-in ones."""

from __future__ import annotations

from typing import Any, NamedTuple

from sampan.api.errors import StatusError
from sampan.client.codec import decode
from sampan.client.rest import Client

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Resource(NamedTuple):
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    names: frozenset[str]
    """Plural, singular and short names, and the kind in lower case."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


async def discover(client: Client) -> list[Resource]:
    """Every resource of the server, in its order of preference."""
    found = []
    for path in ("/api", "/apis"):
        document = decode(dict[str, Any], await client.request("GET", path, accept=AGGREGATED))
        for group in document["items"]:
            for version in group.get("versions", ()):
                for each in version.get("resources", ()):
                    found.append(_resource(group["metadata"].get("name", ""), version["version"], each))
    return found


def _resource(group: str, version: str, entry: dict[str, Any]) -> Resource:
    kind = entry["responseKind"]["kind"]
    names = {entry["resource"], entry.get("singularResource", ""), kind.lower(), *entry.get("shortNames", ())}
    return Resource(group, version, kind, entry["resource"], entry["scope"] == "Namespaced", frozenset(names - {""}))


def find_kind(resources: list[Resource], api_version: str, kind: str) -> Resource:
    """Raises StatusError where the server has no such kind, worded as kubectl words it."""
    for each in resources:
        if (each.api_version, each.kind) == (api_version, kind):
            return each
    raise StatusError(404, "NotFound", f'no matches for kind "{kind}" in version "{api_version}"')


def find_name(resources: list[Resource], name: str) -> Resource:
    """By "deployments", "deploy", "deployment" or "deployments.apps". Raises StatusError."""
    wanted, _, group = name.lower().partition(".")
    for each in resources:
        if wanted in each.names and (not group or group == each.group):
            return each
    raise StatusError(404, "NotFound", f'the server doesn\'t have a resource type "{name}"')

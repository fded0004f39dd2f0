"""What a server serves: its resources, each in its group's preferred version.

One request each for /api and /apis, in the aggregated form; servers that know only the older form are asked group by group.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from sampan.api.types.base import API
from sampan.api.types.meta_v1 import APIGroupList, APIResourceList, APIVersions
from sampan.client.codec import decode
from sampan.client.rest import Client

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


class Served(NamedTuple):
    """A resource as discovery lists it; subresources are not listed."""

    api: API
    verbs: frozenset[str]


class _Named(Struct):
    name: str = ""


class _ResponseKind(Struct):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Resource(Struct):
    resource: str
    scope: str = ""
    responseKind: _ResponseKind = field(default_factory=_ResponseKind)
    verbs: list[str] = field(default_factory=list)


class _Version(Struct):
    version: str
    freshness: str = ""
    resources: list[_Resource] = field(default_factory=list)


class _Group(Struct):
    metadata: _Named = field(default_factory=_Named)
    versions: list[_Version] = field(default_factory=list)


class _Groups(Struct):
    kind: str = ""
    items: list[_Group] = field(default_factory=list)


async def discover(client: Client, stale: list[str] | None = None) -> list[Served]:
    """`stale` gets the group versions whose server does not tell what it serves: there may be more than is known.

    Raises StatusError, ConnectionError, TimeoutError.
    """
    found: dict[tuple[str, str], Served] = {}
    for root in ("/api", "/apis"):
        body = await client.request("GET", root, accept=AGGREGATED)
        groups = decode(_Groups, body)
        if stale is not None:
            stale += [f"{g.metadata.name}/{v.version}" for g in groups.items for v in g.versions if v.freshness == "Stale"]
        served = _aggregated(groups) if groups.kind == "APIGroupDiscoveryList" else await _classic(client, root, body)
        for entry in served:
            found.setdefault((entry.api.group, entry.api.plural), entry)  # versions come in order of preference
    return list(found.values())


def _aggregated(groups: _Groups) -> list[Served]:
    return [
        Served(
            API(group.metadata.name, version.version, r.responseKind.kind, r.resource, r.scope == "Namespaced"),
            frozenset(r.verbs),
        )
        for group in groups.items
        for version in group.versions
        for r in version.resources
    ]


async def _classic(client: Client, root: str, body: bytes) -> list[Served]:
    if root == "/api":
        paths = [f"/api/{version}" for version in decode(APIVersions, body).versions]
    else:
        groups = decode(APIGroupList, body).groups
        paths = [f"/apis/{v.groupVersion}" for group in groups for v in group.versions]
    served = []
    for path in paths:
        listed = decode(APIResourceList, await client.request("GET", path))
        group, _, version = listed.groupVersion.rpartition("/")
        for r in listed.resources:
            if "/" not in r.name:
                served.append(Served(API(group, version, r.kind, r.name, r.namespaced), frozenset(r.verbs)))
    return served

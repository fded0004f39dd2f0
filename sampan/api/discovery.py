"""Discovery: what a server serves, as `/api`, `/apis` and what stands under them say it, and all of it at once ("aggregated").

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api. A `Discovery` makes its documents when they are
asked for and keeps their bytes until the scheme changes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from sampan.api.foreign import Foreign
from sampan.api.resource import Resource
from sampan.api.scheme import Scheme, group_priority, version_order

Tree = dict[str, Any]

AGGREGATED_V2: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
AGGREGATED_V2BETA1: Final = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
PLAIN: Final = "application/json"

_READ_WRITE: Final = ("get", "patch", "update")
_STREAM: Final = ("create", "get")
_PROXY: Final = ("create", "delete", "get", "patch", "update")


class Subresource(NamedTuple):
    """What discovery says of a subresource. `group` and `version` are the kind's, where they are not the resource's."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


class VirtualResource(NamedTuple):
    """A resource that is only ever created, and stored nowhere: a review."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = False

    @property
    def singular(self) -> str:
        return self.kind.lower()


_SUBRESOURCES: Final[dict[tuple[str, str], tuple[Subresource, ...]]] = {
    ("", "namespaces"): (Subresource("finalize", "Namespace", ("update",)),),
    ("", "nodes"): (Subresource("proxy", "NodeProxyOptions", _PROXY),),
    ("", "pods"): (
        Subresource("attach", "PodAttachOptions", _STREAM),
        Subresource("binding", "Binding", ("create",)),
        Subresource("ephemeralcontainers", "Pod", _READ_WRITE),
        Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
        Subresource("exec", "PodExecOptions", _STREAM),
        Subresource("log", "Pod", ("get",)),
        Subresource("portforward", "PodPortForwardOptions", _STREAM),
        Subresource("proxy", "PodProxyOptions", _PROXY),
        Subresource("resize", "Pod", _READ_WRITE),
    ),
    ("", "serviceaccounts"): (Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
    ("", "services"): (Subresource("proxy", "ServiceProxyOptions", _PROXY),),
    ("certificates.k8s.io", "certificatesigningrequests"): (
        Subresource("approval", "CertificateSigningRequest", _READ_WRITE),
    ),
}  # fmt: skip
"""Those that are not generic; a server names the ones it has."""

_VIRTUAL: Final = (
    VirtualResource("", "v1", "bindings", "Binding", namespaced=True),
    VirtualResource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview"),
    VirtualResource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview"),
    VirtualResource("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True),
    VirtualResource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    VirtualResource("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    VirtualResource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview"),
)


class Served(NamedTuple):
    """One resource, real or virtual, as discovery sees it."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    definition: str = ""
    """"" for a virtual one."""
    stored: tuple[str, str] = ("", "")
    """The group and version of the form in which objects are stored."""
    subresources: tuple[Subresource, ...] = ()
    resource: Resource | None = None
    """None for a virtual one."""

    @property
    def custom(self) -> bool:
        return self.resource is not None and self.resource.custom_schema is not None


class Catalogue:
    """Everything that is served, in discovery order: the resources of a scheme, their subresources, and virtual resources.

    subresources: those that have code of their own, as (group, plural, name). virtual: the virtual ones that are there, as
    (group, version, plural). Status and scale follow from the `Resource`s.
    """

    def __init__(
        self,
        scheme: Scheme,
        subresources: Collection[tuple[str, str, str]] = (),
        virtual: Collection[tuple[str, str, str]] = (),
    ) -> None:
        self.scheme = scheme
        self.foreign: Callable[[], Sequence[Foreign]] = tuple
        """What other servers serve, of which documents tell as well."""
        self._subresources = frozenset(subresources)
        self._virtual = [v for v in _VIRTUAL if (v.group, v.version, v.plural) in virtual]
        self._ordered: list[tuple[str, str]] = []
        self._generation = -1

    def group_versions(self) -> list[tuple[str, str]]:
        """Of real and virtual resources, in discovery order."""
        if self._generation != self.scheme.generation:
            self._ordered, self._generation = self._order(), self.scheme.generation
        return self._ordered

    def _order(self) -> list[tuple[str, str]]:
        extra = {(v.group, v.version) for v in self._virtual} - set(self.scheme.group_versions())
        if not extra:
            return self.scheme.group_versions()
        placeholders = (
            Resource(group=group, version=version, kind="", plural="", definition="")
            for group, version in {*self.scheme.group_versions(), *extra}
        )
        return Scheme(placeholders).group_versions()

    def groups(self) -> list[str]:
        return list(dict.fromkeys(group for group, _ in self.group_versions()))

    def versions(self, group: str) -> list[str]:
        """Preferred first."""
        return [version for candidate, version in self.group_versions() if candidate == group]

    def resources(self, group: str, version: str) -> list[Served]:
        """Of a group-version, by name."""
        found = [self._served(resource) for resource in self.scheme.resources(group, version)]
        found += [
            Served(group, version, v.plural, v.singular, v.kind, v.namespaced, ("create",))
            for v in self._virtual
            if (v.group, v.version) == (group, version)
        ]
        return sorted(found, key=lambda served: served.plural)

    def _served(self, resource: Resource) -> Served:
        return Served(
            resource.group,
            resource.version,
            resource.plural,
            resource.singular or resource.kind.lower(),
            resource.kind,
            resource.namespaced,
            tuple(resource.verbs if resource.custom_schema is not None else sorted(resource.verbs)),
            tuple(resource.short),
            tuple(resource.categories),
            resource.definition,
            resource.stored_as[:2] if resource.stored_as else (resource.group, resource.version),
            tuple(self._subresources_of(resource)),
            resource,
        )

    def _subresources_of(self, resource: Resource) -> Iterable[Subresource]:
        if resource.custom_schema is None:
            return sorted(self._find_subresources(resource))
        return self._find_subresources(resource)

    def _find_subresources(self, resource: Resource) -> Iterable[Subresource]:
        if resource.status:
            yield Subresource("status", resource.kind, _READ_WRITE)
        if resource.scale is not None:
            yield Subresource("scale", "Scale", _READ_WRITE, "autoscaling", "v1")
        for subresource in _SUBRESOURCES.get((resource.group, resource.plural), ()):
            if (resource.group, resource.plural, subresource.name) in self._subresources:
                yield subresource


class Discovery:
    """The documents. Each method gives their bytes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._made: dict[str, bytes] = {}
        self._generation = -1

    def _document(self, name: str, make: Callable[[], Tree]) -> bytes:
        if self._generation != self.catalogue.scheme.generation:
            self._made.clear()
            self._generation = self.catalogue.scheme.generation
        document = self._made.get(name)
        if document is None:
            document = self._made[name] = msgspec.json.encode(make())
        return document

    def api_versions(self, server_address: str) -> bytes:
        """`/api`; `server_address` is "host:port" that clients outside should use."""
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]
        return self._document(
            f"api {server_address}",
            lambda: {"kind": "APIVersions", "versions": self.catalogue.versions(""), "serverAddressByClientCIDRs": addresses},
        )

    def api_group_list(self) -> bytes:
        """`/apis`."""
        return self._document(
            "apis",
            lambda: {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [self._group(g) for g in self._groups() if g],
            },
        )

    def api_group(self, group: str) -> bytes | None:
        """`/apis/GROUP`; None where there is no such group."""
        if group not in self._groups():
            return None
        return self._document(f"group {group}", lambda: {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)})

    def _groups(self) -> list[str]:
        """Those of this server and of others, the most important first."""
        own = self.catalogue.groups()
        priorities = {group: group_priority(group) for group in own}
        for each in self.catalogue.foreign():
            priorities.setdefault(each.group, each.group_priority)
        return sorted(priorities, key=lambda group: (-priorities[group], own.index(group) if group in own else -1, group))

    def _versions(self, group: str) -> list[tuple[str, Foreign | None]]:
        foreign = [each for each in self.catalogue.foreign() if each.group == group]
        elsewhere = {each.version for each in foreign}
        own = [(version, None) for version in self.catalogue.versions(group) if version not in elsewhere]
        foreign.sort(key=lambda each: (-each.version_priority, version_order(each.version)))
        return [*own, *((each.version, each) for each in foreign)]

    def _group(self, group: str) -> Tree:
        versions = [{"groupVersion": f"{group}/{version}", "version": version} for version, _ in self._versions(group)]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def api_resource_list(self, group: str, version: str) -> bytes | None:
        """`/api/VERSION` and `/apis/GROUP/VERSION`; None where there is no such thing."""
        if (group, version) not in self.catalogue.group_versions():
            return None
        return self._document(f"resources {group}/{version}", lambda: self._resource_list(group, version))

    def _resource_list(self, group: str, version: str) -> Tree:
        resources: list[Tree] = []
        for served in self.catalogue.resources(group, version):
            resources.append(_api_resource(served))
            resources += [_api_subresource(served, subresource) for subresource in served.subresources]
        group_version = f"{group}/{version}" if group else version
        # The version of the list stands in the lists of named groups only, as upstream's.
        header: Tree = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group else {}), "groupVersion": group_version}
        return {**header, "resources": resources}

    def aggregated(self, *, core: bool, version: str = "v2") -> bytes:
        """`/api` (core) or `/apis` as one APIGroupDiscoveryList of "v2" or "v2beta1"."""
        return self._document(f"aggregated {core} {version}", lambda: self._aggregated(core, version))

    def _aggregated(self, core: bool, version: str) -> Tree:
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": [self._group_discovery(group) for group in self._groups() if (group == "") is core],
        }

    def _group_discovery(self, group: str) -> Tree:
        versions = [self._version_discovery(group, version, foreign) for version, foreign in self._versions(group)]
        metadata: Tree = {"name": group} if group else {}
        return {"metadata": {**metadata, "creationTimestamp": None}, "versions": versions}

    def _version_discovery(self, group: str, version: str, foreign: Foreign | None) -> Tree:
        if foreign is None:
            resources = [_resource_discovery(served) for served in self.catalogue.resources(group, version)]
            return {"version": version, "resources": resources, "freshness": "Current"}
        return {"version": version, "resources": foreign.resources, "freshness": "Current" if foreign.fresh else "Stale"}


def storage_version_hash(group: str, version: str, kind: str) -> str:
    """As upstream's: clients compare it to learn whether objects are stored in another form than before."""
    digest = hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _api_resource(served: Served) -> Tree:
    tree: Tree = {
        "name": served.plural,
        "singularName": served.singular,
        "namespaced": served.namespaced,
        "kind": served.kind,
        "verbs": list(served.verbs),
    }
    if served.short:
        tree["shortNames"] = list(served.short)
    if served.categories:
        tree["categories"] = list(served.categories)
    if served.definition:
        tree["storageVersionHash"] = storage_version_hash(*served.stored, served.kind)
    return tree


def _api_subresource(served: Served, subresource: Subresource) -> Tree:
    tree: Tree = {"name": f"{served.plural}/{subresource.name}", "singularName": "", "namespaced": served.namespaced}
    if subresource.group:
        tree.update(group=subresource.group, version=subresource.version)
    return {**tree, "kind": subresource.kind, "verbs": list(subresource.verbs)}


def _resource_discovery(served: Served) -> Tree:
    # Upstream says the group and version of custom resources only; of others they are those of the list they stand in.
    group, version = (served.group, served.version) if served.custom else ("", "")
    tree: Tree = {
        "resource": served.plural,
        "responseKind": {"group": group, "version": version, "kind": served.kind},
        "scope": "Namespaced" if served.namespaced else "Cluster",
        "singularResource": served.singular,
        "verbs": list(served.verbs),
    }
    if served.short:
        tree["shortNames"] = list(served.short)
    if served.categories:
        tree["categories"] = list(served.categories)
    if served.subresources:
        tree["subresources"] = [
            {
                "subresource": s.name,
                "responseKind": {"group": s.group or group, "version": s.version or version, "kind": s.kind},
                "verbs": list(s.verbs),
            }
            for s in served.subresources
        ]
    return tree


def aggregated_version(accept: str) -> str:
    """Which aggregated form an Accept header asks for before any plain one: "v2", "v2beta1", or "" for none."""
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        if media not in (PLAIN, "application/*", "*/*"):
            continue
        wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
        if "as" not in wanted:
            return ""
        if wanted.get("g") == "apidiscovery.k8s.io" and wanted["as"] == "APIGroupDiscoveryList":
            version: str = wanted.get("v", "")
            if version in ("v2", "v2beta1"):
                return version
    return ""

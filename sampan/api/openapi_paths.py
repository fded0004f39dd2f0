"""The operations of an API: which methods each path takes, with what parameters, bodies and answers.

Free of dialect; `openapi` writes it as OpenAPI 2 or 3. Clients look here for three things: the kind behind a resource
(`x-kubernetes-group-version-kind`), what an operation is (`x-kubernetes-action`), and whether it takes `dryRun` and
`fieldValidation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sampan.api import definitions
from sampan.api.discovery import Catalogue, Served, Subresource

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
STATUS: Final = _META + "Status"
DELETE_OPTIONS: Final = _META + "DeleteOptions"
PATCH: Final = _META + "Patch"
TEXT: Final = "string"
"""An answer that is no object: a log, a stream."""

PATCH_TYPES: Final = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)


class Parameter(NamedTuple):
    name: str
    type: str
    description: str
    place: str = "query"


_DRY_RUN: Final = Parameter("dryRun", "string", 'With "All" the request is checked and answered, but nothing is kept.')
_MANAGER: Final = Parameter("fieldManager", "string", "Who makes the change, at most 128 printable characters.")
_VALIDATION: Final = Parameter(
    "fieldValidation", "string", "What becomes of unknown and repeated fields: Ignore, Warn or Strict (an error)."
)
_LIST: Final = (
    Parameter("allowWatchBookmarks", "boolean", "Whether a watch may send BOOKMARK events."),
    Parameter("continue", "string", "The token of the page before, to get the next one."),
    Parameter("fieldSelector", "string", "Restricts the objects by their fields."),
    Parameter("labelSelector", "string", "Restricts the objects by their labels."),
    Parameter("limit", "integer", "The greatest number of objects in a page."),
    Parameter("resourceVersion", "string", "The version of the data that the answer may or must stand at."),
    Parameter("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    Parameter("sendInitialEvents", "boolean", "Whether a watch begins with the objects that there are."),
    Parameter("timeoutSeconds", "integer", "How long the call may last."),
    Parameter("watch", "boolean", "Whether to follow changes instead of answering once."),
)
_WRITE: Final = (_DRY_RUN, _MANAGER, _VALIDATION)
_DELETE: Final = (
    _DRY_RUN,
    Parameter("gracePeriodSeconds", "integer", "How long the object may take to end; 0 deletes at once."),
    Parameter("orphanDependents", "boolean", "Deprecated; see propagationPolicy."),
    Parameter("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
)
PRETTY: Final = Parameter("pretty", "string", "Whether the answer is to be indented.")
NAMESPACE: Final = Parameter("namespace", "string", "The namespace.", "path")
NAME: Final = Parameter("name", "string", "The object's name.", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. Bodies and answers are names of definitions, or TEXT."""

    method: str
    id: str
    description: str
    tag: str
    action: str
    group: str
    version: str
    kind: str
    answer: str
    answer_known: bool = True
    """Whether what is answered has a definition."""
    codes: tuple[int, ...] = (200,)
    body: str = ""
    body_required: bool = True
    parameters: tuple[Parameter, ...] = ()
    streams: bool = False
    """Whether the answer may be a watch."""
    patches: tuple[str, ...] = ()
    """The media types of a patch."""


@dataclass(frozen=True, slots=True)
class Path:
    path: str
    parameters: tuple[Parameter, ...]
    operations: list[Operation] = field(default_factory=list)


class _Verb(NamedTuple):
    """How a verb on a collection or object becomes an operation."""

    method: str
    prefix: str
    """Of operation ids: "read" in readCoreV1NamespacedPod."""
    action: str
    description: str
    codes: tuple[int, ...]
    parameters: tuple[Parameter, ...]


_COLLECTION: Final = {
    "list": _Verb("get", "list", "list", "list or watch objects of kind", (200,), _LIST),
    "create": _Verb("post", "create", "post", "create", (200, 201, 202), _WRITE),
    "deletecollection": _Verb("delete", "delete", "deletecollection", "delete collection of", (200,), (*_DELETE, *_LIST)),
}
_OBJECT: Final = {
    "get": _Verb("get", "read", "get", "read the specified", (200,), ()),
    "update": _Verb("put", "replace", "put", "replace the specified", (200, 201), _WRITE),
    "delete": _Verb("delete", "delete", "delete", "delete", (200, 202), _DELETE),
    "patch": _Verb("patch", "patch", "patch", "partially update the specified", (200, 201), _WRITE),
}
_CONNECT: Final = {"get": "get", "create": "post", "update": "put", "delete": "delete", "patch": "patch"}


def group_words(group: str) -> list[str]:
    """ "rbac.authorization.k8s.io" → ["rbac", "authorization"]; the core group → ["core"]."""
    return group.removesuffix(".k8s.io").split(".") if group else ["core"]


def definition_of(group: str, version: str, kind: str) -> str:
    """Where the definition of a built-in kind stands, by upstream's naming."""
    return f"io.k8s.api.{(group or 'core').partition('.')[0]}.{version}.{kind}"


def root_path(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def paths(catalogue: Catalogue, group: str, version: str) -> Iterator[Path]:
    """Every path of a group-version."""
    for served in catalogue.resources(group, version):
        yield from _Paths(served).all()


class _Paths:
    """The paths of one resource."""

    def __init__(self, served: Served) -> None:
        self.served = served
        words = group_words(served.group)
        self.tag = f"{words[0]}{''.join(word.capitalize() for word in words[1:])}_{served.version}"
        self.group_id = "".join(word[:1].upper() + word[1:] for word in (*words, served.version))
        self.scope = "Namespaced" if served.namespaced else ""
        self.definition = served.definition or definition_of(served.group, served.version, served.kind)
        self.root = root_path(served.group, served.version)
        self.collection = (
            f"{self.root}/namespaces/{{namespace}}/{served.plural}" if served.namespaced else f"{self.root}/{served.plural}"
        )
        self.around = (NAMESPACE,) if served.namespaced else ()
        self.patches = tuple(t for t in PATCH_TYPES if not (served.custom and "strategic" in t))

    def all(self) -> Iterator[Path]:
        served = self.served
        if served.namespaced and "list" in served.verbs:
            every = self.operation("list", _COLLECTION["list"], id_=f"list{self.group_id}{served.kind}ForAllNamespaces")
            yield Path(f"{self.root}/{served.plural}", (PRETTY,), [every])
        collection = [self.operation(verb, _COLLECTION[verb]) for verb in _COLLECTION if verb in served.verbs]
        if collection:
            yield Path(self.collection, (*self.around, PRETTY), collection)
        single = [self.operation(verb, _OBJECT[verb]) for verb in _OBJECT if verb in served.verbs]
        if single:
            yield Path(f"{self.collection}/{{name}}", (NAME, *self.around, PRETTY), single)
        for subresource in served.subresources:
            yield self.subresource(subresource)

    def operation(self, verb: str, how: _Verb, *, id_: str = "") -> Operation:
        served = self.served
        middle = "Collection" if verb == "deletecollection" else ""
        body = {"create": self.definition, "update": self.definition, "patch": PATCH}.get(verb, "")
        answer = self.definition
        if verb in ("delete", "deletecollection"):
            body, answer = DELETE_OPTIONS, STATUS
        elif verb == "list":
            answer = self.definition + "List"
        return Operation(
            method=how.method,
            id=id_ or f"{how.prefix}{self.group_id}{middle}{self.scope}{served.kind}",
            description=f"{how.description} {served.kind}",
            tag=self.tag,
            action=how.action,
            group=served.group,
            version=served.version,
            kind=served.kind,
            answer=answer,
            answer_known=self.served.custom or answer in definitions.names(),
            codes=how.codes,
            body=body,
            body_required=body != DELETE_OPTIONS,
            parameters=how.parameters,
            streams=verb == "list",
            patches=self.patches,
        )

    def subresource(self, subresource: Subresource) -> Path:
        path = Path(f"{self.collection}/{{name}}/{subresource.name}", (NAME, *self.around, PRETTY))
        path.operations.extend(self.subresource_operation(subresource, verb) for verb in subresource.verbs)
        return path

    def subresource_operation(self, subresource: Subresource, verb: str) -> Operation:
        served = self.served
        group, version = subresource.group or served.group, subresource.version or served.version
        definition = definition_of(group, version, subresource.kind)
        words = f"{self.scope}{served.kind}{subresource.name.capitalize()}"
        if subresource.name == "log":
            definition = TEXT
        elif definition not in definitions.names() and subresource.kind == served.kind:
            definition = self.definition
        known = definition in definitions.names() or (served.custom and definition == self.definition)
        if not known and definition != TEXT:
            # An "options" kind: what is asked for stands in the query, and the connection becomes something else.
            method = _CONNECT[verb]
            description = f"connect {method.upper()} requests to {subresource.name} of {served.kind}"
            identity = f"connect{self.group_id}{method.capitalize()}{words}"
            how = _Verb(method, "", "connect", description, (200,), ())
            return self.build(subresource, how, identity, description, TEXT, "", group, version)
        how = _OBJECT.get(verb) or _COLLECTION[verb]
        body = {"create": definition, "update": definition, "patch": PATCH}.get(verb, "")
        description = f"{how.description} {subresource.name} of {served.kind}"
        return self.build(
            subresource, how, f"{how.prefix}{self.group_id}{words}", description, definition, body, group, version
        )

    def build(
        self,
        subresource: Subresource,
        how: _Verb,
        identity: str,
        description: str,
        answer: str,
        body: str,
        group: str,
        version: str,
    ) -> Operation:
        return Operation(
            method=how.method,
            id=identity,
            description=description,
            tag=self.tag,
            action=how.action,
            group=group,
            version=version,
            kind=subresource.kind,
            answer=answer,
            answer_known=answer == TEXT or self.served.custom or answer in definitions.names(),
            codes=how.codes,
            body=body,
            parameters=how.parameters,
            patches=self.patches,
        )

"""What the generic machinery knows of a kind: one `Resource` value, from which storage, routes, tables, discovery follow.

A kind is one file under `sampan/api/groups/` that ends in `RESOURCE = Resource(...)` (or `RESOURCES = (...)` where a kind is
served under two groups). A CustomResourceDefinition builds the same value at run time. Objects here are JSON trees
(`dict`), decoded, type-checked and pruned; a function of a `Strategy` may change the tree that it is handed and keeps nothing.

Modelled on upstream's `rest.RESTCreateUpdateStrategy` (k8s.io/apiserver/pkg/registry/rest).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.api.errors import FieldError
from sampan.api.schema import Schema, schema_of
from sampan.api.standing import fill

Tree = dict[str, Any]
Value = str | int | float | bool | None


def _nothing(*_: Any) -> None:
    return None


def _valid(*_: Any) -> list[FieldError]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What a write may do to an object of the kind. Every hook is pure but for the tree it is handed.

    prepare_create(new): drop what a create may not set (status), set generation and the like.
    prepare_update(new, old): keep what an update of the main resource may not touch (status), bump generation.
    prepare_status(new, old): keep everything but status.
    validate(new): semantic errors of an object, after defaults.
    validate_update(new, old): immutable fields and forbidden transitions; runs in addition to `validate`.
    validate_status(new, old): as `validate_update`, for the status subresource.
    Of an update, errors that are Forgiven are warnings.
    """

    prepare_create: Callable[[Tree], None] = _nothing
    prepare_update: Callable[[Tree, Tree], None] = _nothing
    prepare_status: Callable[[Tree, Tree], None] = _nothing
    validate: Callable[[Tree], list[FieldError]] = _valid
    validate_update: Callable[[Tree, Tree], list[FieldError]] = _valid
    validate_status: Callable[[Tree, Tree], list[FieldError]] = _valid
    validate_change: Callable[[Tree, Tree], list[FieldError]] | None = None
    warn: Callable[[Tree, Tree | None], list[str]] | None = None
    warn_status: Callable[[Tree], list[str]] | None = None
    """Of a new status."""
    allow_create_on_update: bool = False
    allow_unconditional_update: bool = True
    default_grace_seconds: Callable[[Tree], int] | None = None
    """Seconds of graceful deletion an object gets when the request names none; None: the kind is deleted at once."""
    garbage_collection: str = "background"
    """What a DELETE without propagationPolicy does with dependents: "background" or "orphan"; "unsupported": none cares."""
    delete_warning: str = ""
    """What a client is told whose DELETE leaves that to the kind."""


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column: its name, how to compute the cell from a tree (a function or a simple path ".a.b"), its type.

    type_: "string", "integer", "date" (the cell is an RFC 3339 time, shown as an age by the client), "boolean", "number".
    priority: 0 shows always, 1 only with `-o wide`. format_: "name" for the name column.
    """

    name: str
    cell: Callable[[Tree, float], Value] | str
    """A function of (object, seconds since the epoch) or a path."""
    type_: str = "string"
    priority: int = 0
    format_: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The `scale` subresource: simple paths (".spec.replicas") into the object, as in a CRD's `subresources.scale`."""

    spec: str = ".spec.replicas"
    status: str = ".status.replicas"
    selector: Callable[[Tree], str] | str = ".status.selector"
    """A path to, or a function that makes, the label selector in its string form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    group: str
    version: str
    kind: str
    plural: str
    definition: str
    """The name of its OpenAPI definition, such as "io.k8s.api.apps.v1.Deployment"."""
    singular: str = ""
    list_kind: str = ""
    """The kind of a list of them; "": the kind and "List"."""
    short: Sequence[str] = ()
    categories: Sequence[str] = ()
    namespaced: bool = True
    verbs: Sequence[str] = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
    strategy: Strategy = field(default_factory=Strategy)
    default: Callable[[Tree], None] = _nothing
    """Sets upstream's defaults in a tree; run on every object that is written."""
    columns: Sequence[Column] = ()
    """Without Name and Age, which every kind has unless `columns` names them itself."""
    row_order: Callable[[Tree], tuple[Any, ...]] | None = None
    """The key by which a list's rows are sorted; None: as the list is."""
    row_conditions: Callable[[Tree], list[Tree]] | None = None
    """What a row says of its object beside the cells; None: nothing."""
    selectable: Mapping[str, Callable[[Tree], str]] = field(default_factory=dict)
    """Field selectors beyond metadata.name and metadata.namespace: path → value of an object."""
    status: bool = False
    """Whether it has a `status` subresource."""
    scale: Scale | None = None
    name_is_valid: Callable[[str, bool], list[str]] | None = None
    """(name, is_generate_prefix) → messages; None: a DNS-1123 subdomain."""
    ttl_seconds: int = 0
    """Objects vanish this long after their last write (Events: 3600); 0: never."""
    deprecated: str = ""
    """The warning that every answer carries once a kind is on its way out."""
    stored_as: tuple[str, str, str] | None = None
    """(group, version, plural) of the resource whose objects this one shows in another form; None: its own."""
    to_stored: Callable[[Tree], Tree] | None = None
    from_stored: Callable[[Tree], Tree] | None = None
    custom_schema: Schema | None = None
    """That of a custom resource, which has no definition in the documents of Kubernetes."""

    @property
    def schema(self) -> Schema:
        return self.custom_schema or schema_of(self.definition)

    def complete(self, tree: Tree) -> None:
        """Set defaults, and what always stands in an object of the kind."""
        self.default(tree)
        if self.custom_schema is None:
            fill(schema_of(self.definition), tree)

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def virtual(self) -> bool:
        """Whether there are no objects of it: what is created is answered and forgotten, as reviews are."""
        return "get" not in self.verbs

    @property
    def takes_any_finalizer(self) -> bool:
        """Whether finalizers need no domain in their names, as where upstream checks only what is checked of every kind."""
        return self.custom_schema is not None or self.group in ("apiextensions.k8s.io", "apiregistration.k8s.io")

    @property
    def qualified_plural(self) -> str:
        """As it stands in error messages: "deployments.apps", "pods"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

"""CustomResourceDefinition: the kind by which users add kinds. What it means stands in `sampan.api.crd`."""

from __future__ import annotations

from sampan.api.crd import definition
from sampan.api.crd.definition import GROUP
from sampan.api.crd.normalizing import normalize
from sampan.api.crd.validation import validate_definition, validate_definition_status, validate_definition_update
from sampan.api.groups.columns import NAME
from sampan.api.groups.strategies import keep_spec, keep_status
from sampan.api.resource import Column, Resource, Strategy, Tree


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    if not names.get("singular"):
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = f"{kind}List"
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    webhook = conversion.get("webhook")
    if webhook is not None:
        _default_webhook(webhook)
        if not webhook:
            del conversion["webhook"]
    normalize(tree)
    if not tree.get("status", {}).get("storedVersions"):
        _store_version(tree)


def _default_webhook(webhook: Tree) -> None:
    client = webhook.get("clientConfig") or {}
    if client.get("service") is not None:
        client["service"].setdefault("port", 443)
    if client.get("caBundle") == "":
        del client["caBundle"]


def _store_version(tree: Tree) -> None:
    storage = definition.storage_version(tree)
    if storage:
        status = tree.setdefault("status", {})
        stored: list[str] = status.get("storedVersions") or []
        status["storedVersions"] = stored
        if storage not in stored:
            stored.append(storage)


def _prepare_create(new: Tree) -> None:
    new["status"] = {}
    new["metadata"]["generation"] = 1
    _store_version(new)


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_status(new, old)
    if "status" in new:
        new["status"] = {**new["status"], "storedVersions": list(new["status"].get("storedVersions") or ())}
    if new["spec"] != old["spec"]:
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    _store_version(new)


def _prepare_status(new: Tree, old: Tree) -> None:
    keep_spec(new, old)


def _created_at(tree: Tree, now: float) -> str:
    created: str = tree["metadata"].get("creationTimestamp", "")
    return created


_CREATED_HELP = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be "
    "set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 "
    "form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)

RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    definition="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    short=("crd", "crds"),
    categories=("api-extensions",),
    namespaced=False,
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=_prepare_status,
        validate=validate_definition,
        validate_change=validate_definition_update,
        validate_status=validate_definition_status,
        allow_unconditional_update=False,
    ),
    default=_default,
    columns=(NAME, Column("Created At", _created_at, "date", description=_CREATED_HELP)),
    status=True,
)

"""From a CustomResourceDefinition to the `Resource`s that are served: one for each served version.

After k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sampan.api.crd import definition
from sampan.api.crd.columns import build_columns, build_selectable
from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.crd.defaultchecks import prune_defaults
from sampan.api.crd.objects import ObjectRules
from sampan.api.crd.structure import Tree
from sampan.api.resource import Resource, Scale
from sampan.api.scheme import version_order


def build_resources(crd: Tree) -> tuple[Resource, ...]:
    """The resources that an admitted definition serves, in its order. That of the storage version is the one whose objects
    are stored; how the others are made from it is the definition's `spec.conversion`."""
    return tuple(build_resource(crd, version) for version in definition.served_versions(crd))


def build_resource(crd: Tree, version: Tree) -> Resource:
    """That of one of a definition's versions, served or not."""
    names = definition.names(crd)
    subresources: Tree = version.get("subresources") or {}
    group: str = crd["spec"]["group"]
    kind = cast(str, names["kind"])
    schema = CustomSchema(
        prune_defaults(definition.schema_of_version(version) or {"x-kubernetes-preserve-unknown-fields": True}),
        preserves=bool(crd["spec"].get("preserveUnknownFields")),
    )
    rules = ObjectRules(schema, f"{group}/{version['name']}", kind, subresources)
    return Resource(
        group=group,
        version=version["name"],
        kind=kind,
        plural=cast(str, names["plural"]),
        definition=definition_name(group, version["name"], kind),
        singular=cast(str, names.get("singular") or kind.lower()),
        list_kind=cast(str, names.get("listKind") or f"{kind}List"),
        short=tuple(cast(Sequence[str], names.get("shortNames") or ())),
        categories=tuple(cast(Sequence[str], names.get("categories") or ())),
        namespaced=definition.is_namespaced(crd),
        strategy=rules.strategy(),
        default=schema.default,
        columns=build_columns(version.get("additionalPrinterColumns")),
        selectable=build_selectable(version.get("selectableFields")),
        status="status" in subresources,
        scale=_scale(subresources.get("scale")),
        deprecated=_deprecation(crd, version),
        custom_schema=schema,
    )


def definition_name(group: str, version: str, kind: str) -> str:
    """Of its OpenAPI definition: "com.example.stable.v1.CronTab"."""
    return ".".join((*reversed(group.split(".")), version, kind))


def _scale(raw: Tree | None) -> Scale | None:
    if raw is None:
        return None
    return Scale(
        spec=raw["specReplicasPath"], status=raw["statusReplicasPath"], selector=raw.get("labelSelectorPath") or ""
    )  # fmt: skip


def _deprecation(crd: Tree, version: Tree) -> str:
    """The warning that answers carry."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning") is not None:
        return cast(str, version["deprecationWarning"])
    group, kind, own = crd["spec"]["group"], crd["spec"]["names"]["kind"], version_order(version["name"])
    better = [v["name"] for v in definition.served_versions(crd) if not v.get("deprecated")]
    better = sorted((name for name in better if version_order(name) < own), key=version_order)
    return f"{group}/{version['name']} {kind} is deprecated" + (f"; use {group}/{better[0]} {kind}" if better else "")

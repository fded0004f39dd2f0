"""A definition's spec as upstream validates it: what all versions say alike stands once, at the top.

That is where errors in it are reported, `spec.validation.openAPIV3Schema` for a definition of one version. After
k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1/conversion.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sampan.api.crd.structure import Tree
from sampan.api.errors import GoText
from sampan.api.gotext import go_plain, quoted

SHARED: Final = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}
"""Field of a version → field at the top."""


def internal_spec(spec: Tree) -> Tree:
    """A shallow copy."""
    internal = {**spec, "versions": [dict(version) for version in spec.get("versions") or ()]}
    conversion = spec.get("conversion")
    if conversion is not None:
        internal["conversion"] = internal_conversion(conversion)
    versions: list[Tree] = internal["versions"]
    if not versions:
        return internal
    internal["version"] = versions[0].get("name", "")
    for field, top in SHARED.items():
        first = _meaning(versions[0].get(field))
        if all(_meaning(version.get(field)) == first for version in versions):
            if first is not None:
                internal[top] = first
            for version in versions:
                version.pop(field, None)
    return internal


def _meaning(value: object) -> object:
    """An empty list says as little as none."""
    return None if value == [] else value


def internal_conversion(conversion: Tree) -> Tree:
    webhook = conversion.get("webhook") or {}
    internal: Tree = {"strategy": conversion.get("strategy", "")}
    if webhook.get("clientConfig") is not None:
        internal["webhookClientConfig"] = webhook["clientConfig"]
    internal["conversionReviewVersions"] = webhook.get("conversionReviewVersions") or []
    return internal


def by_version(spec: Tree, field: str) -> Callable[[str], Tree | None]:
    """What an internal spec has, wherever it stands there, for the version of a name: its "schema" or "subresources"."""
    versions: list[Tree] = spec["versions"]
    if not any(version.get(field) is not None for version in versions):
        shared: Tree | None = spec.get(SHARED[field])
        return lambda name: shared
    found: dict[str, Tree | None] = {version.get("name", ""): version.get(field) for version in reversed(versions)}
    return found.get


_PACKAGE: Final = "apiextensions"


def go_versions(versions: list[Tree]) -> GoText:
    """Versions as Go prints them; pointers, which nobody can read, as nil or not."""
    return GoText(f"[]{_PACKAGE}.CustomResourceDefinitionVersion{{" + ", ".join(map(_go_version, versions)) + "}")


def _go_version(version: Tree) -> str:
    fields = {
        "Name": quoted(version.get("name", "")),
        "Served": go_plain(bool(version.get("served"))),
        "Storage": go_plain(bool(version.get("storage"))),
        "Deprecated": go_plain(bool(version.get("deprecated"))),
        "DeprecationWarning": _pointer("string", version.get("deprecationWarning")),
        "Schema": _pointer(f"{_PACKAGE}.CustomResourceValidation", version.get("schema")),
        "Subresources": _pointer(f"{_PACKAGE}.CustomResourceSubresources", version.get("subresources")),
        "AdditionalPrinterColumns": f"[]{_PACKAGE}.CustomResourceColumnDefinition(nil)",
        "SelectableFields": f"[]{_PACKAGE}.SelectableField(nil)",
    }
    return f"{_PACKAGE}.CustomResourceDefinitionVersion{{" + ", ".join(f"{k}:{v}" for k, v in fields.items()) + "}"


def _pointer(type_: str, value: object) -> str:
    return f"(*{type_})({'nil' if value is None else '0x0'})"


def go_rule(rule: Tree) -> GoText:
    """A rule as Go prints it."""
    fields = {
        "Rule": quoted(rule.get("rule", "")),
        "Message": quoted(rule.get("message", "")),
        "MessageExpression": quoted(rule.get("messageExpression", "")),
        "Reason": _pointer(f"{_PACKAGE}.FieldValueErrorReason", rule.get("reason")),
        "FieldPath": quoted(rule.get("fieldPath", "")),
        "OptionalOldSelf": _pointer("bool", rule.get("optionalOldSelf")),
    }
    return GoText(f"{_PACKAGE}.ValidationRule{{" + ", ".join(f"{k}:{v}" for k, v in fields.items()) + "}")

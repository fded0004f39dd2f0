"""Secret."""

from __future__ import annotations

import base64

from sampan.api import names
from sampan.api.errors import FieldError, invalid, required, too_long
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.core.configmap import DATA_LIMIT_BYTES, encoded_size, validate_frozen
from sampan.api.groups.validation.metadata import immutable
from sampan.api.jsonsyntax import explain
from sampan.api.resource import Column, Resource, Strategy, Tree

OPAQUE = "Opaque"
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_DOCKER_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}


def _default(tree: Tree) -> None:
    if not tree.get("type"):
        tree["type"] = OPAQUE
    if texts := tree.pop("stringData", None):
        data = tree.setdefault("data", {})
        for key, text in texts.items():
            data[key] = base64.b64encode(text.encode()).decode()


def _validate(tree: Tree) -> list[FieldError]:
    data = tree.get("data", {})
    errors: list[FieldError] = []
    size = 0
    for key, value in data.items():
        errors += [invalid(f"data[{key}]", key, why) for why in names.config_map_key(key)]
        size += encoded_size(value or "")
    if size > DATA_LIMIT_BYTES:
        errors.append(too_long("data", DATA_LIMIT_BYTES))
    return errors + _validate_type(tree["type"], tree, data)


def _validate_type(type_: str, tree: Tree, data: Tree) -> list[FieldError]:
    if type_ == OPAQUE:
        return []
    if type_ == "kubernetes.io/service-account-token":
        named = tree["metadata"].get("annotations", {}).get(SERVICE_ACCOUNT_NAME)
        return [] if named else [required(f"metadata.annotations[{SERVICE_ACCOUNT_NAME}]")]
    if type_ == "kubernetes.io/basic-auth":
        if data.get("username") or data.get("password"):
            return []
        return [required("data[username]"), required("data[password]")]
    if key := _DOCKER_KEYS.get(type_):
        return _validate_docker(key, data)
    return [required(f"data[{key}]") for key in _REQUIRED_KEYS.get(type_, ()) if key not in data]


def _validate_docker(key: str, data: Tree) -> list[FieldError]:
    if key not in data:
        return [required(f"data[{key}]")]
    problem = explain(base64.b64decode(data[key] or "").decode(errors="replace"))
    return [invalid(f"data[{key}]", "<secret contents redacted>", problem)] if problem else []


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return immutable("type", new["type"], old.get("type", OPAQUE)) + validate_frozen(new, old, ("data",))


def _data(tree: Tree, now: float) -> int:
    return len(tree.get("data", ()))


def _type(tree: Tree) -> str:
    type_: str = tree.get("type", "")
    return type_


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    definition="io.k8s.api.core.v1.Secret",
    strategy=Strategy(validate=_validate, validate_update=_validate_update),
    default=_default,
    columns=(NAME, Column("Type", ".type"), Column("Data", _data), AGE),
    selectable={"type": _type},
)

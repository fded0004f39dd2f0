"""Kubeconfig files: reading one context, and adding or removing a context without touching the others.

The format is upstream's `client-go/tools/clientcmd/api/v1`. Files are written with mode 0600 and replaced atomically;
keys that we do not know are kept as they are.
"""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from sampan.client.config import ClientConfig

Tree = dict[str, Any]


def load(path: str | Path, context: str = "") -> ClientConfig:
    """The named context, or the current one. Raises OSError, and ValueError for what cannot be used."""
    path = Path(path)
    tree = _read(path)
    context = context or tree.get("current-context") or ""
    if not context:
        raise ValueError(f"{path}: no current-context is set")
    chosen = _entry(tree, "contexts", context, "context", path)
    cluster = _entry(tree, "clusters", chosen.get("cluster") or "", "cluster", path)
    user = _entry(tree, "users", chosen.get("user") or "", "user", path) if chosen.get("user") else {}
    for unusable in ("exec", "auth-provider"):
        if user.get(unusable):
            raise ValueError(f"{path}: user {chosen['user']!r} needs {unusable}, which is not supported")
    return ClientConfig(
        server=str(cluster.get("server") or ""),
        ca_pem=_material(cluster, "certificate-authority", path),
        cert_pem=_material(user, "client-certificate", path),
        key_pem=_material(user, "client-key", path),
        token=str(user.get("token") or ""),
        token_file=_beside(path, user.get("tokenFile") or ""),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def dump(config: ClientConfig, name: str = "sampan") -> str:
    """A kubeconfig of one context, in YAML."""
    return _yaml(_added({}, name, config))


def merge(path: str | Path, name: str, config: ClientConfig, *, make_current: bool = True) -> None:
    """Add or replace cluster, user and context `name`; creates the file where there is none."""
    path = Path(path)
    tree = _added(_read(path) if path.exists() else {}, name, config, make_current=make_current)
    _replace(path, _yaml(tree))


def remove(path: str | Path, name: str) -> None:
    """Take cluster, user and context `name` out again; the current context is unset if it was this one."""
    path = Path(path)
    if not path.exists():
        return
    tree = _read(path)
    for section in ("clusters", "users", "contexts"):
        tree[section] = [e for e in tree.get(section) or [] if e.get("name") != name]
    if tree.get("current-context") == name:
        tree["current-context"] = ""
    _replace(path, _yaml(tree))


def _read(path: Path) -> Tree:
    try:
        tree = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(tree, dict):
        raise ValueError(f"{path}: not a kubeconfig")
    return tree


def _yaml(tree: Tree) -> str:
    return yaml.safe_dump(tree, sort_keys=False)


def _entry(tree: Tree, section: str, name: str, kind: str, path: Path) -> Tree:
    for entry in tree.get(section) or []:
        if entry.get("name") == name:
            found: Tree = entry.get(kind) or {}
            return found
    raise ValueError(f"{path}: {kind} {name!r} does not exist")


def _material(entry: Tree, key: str, path: Path) -> bytes:
    if inline := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(inline, validate=True)
        except ValueError as error:
            raise ValueError(f"{path}: {key}-data is not base64") from error
    if name := entry.get(key):
        return Path(_beside(path, name)).read_bytes()
    return b""


def _beside(path: Path, name: str) -> str:
    """File names in a kubeconfig are relative to it."""
    return str(path.parent / name) if name else ""


def _added(tree: Tree, name: str, config: ClientConfig, *, make_current: bool = True) -> Tree:
    tree = {"apiVersion": "v1", "kind": "Config", **tree}
    cluster: Tree = {"server": config.server}
    if config.ca_pem:
        cluster["certificate-authority-data"] = base64.b64encode(config.ca_pem).decode()
    if config.insecure:
        cluster["insecure-skip-tls-verify"] = True
    _set(tree, "clusters", name, "cluster", cluster)
    _set(tree, "users", name, "user", _user(config))
    _set(tree, "contexts", name, "context", {"cluster": name, "user": name})
    if make_current or not tree.get("current-context"):
        tree["current-context"] = name
    return tree


def _user(config: ClientConfig) -> Tree:
    user: Tree = {}
    if config.cert_pem:
        user["client-certificate-data"] = base64.b64encode(config.cert_pem).decode()
        user["client-key-data"] = base64.b64encode(config.key_pem).decode()
    if config.token:
        user["token"] = config.token
    if config.token_file:
        user["tokenFile"] = config.token_file
    return user


def _set(tree: Tree, section: str, name: str, kind: str, value: Tree) -> None:
    entries = [e for e in tree.get(section) or [] if e.get("name") != name]
    tree[section] = [*entries, {"name": name, kind: value}]


def _replace(path: Path, text: str) -> None:
    path = path.resolve()  # a link stays a link: the file behind it is replaced
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.stat() if path.exists() else None
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if owner is not None and os.geteuid() == 0:
            os.chown(temporary, owner.st_uid, owner.st_gid)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise

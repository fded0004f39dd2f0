"""What a request asks for, read off its method and path: verb, group, version, resource, namespace, name, subresource.

The rules are those of upstream's RequestInfoResolver (k8s.io/apiserver/pkg/endpoints/request); authorization, admission,
metrics and routing all go by its answer.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from sampan.api.errors import bad_request
from sampan.api.selectors import parse_fields

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SPECIAL_VERBS = frozenset(("proxy", "watch"))
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))


class RequestInfo:
    """Of a request that names no resource only `path` and `verb` (the method in lower case) say something."""

    __slots__ = (
        "field_selector", "group", "is_resource", "name", "namespace", "parts", "path", "resource", "subresource", "verb",
        "version", "warnings",
    )  # fmt: skip

    def __init__(self, path: str, verb: str) -> None:
        self.is_resource = False
        self.path = path
        self.verb = verb
        self.group = ""
        self.version = ""
        self.namespace = ""
        self.resource = ""
        self.subresource = ""
        self.name = ""
        self.field_selector = ""
        """Of a list or watch, as it stands in the query."""
        self.warnings: list[str] = []
        """What the client is told besides the answer, whatever that is."""
        self.parts: list[str] = []
        """What follows the namespace: resource, name, subresource and anything after."""


def is_true(text: str) -> bool:
    """What a boolean parameter that is there says, as upstream converts it: that it is there, even as "", is enough."""
    return text != "0" and text.lower() != "false"


def resolve(method: str, path: str, query: str) -> RequestInfo:
    info = RequestInfo(path, method.lower())
    parts = path.strip("/").split("/")
    if len(parts) < 3:
        return info
    if parts[0] == "api":
        parts = parts[1:]
    elif parts[0] == "apis" and len(parts) >= 4:
        info.group = parts[1]
        parts = parts[2:]
    else:
        return info
    info.is_resource = True
    info.version = parts[0]
    _resolve_resource(info, method, parts[1:])
    if not info.name:
        if info.verb == "get":
            _resolve_collection(info, query)
        elif info.verb == "delete":
            info.verb = "deletecollection"
    return info


def _resolve_resource(info: RequestInfo, method: str, parts: list[str]) -> None:
    special = parts[0] in _SPECIAL_VERBS
    if special:
        if len(parts) < 2:
            raise bad_request(f"unable to determine kind and namespace from url, {info.path}")
        info.verb = parts[0]
        parts = parts[1:]
    else:
        info.verb = _VERBS.get(method, "")
    if parts[0] == "namespaces" and len(parts) > 1:
        info.namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    info.parts = parts
    info.resource = parts[0]
    if len(parts) >= 2:
        info.name = parts[1]
        if len(parts) >= 3 and not special:
            info.subresource = parts[2]


def _resolve_collection(info: RequestInfo, query: str) -> None:
    """A GET without a name lists or watches; a selector of exactly one name names that object to authorization."""
    info.verb = "list"
    if not query:
        return
    # Of a parameter that comes twice the first counts here as it does for the handler: what is authorized is what is done.
    first: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        first.setdefault(key, value)
    if "watch" in first and is_true(first["watch"]):
        info.verb = "watch"
    if selector := first.get("fieldSelector", ""):
        info.field_selector = selector
        info.name = _exact_name(selector)


def _exact_name(selector: str) -> str:
    try:
        name = parse_fields(selector).exact("metadata.name") or ""
    except ValueError:
        return ""  # the handler refuses it
    return name if "/" not in name and "%" not in name and name not in (".", "..") else ""

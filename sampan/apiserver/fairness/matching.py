"""Which FlowSchema a request belongs to, and which of its flows.

The schemas are tried in the order of their matchingPrecedence, and among equals of their names; the first that matches has
the request. After apf_controller.go and rule.go of k8s.io/apiserver/pkg/util/flowcontrol.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sampan.api.resource import Tree
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User

_REMEMBERED = 4096
_LONGEST = 1024
_ACCOUNT = "system:serviceaccount:"


class Flow(NamedTuple):
    """Requests that share a queue."""

    schema: str
    schema_uid: str
    level: str
    entropy: int
    """64 bits that are equal for all requests of the flow, from which its queues are dealt."""


class Schema:
    """One FlowSchema, ready to match."""

    def __init__(self, tree: Tree) -> None:
        spec = tree["spec"]
        self.name: str = tree["metadata"]["name"]
        self.uid: str = tree["metadata"].get("uid", "")
        self.level: str = spec["priorityLevelConfiguration"]["name"]
        self.order = (spec.get("matchingPrecedence", 1000), self.name)
        self._by: str = (spec.get("distinguisherMethod") or {}).get("type", "")
        self._rules: Sequence[Tree] = spec.get("rules", ())

    def matches(self, user: User, info: RequestInfo) -> bool:
        return any(
            any(_is_subject(user, subject) for subject in rule.get("subjects", ()))
            and any(_is_asked(info, part) for part in rule.get("resourceRules" if info.is_resource else "nonResourceRules", ()))
            for rule in self._rules
        )

    def flow(self, user: User, info: RequestInfo) -> Flow:
        distinguisher = user.name if self._by == "ByUser" else info.namespace if self._by == "ByNamespace" else ""
        digest = hashlib.sha256(f"{self.name},{distinguisher}".encode()).digest()
        return Flow(self.name, self.uid, self.level, int.from_bytes(digest[:8], "little"))


class Classifier:
    """Finds flows, and remembers those it found: few kinds of requests make up nearly all."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self._schemas = sorted(schemas, key=lambda schema: schema.order)
        self._found: dict[tuple[object, ...], Flow] = {}

    def flow_of(self, user: User, info: RequestInfo) -> Flow:
        """Raises LookupError where no schema matches; the mandatory catch-all matches everything."""
        if len(info.path) > _LONGEST:  # which clients choose: what is as long as they like is not kept
            return self._find(user, info)
        place = (info.group, info.resource, info.subresource, info.namespace) if info.is_resource else (info.path,)
        key = (user.name, user.groups, info.verb, *place)
        flow = self._found.get(key)
        if flow is None:
            flow = self._find(user, info)
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[key] = flow
        return flow

    def _find(self, user: User, info: RequestInfo) -> Flow:
        for schema in self._schemas:
            if schema.matches(user, info):
                return schema.flow(user, info)
        raise LookupError("no FlowSchema matches")


def _is_subject(user: User, subject: Tree) -> bool:
    kind = subject.get("kind")
    if kind == "User":
        return (subject.get("user") or {}).get("name") in ("*", user.name)
    if kind == "Group":
        name = (subject.get("group") or {}).get("name")
        return name == "*" or name in user.groups
    account = subject.get("serviceAccount") or {}
    prefix = f"{_ACCOUNT}{account.get('namespace')}:"
    name = account.get("name")
    return user.name.startswith(prefix) if name == "*" else user.name == prefix + str(name)


def _is_asked(info: RequestInfo, rule: Tree) -> bool:
    if not _holds(rule.get("verbs", ()), info.verb):
        return False
    if not info.is_resource:
        return any(_is_path(info.path, pattern) for pattern in rule.get("nonResourceURLs", ()))
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    if not _holds(rule.get("resources", ()), resource) or not _holds(rule.get("apiGroups", ()), info.group):
        return False
    return _holds(rule.get("namespaces") or (), info.namespace) if info.namespace else bool(rule.get("clusterScope"))


def _holds(wanted: Sequence[str], value: str) -> bool:
    return value in wanted or "*" in wanted


def _is_path(path: str, pattern: str) -> bool:
    if pattern in ("*", path):
        return True
    prefix = pattern.removesuffix("*")
    return path.startswith(prefix if prefix.endswith("/") else prefix + "/")

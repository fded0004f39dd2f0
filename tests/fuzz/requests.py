"""Requests as nobody means them: options, headers and writes drawn from what is nearly right and what is not."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import Step, Tree, Value, put_at

Headers = tuple[tuple[str, str], ...]

MEDIA = {
    "json-patch": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "dryRun": ("All", "", "all", "All,All", "None"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "", "strict"),
    "fieldManager": ("f", "", "x" * 128, "x" * 129, "a\x01", "é", "kubectl", "a/b"),
    "force": ("true", "false", "", "1", "x"),
    "resourceVersion": ("0", "1", "", "-1", "x", "18446744073709551616", "9" * 30, "01", "1.5", "5"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "", "exact"),
    "limit": ("1", "0", "-1", "x", "9223372036854775808", "500", ""),
    "continue": ("x", "", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0", "e30", "!!", "bnVsbA", "W10", "A" * 5000),
    "labelSelector": ("a=b", "a in (b,c)", "!a", "(", "a=b=c", "a>1", "a>x", "", ",", "a,", "é", "x" * 300, "a\0b"),
    "fieldSelector": ("metadata.name=sample", "metadata.name!=x", "a=b", "=", "metadata.name=a\\", "metadata.name", "spec.x=,"),
    "timeoutSeconds": ("0", "1", "-1", "x", "9" * 30, "1.5"),
    "watch": ("false", "0", "x"),
    "sendInitialEvents": ("true", "false", ""),
    "allowWatchBookmarks": ("true", "x"),
    "pretty": ("true", "1", "x"),
    "gracePeriodSeconds": ("0", "-1", "30", "x", "9" * 30, "9223372036854775807"),
    "propagationPolicy": ("Foreground", "Background", "Orphan", "", "x"),
    "orphanDependents": ("true", "false", "x"),
    "ignoreStoreReadErrorWithClusterBreakingPotential": ("true", "false"),
    "includeObject": ("Object", "None", "Metadata", "x"),
    "timeout": ("1s", "0", "x", "-1s", "1h", "99999999999h"),
    "": ("", "x"),
    "nonsense": ("", "%", "\x00", "é"),
}
ACCEPTS = (
    "application/json", "application/yaml", "*/*", "application/*", "", "text/plain", "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v2;g=meta.k8s.io",
    "application/json;as=Table", "application/yaml;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "application/json;;;", ";", ",",
    "application/json;q=2", "application/json;q=x", "application/json;as=", 'application/json;as="Table',
    "application/json;stream=watch", "application/json;charset=utf-16", ",".join(["text/x"] * 3000), "application/cbor",
    "\x7f", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
)  # fmt: skip
HEADERS: tuple[tuple[str, str], ...] = (
    ("Impersonate-User", "alice"), ("Impersonate-User", ""), ("Impersonate-User", "é" * 100), ("Impersonate-Group", "g"),
    ("Impersonate-Uid", "1"), ("Impersonate-Extra-a%2Fb", "c"), ("Impersonate-Extra-%ff", "c"), ("Impersonate-Extra-", ""),
    ("Impersonate-User", "system:serviceaccount:default:"), ("Impersonate-User", "system:serviceaccount:a:b:c"),
    ("Impersonate-User", "system:anonymous"), ("If-None-Match", "*"), ("If-Match", '"x"'), ("Range", "bytes=0-1"),
    ("Range", "x"), ("Content-Encoding", "gzip"), ("Accept-Encoding", "gzip;q=0"), ("Accept-Encoding", "x, gzip"),
    ("Expect", "100-continue"), ("X-Remote-User", "root"), ("X-Remote-Group", "system:masters"),
    ("X-Forwarded-For", "x" * 1000), ("Authorization", "Basic x"), ("Authorization", "Bearer"),
    ("Authorization", "Bearer a.b.c"), ("Authorization", "Bearer " + "x" * 5000), ("X-HTTP-Method-Override", "DELETE"),
    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Upgrade", "SPDY/3.1"),
    ("Sec-WebSocket-Protocol", "v4.channel.k8s.io"), ("Sec-WebSocket-Key", "x"), ("Audit-Id", "\x7f"),
    ("Traceparent", "00-x"), ("Date", "x"), ("Origin", "null"), ("Te", "trailers"),
)  # fmt: skip
BODY_TYPES = (
    "application/json", "application/yaml", "", "*/*", "text/plain", "application/json; charset=utf-16",
    "application/vnd.kubernetes.protobuf", "application/octet-stream", "multipart/form-data", "application/cbor",
    "application/JSON", ";", *MEDIA.values(),
)  # fmt: skip

options = st.dictionaries(st.sampled_from(sorted(OPTIONS)), st.integers(0, 50), max_size=4).map(
    lambda chosen: [(name, OPTIONS[name][number % len(OPTIONS[name])]) for name, number in chosen.items()]
)
accepts = st.sampled_from(ACCEPTS) | st.just("application/json")
headers = st.just(()) | st.lists(st.sampled_from(HEADERS), max_size=3).map(tuple)


def written(how: str, stored: Tree, root: Tree, changes: list[tuple[tuple[Step, ...], Value]]) -> bytes:
    """The body of a write that makes these changes in its way: a whole object, a patch, a configuration."""
    if how == "json-patch":
        return json.dumps([_operation(number, path, value) for number, (path, value) in enumerate(changes)]).encode()
    if how in ("put", "post"):
        tree = copy.deepcopy(stored)
    else:
        tree = {field: stored[field] for field in ("apiVersion", "kind")} | {"metadata": {"name": stored["metadata"]["name"]}}
    for path, value in changes:
        try:
            put_at(tree, root, path, copy.deepcopy(value))
        except (AttributeError, KeyError, TypeError):
            continue  # a change before it has put something else in its way
    return json.dumps(tree).encode()


def _operation(number: int, path: tuple[Step, ...], value: Value) -> dict[str, Any]:
    verbs = ("add", "replace", "test", "copy", "move", "remove", "x")
    pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    op = verbs[(number + len(pointer)) % len(verbs)]
    return {"op": op, "path": pointer, "value": value, "from": f"/{path[0]}"}

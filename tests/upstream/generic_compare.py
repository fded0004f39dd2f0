"""Holds the answers of two servers against each other, after what each run makes anew is taken out: uids, revisions, times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.upstream.generic_wire import Reply

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REVISIONS = (
    re.compile(r"(?<=too old resource version: )\d+ \(\d+\)"),
    re.compile(r"(?<=Too large resource version: )\d+, current: \d+"),
)
_HASH = re.compile(r"(?<=hash=)[0-9A-F]+")
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
_VOLATILE = frozenset(("resourceVersion", "continue"))
_FAIRNESS = ("x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid")
_UNCOMPARED = frozenset((*"date content-length audit-id transfer-encoding connection keep-alive etag".split(), *_FAIRNESS))


def differences(upstream: Reply, ours: Reply) -> list[str]:
    """Lines of `where: upstream's | ours`; none where the two say the same."""
    found = []
    if upstream.status != ours.status:
        found.append(f"status: {upstream.status} | {ours.status}")
    theirs, mine = _headers(upstream.headers), _headers(ours.headers)
    for name in sorted(theirs.keys() | mine.keys()):
        if theirs.get(name) != mine.get(name):
            found.append(f"header {name}: {theirs.get(name)} | {mine.get(name)}")
    if upstream.tree is None or ours.tree is None:
        if (first := plain(upstream.body.decode(errors="replace"))) != (second := plain(ours.body.decode(errors="replace"))):
            found.append(f"body: {first!r} | {second!r}")
        return found
    return found + list(_unlike(normal(upstream.tree), normal(ours.tree), ""))


def normal(value: Any, key: str = "") -> Any:
    """`value` without what each run makes anew."""
    if isinstance(value, dict):
        if "managedFields" in value and isinstance(value["managedFields"], list):
            # Sorted by time, whose seconds pass differently in each run.
            value = {**value, "managedFields": sorted(value["managedFields"], key=_owner)}
        return {name: normal(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, str):
        return f"<{key}>" if key in _VOLATILE and value not in ("", "0") else plain(value)
    return value


def _owner(entry: Any) -> tuple[str, ...]:
    return tuple(plain(str(entry.get(key, ""))) for key in ("manager", "operation", "subresource", "apiVersion"))


def plain(text: str) -> str:
    # The server is a manager by the name of its process.
    text = text.replace("apiextensions-apiserver", "kube-apiserver")
    text = _ADDRESS.sub("<address>", _HASH.sub("<hash>", _UID.sub("<uid>", _TIME.sub("<time>", text))))
    for pattern in _REVISIONS:
        text = pattern.sub("<revision>", text)
    return text


def _headers(headers: Mapping[str, list[str]]) -> dict[str, list[str]]:
    kept = {name: [plain(value) for value in values] for name, values in headers.items() if name not in _UNCOMPARED}
    return kept | ({"etag": ["present"]} if "etag" in headers else {})


def _unlike(first: Any, second: Any, where: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            if key not in second:
                yield f"{where}.{key}: {first[key]!r} | -"
            elif key not in first:
                yield f"{where}.{key}: - | {second[key]!r}"
            else:
                yield from _unlike(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _unlike(one, other, f"{where}[{index}]")
    elif first != second or type(first) is not type(second):
        yield f"{where}: {first!r} | {second!r}"

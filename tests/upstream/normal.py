"""Answers without what is another in every cluster: identities, revisions, times, chosen names and addresses."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

Tree = dict[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_SUFFIX = re.compile(r"(?<=enerated-)[a-z0-9]{5}\b|(?<=kube-api-access-)[a-z0-9]{5}\b")
_CHOSEN_ADDRESS = re.compile(r"\b10\.(?!96\.0\.)(9[6-9]|1(0\d|1[01]))\.\d+\.\d+\b")
_CHOSEN_PORT = re.compile(r"(?<=:)3[0-2]\d{3}(?=/(?:TCP|UDP|SCTP))")
_GO_VALUE = re.compile(r"(?:\[\]|map\[[\w.]+\]|&)?[\w.*]*(?:\{|\(nil\))")
_VALUE = re.compile("(?:Invalid|Duplicate) value: ")
_AGE = re.compile(r"\d+[sm]")
_REVISION = re.compile(r'(in record \(|\\"resourceVersion\\":\\")\d+')
_NEAR = timedelta(hours=2)

EMPTY_AS_ABSENT = frozenset(
    # Go writes these structs although they are empty.
    (
        "status",
        "resources",
        "strategy",
        "lastState",
        "state",
        "loadBalancer",
        "currentMetrics",
        "updateStrategy",
        "spec",
        "metadata",
        "template",
    )
)
HEADERS = (
    "allow",
    "content-type",
    "location",
    "retry-after",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "cache-control",
)


def plain(value: Any, key: str = "") -> Any:
    """A JSON value in the form in which two servers can agree on it."""
    if isinstance(value, dict):
        found = {name: plain(inner, name) for name, inner in value.items()}
        if "managedFields" in found and isinstance(found["managedFields"], list):
            found["managedFields"].sort(key=_who)  # that is by second, and between the two servers one may pass
        if "fieldsV1" in found:
            found.pop("time", None)
        return {name: inner for name, inner in found.items() if not _says_nothing(name, inner)}
    if isinstance(value, list):
        return [plain(inner, key) for inner in value]
    if key in ("resourceVersion", "continue", "nodePort", "token", "serverAddress") and value:
        return "…"
    if key == "cells" and isinstance(value, str) and _AGE.fullmatch(value):
        return "AGE"
    if isinstance(value, str):
        return plain_text(value)
    return value


def _who(entry: Tree) -> tuple[str, ...]:
    return tuple(str(entry.get(name, "")) for name in ("operation", "manager", "subresource"))


def plain_text(text: str) -> str:
    text = _SUFFIX.sub("…", _UUID.sub("UID", text))
    text = _CHOSEN_PORT.sub("…", text)
    text = _CHOSEN_ADDRESS.sub("ADDRESS", _REVISION.sub(r"\1…", _TIME.sub(_time, text)))
    return _without_structs(text)


def _says_nothing(key: str, value: Any) -> bool:
    return value is None or (value == {} and key in EMPTY_AS_ABSENT)


def _time(found: re.Match[str]) -> str:
    try:
        when = datetime.fromisoformat(found[0][:19]).replace(tzinfo=UTC)
    except ValueError:
        return found[0]
    return "NOW" if abs(datetime.now(UTC) - when) < _NEAR else found[0]


def _without_structs(text: str) -> str:
    """Go prints structs where Sampan prints JSON."""
    at = _VALUE.search(text)
    while at:
        start = at.end()
        found = _GO_VALUE.match(text, start)
        end = (
            _end_of(text, found.end()) if found and found[0][-1] == "{" else found.end() if found else _end_of_list(text, start)
        )
        if end > start:
            text = text[:start] + "{…}" + text[end:]
        at = _VALUE.search(text, start)
    return text


def _end_of_list(text: str, start: int) -> int:
    return _end_of(text, start + 1) if text[start : start + 1] == "[" else start


def _end_of(text: str, inside: int) -> int:
    """Where the bracket closes before `inside`."""
    depth, quoted = 1, False
    while inside < len(text) and depth:
        letter = text[inside]
        if letter == "\\" and quoted:
            inside += 1
        elif letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += (letter in "{[(") - (letter in "}])")
        inside += 1
    return inside


def plain_body(body: bytes, content_type: str) -> Any:
    if "json" not in content_type:
        return plain_text(body.decode("utf-8", "replace"))
    lines = body.splitlines() if b"\n{" in body else [body or b"null"]
    values = [_by_column(plain(json.loads(line))) for line in lines]
    return values[0] if len(values) == 1 else values


def _by_column(value: Any) -> Any:
    """A Table whose cells are found by the names of their columns, as they are where columns came between."""
    if not isinstance(value, dict) or value.get("kind") != "Table":
        return value
    columns = value.get("columnDefinitions") or ()
    names = [column["name"] for column in columns]
    rows = [{**row, "cells": dict(zip(names, row["cells"], strict=True))} for row in value.get("rows") or ()]
    return {**value, "columnDefinitions": {column["name"]: column for column in columns}, "rows": rows}

"""Holds the answers of two servers against each other, after what each run makes anew is taken out: uids, revisions, times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.upstream.generic_wire import Reply

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SELF_TYPE = re.compile(r"\bselfType\d+")
_GENERATED = re.compile(r"\bgen[-_][a-z0-9]{5}\b")
_TYPE_NAME = re.compile(r'value: "(?:string|integer|number|boolean|object|array|)"(?:: )?')
_REVISIONS = (
    re.compile(r"(?<=too old resource version: )\d+ \(\d+\)"),
    re.compile(r"(?<=in record \()\d+"),
    re.compile(r"(?<=Too large resource version: )\d+, current: \d+"),
)
# A whole object in a message, whose fields come in another order.
_PATCHED = re.compile(r'(?<=Invalid value: )"\{.*\}"(?=:)', re.DOTALL)
# A bad value in a message: 1.33 prints it as Go, later versions as JSON.
_BAD_VALUE = re.compile(
    r"(?<= value: )(?:(?:map\[string\]|\[\])*(?:interface \{\}|[a-zA-Z.]+)(?=[({])|(?=[\[{])|\"?null\"?(?=:|$))"
)
_AGE = re.compile(r"\d+[smh]|<invalid>")
_HASH = re.compile(r"(?<=hash=)[0-9A-F]+")
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
_VOLATILE = frozenset(("resourceVersion", "continue"))
_FAIRNESS = ("x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid")
_CONNECTION = ("date", "content-length", "transfer-encoding", "connection", "keep-alive")
_UNCOMPARED = frozenset((*_CONNECTION, "audit-id", "etag", *_FAIRNESS))


def differences(upstream: Reply, ours: Reply) -> list[str]:
    """Lines of `where: upstream's | ours`; none where the two say the same."""
    found = []
    if upstream.status != ours.status:
        found.append(f"status: {upstream.status} | {ours.status}")
    theirs, mine = _headers(upstream.headers), _headers(ours.headers)
    for name in sorted(theirs.keys() | mine.keys()):
        if not _are_alike(theirs.get(name, []), mine.get(name, [])):
            found.append(f"header {name}: {theirs.get(name)} | {mine.get(name)}")
    if _is_yaml(upstream) and _is_yaml(ours):
        return found + list(_unlike(normal(yaml.safe_load(upstream.body)), normal(yaml.safe_load(ours.body)), ""))
    if upstream.tree is None or ours.tree is None:
        if (first := plain(upstream.body.decode(errors="replace"))) != (second := plain(ours.body.decode(errors="replace"))):
            found.append(f"body: {first!r} | {second!r}")
        return found
    return found + list(_unlike(normal(upstream.tree), normal(ours.tree), ""))


def _is_yaml(reply: Reply) -> bool:
    return reply.headers.get("content-type") == ["application/yaml"]


def _are_alike(theirs: list[str], ours: list[str]) -> bool:
    same = (
        first == second or _says_the_same(first.replace('\\"', '"'), second.replace('\\"', '"'))
        for first, second in zip(theirs, ours, strict=False)
    )
    return len(theirs) == len(ours) and all(same)


def normal(value: Any, key: str = "") -> Any:
    """`value` without what each run makes anew."""
    if isinstance(value, dict):
        if "managedFields" in value and isinstance(value["managedFields"], list):
            # Sorted by time, whose seconds pass differently in each run.
            value = {**value, "managedFields": sorted(value["managedFields"], key=_owner)}
        return {name: _sorted(name, normal(item, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [
            "<age>" if key == "cells" and isinstance(item, str) and _AGE.fullmatch(item) else normal(item) for item in value
        ]
    if isinstance(value, str):
        return f"<{key}>" if key in _VOLATILE and value not in ("", "0") else plain(value)
    return value


def _sorted(name: str, value: Any) -> Any:
    """Errors come in any order, for Go goes through a schema's properties in a random one; those of metadata of an update come
    up to three times, as each layer looks at them."""
    if name != "causes" or not isinstance(value, list):
        return value
    return [cause for _, cause in sorted({str(cause): cause for cause in value}.items())]


def _owner(entry: Any) -> tuple[str, ...]:
    return tuple(plain(str(entry.get(key, ""))) for key in ("manager", "operation", "subresource", "apiVersion"))


def plain(text: str) -> str:
    # The server is a manager by the name of its process.
    text = text.replace("apiextensions-apiserver", "kube-apiserver")
    text = _PATCHED.sub("<object>", text)
    text = _ADDRESS.sub(
        "<address>", _GENERATED.sub("gen<random>", _HASH.sub("<hash>", _UID.sub("<uid>", _TIME.sub("<time>", text))))
    )
    text = _without_values(_SELF_TYPE.sub("selfType", text))
    for pattern in _REVISIONS:
        text = pattern.sub("<revision>", text)
    return text


def _without_values(text: str) -> str:
    """Without the compound values in errors of fields."""
    place = 0
    while found := _BAD_VALUE.search(text, place):
        end = _end_of_brackets(text, found.end())
        text = f"{text[: found.start()]}<value>{text[end:]}"
        place = found.start()
    return text


def _end_of_brackets(text: str, start: int) -> int:
    depth, quoted = 0, False
    for index in range(start, len(text)):
        char = text[index]
        if char == '"' and text[index - 1] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (char in "[{(") - (char in ")}]")
            if depth <= 0:
                return index + 1 if char in ")}]" else index
    return len(text)


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
    elif isinstance(first, str) and isinstance(second, str) and _says_the_same(first, second):
        return
    elif first != second or type(first) is not type(second):
        yield f"{where}: {first!r} | {second!r}"


def _says_the_same(theirs: str, ours: str) -> bool:
    """Whether they differ in the order of errors only, or in that 1.34 shows the value that a rule refuses, 1.33 its type."""
    if sorted(_errors_in(theirs)) == sorted(_errors_in(ours)):
        return True
    pattern = "value: (?:[^:]*(?:: )?)?".join(re.escape(part) for part in _TYPE_NAME.split(ours))
    return re.fullmatch(pattern, theirs) is not None


def _errors_in(message: str) -> list[str]:
    head, _, errors = message.partition(" is invalid: ")
    return [head, *re.split(r", (?=[\w.]+[\w\[\].-]*: )", errors.removeprefix("[").removesuffix("]"))]

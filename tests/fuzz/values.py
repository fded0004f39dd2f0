"""What a field may be filled with: values at the edges of its type, and values of other types."""

from __future__ import annotations

from typing import Any

from sampan.api import definitions

Tree = dict[str, Any]
Value = Any
Step = str | int

TIME = "2024-05-06T07:08:09Z"
_ENDLESS = 8

WORDS: tuple[Value, ...] = (
    "a", "", "A b", "10.0.0.1", "fd00::1", "None", "x" * 300, "/a", "a.b/c", "é", "\0", "Always", "TCP", "a=b", "{", "1", "*",
    "(", "$(x)", "-", "..", "a" * 63, "../a", "true", "\u202e", "\ufb01", "e\u0301", "%", "50%", "1.2.3.4/33", "::/0",
    "http://[", "\\", "\u2028", "😀", "a\nb", " a", "0", "-1", "a,b", "a:b", "UTC", "@daily", "self", "v1", "In", "Exists",
    "ClusterIP", 5, None, [], {}, True,
)  # fmt: skip
NUMBERS: tuple[Value, ...] = (
    0, -1, 1, 2, 100, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, -(2**63), 2**63, 10**400, 1.5, 1.0,
    -0.0, 1e300, "1", None, True, [], {},
)  # fmt: skip
QUANTITIES: tuple[Value, ...] = (
    "1", "-1", "0", "", "1e1000000000", "1e-1000000000", "9" * 1000, "1Ei", "100m", "1.5Gi", "0x1", "1e3", "+1", "n", "1n",
    "1E", "٣", "9223372036854775807", "-9223372036854775808E", "1 ", "1.", ".", ".5", "0.0000000001", "1e", "1Kiloton", 5,
    1.5, 1e300, True, [], {}, None,
)  # fmt: skip
INTS_OR_STRINGS: tuple[Value, ...] = (
    0, -1, 1, 2**31, -(2**31) - 1, 10**30, "a", "50%", "101%", "-1%", "%", "", "9" * 30 + "%", "x" * 100, "0x10", "1", 1.5,
    True, None, [], {},
)  # fmt: skip
TIMES: tuple[Value, ...] = (
    TIME, "2024-05-06T07:08:09.000001Z", "2024-05-06T07:08:09.123456789123Z", "2024-05-06T07:08:09+14:00",
    "2024-05-06T07:08:09-23:59", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-05-06T24:00:00Z", "2024-05-06T23:59:60Z",
    "2024-05-06T07:08:09+25:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-05-06t07:08:09z",
    "2024-05-06T07:08:09", "2024-05-06", "", "x", 5, None, [], {},
)  # fmt: skip
BYTES: tuple[Value, ...] = ("", "YQ==", "YQ=", "YQ", "%", "YQ==\n", "____", "é", "A" * 1000, 5, None, [])
BOOLEANS: tuple[Value, ...] = (True, False, None, "true", 1, [])
ANYTHING: tuple[Value, ...] = (None, 5, "x", [], {}, {"a": 1}, [{}], True, 1.5, {"a": {"b": [None, {"c": -0.0}]}})
_KEYS = (
    "a",
    "",
    "a b",
    "x" * 400,
    "é",
    "\0",
    "cpu",
    "kubernetes.io/a",
    "a/b/c",
    "k8s.io/",
    "f:a",
    "requests.cpu",
    "hugepages-2Mi",
)
_BY_DEFINITION = {
    definitions.QUANTITY: QUANTITIES,
    definitions.INT_OR_STRING: INTS_OR_STRINGS,
    definitions.TIME: TIMES,
    definitions.MICRO_TIME: TIMES,
}


def resolved(raw: Tree) -> Tree:
    """The schema itself where there is a reference to it."""
    name = definitions.referenced(raw)
    return definitions.definition(name) if name else raw


def smallest(raw: Tree, depth: int = 0) -> Value:
    """A value of the right type with no more in it than is required."""
    name = definitions.referenced(raw)
    if name in _BY_DEFINITION:
        return _BY_DEFINITION[name][0]
    raw = resolved(raw)
    match definitions.plain_type(raw):
        case "array":
            return []
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "string":
            return TIME if raw.get("format") == "date-time" else "YQ==" if raw.get("format") == "byte" else "a"
    properties = raw.get("properties", {})
    needed = raw.get("required", ()) if depth < _ENDLESS else ()
    return {field: smallest(properties[field], depth + 1) for field in needed if field in properties}


def edges(raw: Tree) -> tuple[Value, ...]:
    """Values to try at a place."""
    name = definitions.referenced(raw)
    if name in _BY_DEFINITION:
        return _BY_DEFINITION[name]
    small = smallest(raw)
    raw = resolved(raw)
    match definitions.plain_type(raw):
        case "array":
            item = smallest(raw["items"])
            return ([], [item], [item, item], [None], [[]], [5], ["x"], {}, 5, None, "x", [item] * 300, [{}])
        case "integer" | "number":
            return NUMBERS
        case "boolean":
            return BOOLEANS
        case "string":
            return TIMES if raw.get("format") == "date-time" else BYTES if raw.get("format") == "byte" else WORDS
    if isinstance(raw.get("additionalProperties"), dict):
        value = smallest(raw["additionalProperties"])
        many = {f"k{index}": value for index in range(300)}
        return ({}, *({key: value} for key in _KEYS), {"a": None}, {"a": []}, many, [], 5, None, "x")
    return ({}, small, [], 5, "x", None, True, {"unknown": 1}) if "properties" in raw else ANYTHING


def places(raw: Tree, known: set[str], path: tuple[Step, ...] = ()) -> list[tuple[tuple[Step, ...], Tree]]:
    """Every place under a schema, and what stands there; definitions that are `known` are not gone into, nor one twice."""
    found = [(path, raw)]
    if name := definitions.referenced(raw):
        if name in known or name in _BY_DEFINITION:
            return found
        known.add(name)
    inner = resolved(raw)
    if "properties" in inner:
        for field, below in inner["properties"].items():
            found += places(below, known, (*path, field))
    elif definitions.plain_type(inner) == "array":
        found += places(inner["items"], known, (*path, 0))
    elif isinstance(inner.get("additionalProperties"), dict):
        found += places(inner["additionalProperties"], known, (*path, "key"))
    return found


def put_at(tree: Value, raw: Tree, path: tuple[Step, ...], value: Value) -> None:
    """Sets the value at a place, in place; what is on the way there and missing is made as small as may be."""
    node = tree
    for step, following in zip(path, (*path[1:], None), strict=True):
        raw = resolved(raw)
        below = raw["items"] if step == 0 else raw.get("properties", {}).get(step) or raw["additionalProperties"]
        if step == 0 and not node:
            node.append(smallest(below))
        elif step != 0 and not isinstance(node.get(step), (dict, list)):
            node[step] = smallest(below)
        if following is None:
            node[step] = value
        node, raw = node[step], below

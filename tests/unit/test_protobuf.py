"""Protobuf bodies say the same as JSON ones."""

from __future__ import annotations

import re

import pytest

from sampan.api import definitions, gofields, protobuf
from sampan.api.scheme import builtin


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, *fields: bytes) -> bytes:
    meta = field(1, api_version) + field(2, kind)
    return protobuf.MAGIC + field(1, meta) + field(2, b"".join(fields)) + field(3, "") + field(4, "")


def entry(key: str, value: bytes | str) -> bytes:
    return field(1, key) + field(2, value)


META = field(1, field(1, "a") + field(2, "") + field(3, "default") + field(7, 0) + field(8, b"") + field(11, entry("k", "v")))

LIMITS = field(1, entry("cpu", field(1, "100m")))
PROBE = field(1, field(2, field(1, "/"))) + field(2, -1)
EMPTY_DIR = field(1, "v") + field(2, field(2, b""))
STRING = field(5, "string")
ITEMS = field(5, "array") + field(24, field(1, STRING))
EITHER = field(27, field(24, field(2, STRING) + field(2, field(5, "integer"))))
SCHEMA = (
    field(29, field(1, "a") + field(2, ITEMS))
    + field(30, field(1, 0))
    + field(8, field(1, '{"a":["b"]}'))
    + field(32, field(1, "a") + field(2, field(2, "b")))
    + EITHER
)
EXTRA = entry("x", field(1, "a") + field(1, "b"))


@pytest.mark.parametrize(
    ("encoded", "tree"),
    [
        pytest.param(
            body("v1", "ConfigMap", META, field(2, entry("x", "y")), field(3, entry("b", b"\xff")), field(4, 0)),
            {
                "metadata": {"name": "a", "namespace": "default", "labels": {"k": "v"}},
                "data": {"x": "y"},
                "binaryData": {"b": "/w=="},
                "immutable": False,
            },
            id="maps, bytes, a pointer to false, an unset time",
        ),
        pytest.param(
            body(
                "apps/v1",
                "Deployment",
                field(2, field(1, 0) + field(3, field(2, field(2, field(1, "c") + field(6, field(1, "") + field(3, 80)))))),
                field(3, b""),
            ),
            {"spec": {"replicas": 0, "template": {"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}}}},
            id="nested lists, a pointer to zero, an empty status",
        ),
        pytest.param(
            body(
                "v1",
                "Service",
                field(2, b"".join(field(1, field(3, 80) + field(4, target)) for target in (
                    field(1, 0) + field(2, 8080), field(1, 1) + field(3, "http"), field(1, 0) + field(2, 0)))),
            ),
            {"spec": {"ports": [{"port": 80, "targetPort": 8080}, {"port": 80, "targetPort": "http"}, {"port": 80}]}},
            id="int or string",
        ),
        pytest.param(
            body("v1", "Pod", field(2, field(2, field(8, LIMITS) + field(10, PROBE)) + field(1, EMPTY_DIR))),
            {
                "spec": {
                    "containers": [
                        {
                            "resources": {"limits": {"cpu": "100m"}},
                            "livenessProbe": {"httpGet": {"path": "/"}, "initialDelaySeconds": -1},
                        }
                    ],
                    "volumes": [{"name": "v", "emptyDir": {}}],
                }
            },
            id="quantities, messages in line, an empty pointer, a negative number",
        ),
        pytest.param(
            body("coordination.k8s.io/v1", "Lease", field(2, field(3, field(1, 1_700_000_000) + field(2, 123_456_000)))),
            {"spec": {"acquireTime": "2023-11-14T22:13:20.123456Z"}},
            id="a time with microseconds",
        ),
        pytest.param(
            body("v1", "DeleteOptions", field(1, 0), field(4, "Foreground")),
            {"gracePeriodSeconds": 0, "propagationPolicy": "Foreground"},
            id="a kind of the machinery",
        ),
        pytest.param(
            body("authentication.k8s.io/v1", "TokenReview", field(3, field(2, field(4, EXTRA)))),
            {"status": {"user": {"extra": {"x": ["a", "b"]}}}},
            id="a map of lists",
        ),
        pytest.param(
            body(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                field(2, field(7, field(1, "v1") + field(2, 1) + field(3, 0) + field(4, field(1, SCHEMA)))),
            ),
            {
                "spec": {
                    "versions": [
                        {
                            "name": "v1",
                            "served": True,
                            "schema": {
                                "openAPIV3Schema": {
                                    "properties": {"a": {"type": "array", "items": {"type": "string"}}},
                                    "additionalProperties": False,
                                    "default": {"a": ["b"]},
                                    "dependencies": {"a": ["b"]},
                                    "anyOf": [{"items": [{"type": "string"}, {"type": "integer"}]}],
                                }
                            },
                        }
                    ]
                }
            },
            id="a schema, with what is one thing or another",
        ),
        pytest.param(
            body("apiregistration.k8s.io/v1", "APIService", field(2, field(1, field(3, 0)) + field(5, b"x") + field(7, 100))),
            {"spec": {"service": {"port": 0}, "caBundle": "eA==", "groupPriorityMinimum": 100}},
            id="a kind of the aggregator",
        ),
    ],
)  # fmt: skip
def test_a_body_decodes_to_the_tree_that_json_would_be(encoded, tree):
    decoded = protobuf.decode(encoded)
    assert {k: v for k, v in decoded.items() if k not in ("apiVersion", "kind")} == tree


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{}",
        protobuf.MAGIC,
        body("v1", "Nonsense"),
        body("v1", "Pod", b"\x12\x7f"),
        body("v1", "Pod", b"\x0b"),
        body("v1", "Pod", b"\x80" * 11),
        body("v1", "ConfigMap", field(2, entry("x", b"\xff\xfe"))),
        body("v1", "Pod", field(2, field(4, b"x"))),
    ],
    ids=["empty", "json", "no envelope", "unknown kind", "cut short", "group", "endless number", "not UTF-8", "wrong type"],
)
def test_a_broken_body_is_refused(broken):
    with pytest.raises(protobuf.ProtobufError):
        protobuf.decode(broken)


def test_every_field_of_the_api_has_a_number():
    """The file of numbers is current as long as no definition has a property that it lacks."""
    numbers = gofields.numbers()
    missing = []
    for name in numbers:
        if name not in definitions.names():
            continue  # A message that stands in line in JSON has no definition of its own.
        known = fields_of(name, numbers)
        properties = definitions.definition(name).get("properties", {})
        missing += [f"{name}.{p}" for p in properties if p not in known | {"apiVersion", "kind"}]
    assert not missing


STABLE = re.compile(
    r"io\.k8s\.(api\.[a-z]+|apiextensions-apiserver\.pkg\.apis\.apiextensions|kube-aggregator\.pkg\.apis\.apiregistration)"
    r"\.v[0-9]+\.(?!JSON$|\w+List$)\w+"
).fullmatch


def test_every_stable_kind_has_its_numbers():
    """But for lists, which no client sends, and JSON, which is its own text."""
    numbers = gofields.numbers()
    assert [name for name in definitions.names() if STABLE(name) and name not in numbers] == []


def test_every_kind_that_is_served_has_its_numbers():
    numbers = gofields.numbers()
    assert [resource.definition for resource in builtin() if resource.definition not in numbers] == []


def fields_of(name: str, numbers: dict[str, dict[str, str]]) -> set[str]:
    group = name.rpartition(".")[0]
    found = set()
    for each in numbers[name]:
        found |= fields_of(f"{group}.{each[1:]}", numbers) if each.startswith("+") else {each}
    return found

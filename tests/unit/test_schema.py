"""Schemas: navigation for patches, and the decoding of request bodies with upstream's words for what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.api import definitions
from sampan.api.decoding import TypeProblem, strict_message
from sampan.api.schema import Schema, Type, schema_of

POD = schema_of("io.k8s.api.core.v1.Pod")
DEPLOYMENT = schema_of("io.k8s.api.apps.v1.Deployment")


def at(schema: Schema, *path: str) -> Schema:
    """The place at a path; "[]" is a list's items."""
    for step in path:
        found = schema.items if step == "[]" else schema.field(step)
        assert found is not None, step
        schema = found
    return schema


def test_merge_keys_and_list_types_are_found_by_path() -> None:
    containers = at(POD, "spec", "containers")
    assert (containers.type, containers.merge_key, containers.patch_strategy) == (Type.LIST, "name", {"merge"})
    ports = at(containers, "[]", "ports")
    assert (ports.merge_key, ports.list_type, ports.map_keys) == ("containerPort", "map", ("containerPort", "protocol"))
    assert at(POD, "spec", "volumes").patch_strategy == {"merge", "retainKeys"}
    assert at(DEPLOYMENT, "spec", "strategy").patch_strategy == {"retainKeys"}
    assert at(DEPLOYMENT, "spec", "selector").map_type == "atomic"
    assert at(POD, "metadata", "finalizers").patch_strategy == {"merge"}
    assert at(POD, "metadata", "labels", "any-key").type is Type.STRING
    assert at(POD, "spec", "containers", "[]", "resources", "limits", "cpu").type is Type.QUANTITY
    assert at(POD, "spec").field("nonsense") is None


STRICT = [
    ({"spec": {"replicas": 1}}, []),
    ({"x": None}, ['unknown field "x"']),
    ({"spec": {"foo": 1, "template": {"spec": {"containers": [{"name": "a"}, {"bar": 1}]}}}}, [
        'unknown field "spec.foo"',
        'unknown field "spec.template.spec.containers[1].bar"',
    ]),
    ({"Spec": {}}, ['unknown field "Spec"']),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "strict"), STRICT)
def test_unknown_fields_are_named_and_dropped(tree: dict[str, Any], strict: list[str]) -> None:
    admitted = DEPLOYMENT.admit(json.dumps(tree).encode())
    assert admitted.strict == strict
    assert "foo" not in json.dumps(admitted.tree)


def test_repeated_fields_are_named_and_the_last_one_counts() -> None:
    body = b'{"spec":{"replicas":1,"replicas":2},"metadata":{"labels":{"a":"1","a":"2"}}}'
    admitted = DEPLOYMENT.admit(body)
    assert admitted.strict == ['duplicate field "spec.replicas"', 'duplicate field "metadata.labels.a"']
    assert admitted.tree == {"spec": {"replicas": 2}, "metadata": {"labels": {"a": "2"}}}
    assert strict_message(admitted.strict).startswith('strict decoding error: duplicate field "spec.replicas", duplicate')


@pytest.mark.parametrize(
    "body",
    [
        b'{"spec":{"replicas":null,"replicas":2}}',
        b'{"spec":{"replicas":2,"replicas":null}}',
        b'{"spec" : {"replicas" :1, "replicas":2}}',
        b'{"spec":{"replicas":1,"replicas":2},"metadata":{"name":"\\u003a"}}',
        b'{"spec":{"replicas":1,"replicas":2},"metadata":{"creationTimestamp":null}}',
    ],
)
def test_a_repeated_field_is_found_in_any_disguise(body: bytes) -> None:
    assert DEPLOYMENT.admit(body).strict == ['duplicate field "spec.replicas"']


def test_a_good_body_comes_out_without_nulls_and_canonical() -> None:
    body = {
        "metadata": {"creationTimestamp": None, "name": "web", "labels": {"a": "b"}, "finalizers": None},
        "spec": {
            "containers": [
                {
                    "name": "a",
                    "resources": {"limits": {"cpu": "0.5", "memory": "1.5Gi"}, "requests": {"cpu": 2}},
                    "livenessProbe": None,
                }
            ],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}],
        },
        "status": {"startTime": "2024-05-01T12:00:00.5+02:00"},
    }
    admitted = POD.admit(json.dumps(body).encode())
    assert admitted == (
        {
            "metadata": {"name": "web", "labels": {"a": "b"}},
            "spec": {
                "containers": [
                    {"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1536Mi"}, "requests": {"cpu": "2"}}}
                ],
                "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
            },
            "status": {"startTime": "2024-05-01T10:00:00Z"},
        },
        [],
    )
    assert POD.admit_tree(body) == admitted


def test_a_null_inside_a_list_or_map_is_a_zero_value() -> None:
    tree = {"metadata": {"labels": {"a": None}}, "spec": {"containers": [None], "hostAliases": [{"hostnames": [None]}]}}
    admitted = POD.admit(json.dumps(tree).encode())
    assert admitted.tree == {
        "metadata": {"labels": {"a": ""}},
        "spec": {"containers": [{}], "hostAliases": [{"hostnames": [""]}]},
    }


def test_micro_times_keep_six_digits() -> None:
    lease = schema_of("io.k8s.api.coordination.v1.Lease")
    for given, kept in [
        ("2024-05-01T12:00:00Z", "000000"),
        ("2024-05-01T12:00:00.1234567Z", "123456"),
        ("2024-05-01T12:00:00.5Z", "500000"),
    ]:
        assert lease.admit_tree({"spec": {"renewTime": given}}).tree["spec"]["renewTime"] == f"2024-05-01T12:00:00.{kept}Z"


def test_secret_data_must_be_base64() -> None:
    secret = schema_of("io.k8s.api.core.v1.Secret")
    assert secret.admit(b'{"data":{"a":"aGVs\\nbG8=","b":""}}').tree == {"data": {"a": "aGVsbG8=", "b": ""}}
    with pytest.raises(TypeProblem, match="illegal base64 data at input byte 3"):
        secret.admit_tree({"data": {"a": "abc!"}})
    with pytest.raises(TypeProblem, match="illegal base64 data at input byte 4"):
        secret.admit_tree({"data": {"a": "abcde"}})


def test_free_objects_keep_what_is_in_them() -> None:
    tree = {"metadata": {"managedFields": [{"fieldsV1": {"f:spec": {".": {}, "f:x": None}}}]}}
    assert POD.admit(json.dumps(tree).encode()) == (tree, [])


def test_check_lists_every_type_problem() -> None:
    problems = DEPLOYMENT.check({"spec": {"replicas": "x", "paused": 1}})
    assert len(problems) == 2 and "DeploymentSpec.spec.replicas" in str(problems[0])
    assert DEPLOYMENT.check({"spec": {"replicas": 1}}) == []


def test_broken_text_is_mended_as_go_mends_it() -> None:
    assert POD.admit(b'{"metadata":{"name":"a\xffb"}}').tree == {"metadata": {"name": "a\ufffdb"}}
    assert POD.admit(b'{"metadata":{"name":"\\ud800"}}').tree == {"metadata": {"name": "\ufffd"}}
    assert POD.admit(b'{"metadata":{"name":"\\ud83d\\ude00"}}').tree == {"metadata": {"name": "\U0001f600"}}


def test_a_definition_that_contains_itself_is_checked_at_every_depth() -> None:
    crd = schema_of("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")
    inner: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "string", "nonsense": 1}}},
    }
    tree = {"spec": {"versions": [{"schema": {"openAPIV3Schema": inner}}]}}
    assert [message.rpartition(".")[2] for message in crd.admit_tree(tree).strict] in (['nonsense"'], [])


FULL_POD: dict[str, Any] = {
    "metadata": {
        "name": "a",
        "creationTimestamp": "2024-05-01T12:00:00.9Z",
        "ownerReferences": [{"uid": "u", "controller": True}],
    },
    "spec": {
        "containers": [
            {
                "name": "c",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": 1}}}],
                "resources": {"limits": {"cpu": "0.25", "memory": "128974848"}},
                "livenessProbe": {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 3},
                "readinessProbe": {"tcpSocket": {"port": 8080}},
            }
        ],
        "volumes": [
            {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3607}}]}}
        ],
        "overhead": {"memory": "1.5Ki"},
        "tolerations": [{"tolerationSeconds": 2**40}],
    },
}


def test_the_fast_and_the_slow_way_to_decode_agree() -> None:
    fast = POD.admit(json.dumps(FULL_POD).encode())
    slow = POD.admit(json.dumps({**FULL_POD, "surprise": 1}).encode())
    assert slow == (fast.tree, ['unknown field "surprise"'])
    assert POD.admit_tree(fast.tree) == fast


def test_a_structural_schema_decodes_by_the_same_code() -> None:
    spec = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "format": "int32"},
            "port": {"x-kubernetes-int-or-string": True},
            "open": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"known": {"type": "string"}},
            },
            "items": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["id"],
                "items": {"type": "object"},
            },
        },
    }
    metadata = {"$ref": definitions.REFERENCE_PREFIX + definitions.OBJECT_META}
    schema = Schema({"type": "object", "properties": {"metadata": metadata, "spec": spec}})
    tree = {
        "metadata": {"name": "a"},
        "spec": {"size": 1, "port": "http", "open": {"known": "x", "more": [1]}, "items": [{"id": 1}]},
    }
    assert schema.admit(json.dumps(tree).encode()) == (tree, [])
    assert schema.admit_tree({"spec": {"sise": 1}}).strict == ['unknown field "spec.sise"']
    assert schema.check({"spec": {"open": {"known": 1}}}) != []
    assert at(schema, "spec", "items").map_keys == ("id",)


def test_every_definition_makes_a_decoder() -> None:
    for name in definitions.names():
        schema_of(name).check({})


YAML = [
    ("spec: {replicas: 0x10, paused: yes}\n", {"spec": {"replicas": 16, "paused": True}}),
    ("metadata: {name: '3', labels: {a: \"true\"}}", {"metadata": {"name": "3", "labels": {"a": "true"}}}),
    ("metadata:\n  name: |\n    x\n  annotations: {a: ~}\n", {"metadata": {"name": "x\n", "annotations": {"a": ""}}}),
    ("metadata: {labels: &l {a: b}}\nspec: {selector: {matchLabels: {<<: *l, c: d}}}", {
        "metadata": {"labels": {"a": "b"}}, "spec": {"selector": {"matchLabels": {"a": "b", "c": "d"}}},
    }),
    ("metadata: {labels: {a: 22:22, b: 2001-01-01}}", {"metadata": {"labels": {"a": "22:22", "b": "2001-01-01"}}}),
    ("--- {spec: {replicas: 1}}\n--- {spec: {replicas: 2}}\n", {"spec": {"replicas": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "tree"), YAML)
def test_a_yaml_body_is_read_as_go_reads_it(body: str, tree: dict[str, Any]) -> None:
    assert DEPLOYMENT.admit(body.encode(), yaml=True) == (tree, [])


def test_a_repeated_yaml_key_is_named() -> None:
    admitted = DEPLOYMENT.admit(b"spec:\n  replicas: 1\n  replicas: 2\n", yaml=True)
    assert admitted.strict == ['yaml: unmarshal errors:\n  line 3: key "replicas" already set in map']


OMITTED = [
    ({"spec": {"hostNetwork": False, "nodeName": "", "priority": 0}}, {"spec": {"priority": 0}}),
    ({"metadata": {"labels": {}, "finalizers": [], "generation": 0}}, {"metadata": {}}),
    ({"spec": {"containers": [], "volumes": []}}, {"spec": {"containers": []}}),
    ({"spec": {"securityContext": {}, "automountServiceAccountToken": False}}, None),
    ({"spec": {"containers": [{"name": "", "resources": {}, "env": [{"name": "A", "value": ""}]}]}},
     {"spec": {"containers": [{"name": "", "resources": {}, "env": [{"name": "A"}]}]}}),
    ({"metadata": {"labels": {"a": ""}, "annotations": {"b": ""}}}, None),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "kept"), OMITTED)
@pytest.mark.parametrize("surprise", [{}, {"unknown": 1}], ids=["fast", "slow"])
def test_a_zero_that_go_cannot_tell_from_absent_is_absent(sent: Any, kept: Any, surprise: Any) -> None:
    wanted = sent if kept is None else kept
    assert POD.admit(json.dumps({**sent, **surprise}).encode()).tree == wanted
    assert POD.admit_tree({**sent, **surprise}).tree == wanted


def test_a_null_is_absent_also_where_a_zero_is() -> None:
    body = b'{"spec":{"nodeName":null,"volumes":null,"hostNetwork":null},"metadata":{"labels":null}}'
    assert POD.admit(body).tree == {"spec": {}, "metadata": {}}

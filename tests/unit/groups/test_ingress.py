"""Ingress and IngressClass."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.networking.ingress import RESOURCE as INGRESS
from sampan.api.groups.networking.ingressclass import RESOURCE as CLASS
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors, update_errors

META: Tree = {"metadata": {"name": "a", "namespace": "default"}}
SERVICE: Tree = {"service": {"name": "web", "port": {"number": 80}}}
PATH: Tree = {"path": "/", "pathType": "Prefix", "backend": SERVICE}
PLAIN: Tree = META | {"spec": {"rules": [{"host": "a.example.com", "http": {"paths": [PATH]}}]}}
CLASS_NOTE = "kubernetes.io/ingress.class"
HOST = "spec.rules[0].host"
AT = "spec.rules[0].http.paths[0]"
NO_IP = "must be a DNS name, not an IP address"
BACKEND = f"{AT}.backend"


def ingress(path: Tree | None = None, host: str = "", **spec: Any) -> Tree:
    rule = {"host": host, "http": {"paths": [PATH | (path or {})]}}
    return META | {"spec": {"rules": [rule]} | spec}


def test_an_ingress_gets_a_generation_and_no_status_of_its_own() -> None:
    tree = created(INGRESS, PLAIN | {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}})
    assert tree == PLAIN | {"metadata": META["metadata"] | {"generation": 1}, "status": {"loadBalancer": {}}}


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (PLAIN, []),
        (META | {"spec": {"defaultBackend": SERVICE}}, []),
        (
            META | {"spec": {}},
            [
                "Invalid spec: Invalid value: []networking.IngressRule(nil): "
                "either `defaultBackend` or `rules` must be specified"
            ],
        ),
        (ingress(host="*.example.com"), []),
        (ingress(host="10.0.0.1"), [f'Invalid {HOST}: Invalid value: "10.0.0.1": {NO_IP}']),
        (ingress({"pathType": None}), [f"Required {AT}.pathType: Required value: pathType must be specified"]),
        (
            ingress({"pathType": "Glob"}),
            [
                f'NotSupported {AT}.pathType: Unsupported value: "Glob": '
                'supported values: "Exact", "ImplementationSpecific", "Prefix"'
            ],
        ),
        (ingress({"path": "a"}), [f'Invalid {AT}.path: Invalid value: "a": must be an absolute path']),
        (ingress({"path": "", "pathType": "ImplementationSpecific"}), []),
        (
            ingress({"path": "/a//b/.."}),
            [
                f"Invalid {AT}.path: Invalid value: \"/a//b/..\": must not contain '//'",
                f"Invalid {AT}.path: Invalid value: \"/a//b/..\": cannot end with '/..'",
            ],
        ),
        (ingress({"path": "/%2f", "pathType": "ImplementationSpecific"}), []),
        (ingress({"backend": {}}), [f'Invalid {BACKEND}: Invalid value: "": resource or service backend is required']),
        (
            ingress({"backend": SERVICE | {"resource": {"kind": "Bucket", "name": "b"}}}),
            [f'Invalid {BACKEND}: Invalid value: "": cannot set both resource and service backends'],
        ),
        (
            ingress({"backend": {"resource": {"apiGroup": "s3.example.com", "kind": "Bu/cket"}}}),
            [
                f"Invalid {BACKEND}.resource.kind: Invalid value: \"Bu/cket\": may not contain '/'",
                f"Required {BACKEND}.resource.name: Required value: name is required",
            ],
        ),
        (
            ingress({"backend": {"service": {"port": {}}}}),
            [
                f"Required {BACKEND}.service.name: Required value",
                f"Required {BACKEND}: Required value: port name or number is required",
            ],
        ),
        (
            ingress({"backend": {"service": {"name": "web", "port": {"name": "http", "number": 80}}}}),
            [f'Invalid {BACKEND}: Invalid value: "": cannot set both port name & port number'],
        ),
        (
            ingress({"backend": {"service": {"name": "web", "port": {"number": 70000}}}}),
            [f"Invalid {BACKEND}.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive"],
        ),
        (META | {"spec": {"rules": [{"http": {}}]}}, ["Required spec.rules[0].http.paths: Required value"]),
        (
            merged(ingress(ingressClassName="b"), {"metadata": {"annotations": {CLASS_NOTE: "c"}}}),
            [f'Invalid annotations.{CLASS_NOTE}: Invalid value: "c": must match `ingressClassName` when both are specified'],
        ),
    ],
)
def test_ingress_rules(tree: Tree, expected: list[str]) -> None:
    tree = merged(tree, {})
    for rule in tree["spec"].get("rules", ()):
        for path in rule["http"].get("paths", ()):
            if path.get("pathType", "") is None:
                del path["pathType"]
    assert create_errors(INGRESS, tree) == expected


def test_an_ingress_names_hosts_and_secrets_in_their_syntax() -> None:
    tree = ingress(tls=[{"hosts": ["A", "*.b", "*"], "secretName": "S"}], ingressClassName="C")
    fields = [error.split(":")[0] for error in create_errors(INGRESS, tree)]
    assert fields == [
        "Invalid spec.tls[0].hosts[0]",
        "Invalid spec.tls[0].hosts[2]",
        "Invalid spec.tls[0].secretName",
        "Invalid spec.ingressClassName",
    ]


def test_what_was_wrong_with_a_stored_ingress_is_let_be() -> None:
    old = ingress({"path": "a"}, host="*.example.com", tls=[{"secretName": "S"}])
    assert update_errors(INGRESS, old, {"metadata": {"labels": {"a": "b"}}}) == []
    assert update_errors(INGRESS, PLAIN, {"spec": {"tls": [{"secretName": "S"}]}}) != []


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({"ip": "1.2.3.4", "hostname": "a.example.com"}, []),
        ({"ip": "x"}, ["ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]),
        ({"hostname": "1.2.3.4"}, [f'hostname: Invalid value: "1.2.3.4": {NO_IP}']),
    ],
)  # fmt: skip
def test_ingress_status_rules(point: Tree, expected: list[str]) -> None:
    errors = status_errors(INGRESS, PLAIN, {}, {"loadBalancer": {"ingress": [point]}})
    assert errors == [f"Invalid status.loadBalancer.ingress[0].{error}" for error in expected]


def test_an_old_annotation_is_warned_of() -> None:
    annotated = merged(PLAIN, {"metadata": {"annotations": {CLASS_NOTE: "c"}}})
    assert INGRESS.strategy.warn is not None
    assert INGRESS.strategy.warn(annotated, None) == [
        f"annotation \"{CLASS_NOTE}\" is deprecated, please use 'spec.ingressClassName' instead"
    ]
    assert INGRESS.strategy.warn(annotated, annotated) == []


@pytest.mark.parametrize(
    ("tree", "cells"),
    [
        (PLAIN, {"Class": "<none>", "Hosts": "a.example.com", "Address": "", "Ports": "80"}),
        (
            ingress(ingressClassName="nginx", tls=[{}])
            | {"status": {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "a"}]}}},
            {"Class": "nginx", "Hosts": "*", "Address": "2.2.2.2,a", "Ports": "80, 443"},
        ),
        (
            META | {"spec": {"rules": [{"host": name} for name in "abcde"]}},
            {"Class": "<none>", "Hosts": "a,b,c + 2 more...", "Address": "", "Ports": "80"},
        ),
    ],
)  # fmt: skip
def test_ingresses_in_a_table(tree: Tree, cells: dict[str, str]) -> None:
    assert row(INGRESS, tree) == {"Name": "a", **cells, "Age": "5m"}


NAMED: Tree = {"metadata": {"name": "a"}}
PARAMETERS = "spec.parameters"


def ingress_class(**parameters: Any) -> Tree:
    return NAMED | {"spec": {"controller": "example.com/c", "parameters": {"kind": "K", "name": "n"} | parameters}}


def test_the_parameters_of_a_class_are_the_clusters_unless_said_otherwise() -> None:
    assert created(CLASS, ingress_class())["spec"]["parameters"]["scope"] == "Cluster"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (ingress_class(), []),
        (ingress_class(scope="Namespace", namespace="b"), []),
        (NAMED, ["Required spec.controller: Required value"]),
        (
            NAMED | {"spec": {"controller": "c"}},
            ['Invalid spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")'],
        ),
        (
            NAMED | {"spec": {"controller": "a.b/" + "c" * 250}},
            ["TooLong spec.controller: Too long: may not be more than 250 bytes"],
        ),
        (
            ingress_class(scope="Galaxy"),
            [f'NotSupported {PARAMETERS}.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespace"'],
        ),
        (
            ingress_class(scope="Namespace"),
            [f"Required {PARAMETERS}.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
        ),
        (
            ingress_class(namespace="b"),
            [f"Forbidden {PARAMETERS}.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
        ),
    ],
)
def test_ingress_class_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(CLASS, tree) == expected


def test_the_controller_of_a_class_is_fixed() -> None:
    assert update_errors(CLASS, ingress_class(), {"spec": {"controller": "example.com/d"}}) == [
        'Invalid spec.controller: Invalid value: "example.com/d": field is immutable'
    ]


def test_ingress_classes_in_a_table() -> None:
    tree = ingress_class(apiGroup="example.com")
    assert row(CLASS, tree) == {"Name": "a", "Controller": "example.com/c", "Parameters": "K.example.com/n", "Age": "5m"}

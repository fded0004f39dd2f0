"""ConfigMap, Secret and ServiceAccount."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sampan.api.groups.core.configmap import RESOURCE as CONFIG_MAP
from sampan.api.groups.core.secret import RESOURCE as SECRET
from sampan.api.groups.core.serviceaccount import RESOURCE as SERVICE_ACCOUNT
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, defaulted, row, update_errors

META: Tree = {"metadata": {"name": "a", "namespace": "default"}}
KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
    "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
FROZEN = "field is immutable when `immutable` is set"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data": {"a.b": "c"}}, []),
        ({"data": {"a b": "c"}}, [f'Invalid data[a b]: Invalid value: "a b": {KEY_RULE}']),
        (
            {"data": {"a": "c"}, "binaryData": {"a": ""}},
            ['Invalid data[a]: Invalid value: "a": duplicate of key present in binaryData'],
        ),
        ({"data": {"a": "x" * (1024 * 1024 + 1)}}, ["TooLong []: Too long: may not be more than 1048576 bytes"]),
        ({"binaryData": {"a": encoded("x" * (1024 * 1024))}}, []),
        ({"binaryData": {"a": encoded("x" * (1024 * 1024 + 1))}}, ["TooLong []: Too long: may not be more than 1048576 bytes"]),
    ],
)
def test_config_map_rules(change: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(CONFIG_MAP, META | change) == expected


def test_an_immutable_config_map_stays_as_it_is() -> None:
    old = META | {"immutable": True, "data": {"a": "b"}}
    assert update_errors(CONFIG_MAP, old, {"metadata": {"labels": {"x": "y"}}}) == []
    assert update_errors(CONFIG_MAP, old, {"immutable": False, "data": {"a": "c"}, "binaryData": {"d": ""}}) == [
        f"Forbidden immutable: Forbidden: {FROZEN}",
        f"Forbidden data: Forbidden: {FROZEN}",
        f"Forbidden binaryData: Forbidden: {FROZEN}",
    ]
    assert update_errors(CONFIG_MAP, META | {"data": {"a": "b"}}, {"data": {"a": "c"}, "immutable": True}) == []


def test_config_maps_show_how_many_entries_they_have() -> None:
    tree = META | {"data": {"a": "b", "c": "d"}, "binaryData": {"e": ""}}
    assert row(CONFIG_MAP, tree) == {"Name": "a", "Data": 3, "Age": "5m"}


def test_a_secret_encodes_its_string_data_over_its_data() -> None:
    tree = defaulted(SECRET, META | {"stringData": {"a": "ü"}, "data": {"a": "eA==", "b": "eQ=="}})
    assert tree == META | {"type": "Opaque", "data": {"a": encoded("ü"), "b": "eQ=="}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"type": "my.io/own"}, []),
        ({"type": "kubernetes.io/tls"}, ["Required data[tls.crt]: Required value", "Required data[tls.key]: Required value"]),
        ({"type": "kubernetes.io/ssh-auth"}, ["Required data[ssh-privatekey]: Required value"]),
        (
            {"type": "kubernetes.io/basic-auth"},
            ["Required data[username]: Required value", "Required data[password]: Required value"],
        ),
        ({"type": "kubernetes.io/basic-auth", "stringData": {"username": "me"}}, []),
        (
            {"type": "kubernetes.io/service-account-token"},
            ["Required metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
        ({"type": "kubernetes.io/dockerconfigjson"}, ["Required data[.dockerconfigjson]: Required value"]),
        ({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{}"}}, []),
        ({"stringData": {"a": "x" * (1024 * 1024 + 1)}}, ["TooLong data: Too long: may not be more than 1048576 bytes"]),
    ],
)
def test_secret_rules(change: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(SECRET, META | change) == expected


def test_a_bad_docker_config_is_not_repeated_in_the_answer() -> None:
    tree = META | {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "secret"}}
    [error] = create_errors(SECRET, tree)
    assert error == (
        'Invalid data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": '
        "invalid character 's' looking for beginning of value"
    )


def test_the_type_of_a_secret_is_fixed() -> None:
    assert update_errors(SECRET, META, {"type": "my.io/own"}) == [
        'Invalid type: Invalid value: "my.io/own": field is immutable'
    ]


def test_secrets_are_found_by_type_and_shown_with_their_size() -> None:
    tree = META | {"type": "Opaque", "data": {"a": "b"}}
    assert row(SECRET, tree) == {"Name": "a", "Type": "Opaque", "Data": 1, "Age": "5m"}
    assert SECRET.selectable["type"](tree) == "Opaque"


def test_a_service_account_keeps_only_the_names_of_its_secrets() -> None:
    tree = created(SERVICE_ACCOUNT, META | {"secrets": [{"name": "s", "kind": "Secret", "uid": "x"}]})
    assert tree["secrets"] == [{"name": "s"}]
    assert row(SERVICE_ACCOUNT, tree) == {"Name": "a", "Secrets": 1, "Age": "5m"}

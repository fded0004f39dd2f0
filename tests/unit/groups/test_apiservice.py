"""APIService."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.apiregistration.apiservice import RESOURCE
from sampan.api.resource import Tree
from tests.unit.groups.kinds import CREATED, create_errors, created, row, status_errors


def api_service(name: str = "v1.example.com", **spec: Any) -> Tree:
    defaults = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}
    return {"metadata": {"name": name}, "spec": defaults | spec}


SERVICE: Tree = {"namespace": "default", "name": "web"}


def test_what_this_server_serves_itself_is_there_at_once() -> None:
    tree = api_service()
    tree["metadata"]["creationTimestamp"] = CREATED
    assert created(RESOURCE, tree)["status"]["conditions"] == [
        {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": CREATED,
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
    ]
    remote = created(RESOURCE, api_service(service=SERVICE) | {"status": {"conditions": []}})
    assert remote == api_service(service=SERVICE | {"port": 443})


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (api_service(), []),
        (api_service(service=SERVICE, caBundle="YQ=="), []),
        (api_service("v1.", group=""), []),
        (api_service("a"), [
            'Invalid metadata.name: Invalid value: "a": must be `spec.version+"."+spec.group`: "v1.example.com"',
        ]),
        (api_service("v2.", group="", version="v2"), [
            "Required spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
        ]),
        (api_service(groupPriorityMinimum=20001, versionPriority=0), [
            "Invalid spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
            "Invalid spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
        ]),
        (api_service(caBundle="YWI=", insecureSkipTLSVerify=True), [
            'Invalid spec.caBundle: Invalid value: "2 bytes": local APIServices may not have a caBundle',
            "Invalid spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
        ]),
        (api_service(service={"port": 0}), [
            "Required spec.service.namespace: Required value",
            "Required spec.service.name: Required value",
            "Invalid spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
        ]),
        (api_service(service=SERVICE, caBundle="YWI=", insecureSkipTLSVerify=True), [
            "Invalid spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
        ]),
    ],
)  # fmt: skip
def test_api_service_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(RESOURCE, tree) == expected


def test_a_condition_is_true_false_or_unknown() -> None:
    assert status_errors(RESOURCE, api_service(), {}, {"conditions": [{"type": "Available", "status": "Maybe"}]}) == [
        'NotSupported status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"'
    ]


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (None, "Unknown"),
        ({"status": "True", "reason": "Passed"}, "True"),
        ({"status": "False", "reason": "MissingEndpoints"}, "False (MissingEndpoints)"),
        ({"status": "False"}, "False"),
    ],
)
def test_api_services_in_a_table(condition: Tree | None, shown: str) -> None:
    conditions = [{"type": "Available"} | condition] if condition else []
    tree = api_service(service=SERVICE) | {"status": {"conditions": conditions}}
    assert row(RESOURCE, tree) == {"Name": "v1.example.com", "Service": "default/web", "Available": shown, "Age": "5m"}
    assert row(RESOURCE, api_service())["Service"] == "Local"

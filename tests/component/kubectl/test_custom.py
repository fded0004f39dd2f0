"""Custom resources as kubectl meets them: applied with their definition, listed, explained, waited for, scaled, deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.component.kubectl.conftest import Kubectl

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shirts.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: shirts, singular: shirt, kind: Shirt, shortNames: [sh], categories: [all, wardrobe]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: A shirt is worn.
        properties:
          spec:
            type: object
            description: What it looks like.
            required: [color]
            properties:
              color: {type: string, description: "Its color, by name."}
              size: {type: string, default: M}
              replicas: {type: integer, default: 1}
          status:
            type: object
            properties:
              replicas: {type: integer}
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    selectableFields: [{jsonPath: .spec.color}]
    additionalPrinterColumns:
    - {name: Color, type: string, jsonPath: .spec.color}
    - {name: Size, type: string, jsonPath: .spec.size, priority: 1}
"""
SHIRT = """
apiVersion: stable.example.com/v1
kind: Shirt
metadata: {name: NAME}
spec: {color: COLOR}
"""
NAME = "crd/shirts.stable.example.com"


def shirt(name: str, color: str) -> str:
    return SHIRT.replace("NAME", name).replace("COLOR", color)


@pytest.fixture
def shirts(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The three commands of every operator's README, one after the other."""
    created = kubectl.ok("apply", "-f", "-", input=DEFINITION)
    assert created == "customresourcedefinition.apiextensions.k8s.io/shirts.stable.example.com created\n"
    kubectl.ok("wait", "--for=condition=Established", NAME, "--timeout=20s")
    assert kubectl.ok("apply", "-f", "-", input=shirt("one", "blue")) == "shirt.stable.example.com/one created\n"
    yield kubectl
    kubectl.ok("delete", NAME, "--timeout=20s")


def test_custom_resources_are_found_by_short_name_category_and_field(shirts: Kubectl) -> None:
    shirts.ok("apply", "-f", "-", input=shirt("two", "green"))
    table = [line.split() for line in shirts.ok("get", "sh").splitlines()]
    assert table == [["NAME", "COLOR"], ["one", "blue"], ["two", "green"]]
    assert shirts.ok("get", "shirts", "-o", "wide").split()[:3] == ["NAME", "COLOR", "SIZE"]
    assert "shirt.stable.example.com/one" in shirts.ok("get", "all")
    assert shirts.ok("get", "wardrobe", "-o", "name").split() == [
        "shirt.stable.example.com/one",
        "shirt.stable.example.com/two",
    ]
    assert shirts.ok("get", "sh", "--field-selector", "spec.color=green", "-o", "name") == "shirt.stable.example.com/two\n"
    found = [line.split() for line in shirts.ok("api-resources", "--api-group=stable.example.com").splitlines()]
    assert found[1] == ["shirts", "sh", "stable.example.com/v1", "true", "Shirt"]


def test_custom_resources_are_explained(shirts: Kubectl) -> None:
    whole = shirts.ok("explain", "shirts", "--recursive")
    assert "A shirt is worn." in whole
    assert [word for word in ("apiVersion", "metadata", "color", "size", "replicas") if word in whole] == [
        "apiVersion", "metadata", "color", "size", "replicas",
    ]  # fmt: skip
    assert "Its color, by name." in shirts.ok("explain", "shirt.spec.color")


def test_custom_resources_are_changed_scaled_and_described(shirts: Kubectl) -> None:
    assert shirts.ok("apply", "-f", "-", input=shirt("one", "red")) == "shirt.stable.example.com/one configured\n"
    assert shirts.ok("scale", "sh/one", "--replicas=3") == "shirt.stable.example.com/one scaled\n"
    assert shirts.ok("patch", "sh", "one", "--type=merge", "-p", '{"spec":{"size":"L"}}').endswith("patched\n")
    shirts.ok("label", "sh/one", "a=b")
    tree = json.loads(shirts.ok("get", "sh", "one", "-o", "json"))
    assert tree["spec"] == {"color": "red", "size": "L", "replicas": 3}
    assert "Color:     red" in shirts.ok("describe", "sh", "one")
    assert "415" in shirts("patch", "sh", "one", "-p", '{"spec":{"size":"S"}}', "-v=8").err


def test_a_custom_resource_that_its_schema_forbids_is_refused(shirts: Kubectl) -> None:
    bad = shirt("bad", "blue").replace("color", "colour")
    assert 'unknown field "spec.colour"' in shirts.error("apply", "-f", "-", input=bad)
    assert "spec.color: Required value" in shirts.error("apply", "--validate=false", "-f", "-", input=bad)


def test_a_definition_that_goes_takes_its_objects_along(shirts: Kubectl) -> None:
    shirts.ok("delete", NAME, "--timeout=20s")
    complaint = shirts.error("get", "shirts.stable.example.com")
    assert complaint == 'error: the server doesn\'t have a resource type "shirts"'
    shirts.ok("apply", "-f", "-", input=DEFINITION)
    shirts.ok("wait", "--for=condition=Established", NAME, "--timeout=20s")
    assert shirts.ok("get", "shirts", "-o", "name") == ""

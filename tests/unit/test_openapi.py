"""OpenAPI documents: what clients look for in them, and the protobuf form read back by an independent decoder."""

from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from sampan.api.discovery import Catalogue
from sampan.api.openapi import OpenAPI
from sampan.api.resource import Resource, Scale
from sampan.api.scheme import Scheme

POD = Resource(group="", version="v1", kind="Pod", plural="pods", definition="io.k8s.api.core.v1.Pod", status=True)
DEPLOYMENT = Resource(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    definition="io.k8s.api.apps.v1.Deployment",
    scale=Scale(),
    status=True,
)
SUBRESOURCES = [("", "pods", "log"), ("", "pods", "exec"), ("", "pods", "eviction")]
REVIEW = ("authentication.k8s.io", "v1", "tokenreviews")


def openapi(scheme: Scheme | None = None) -> OpenAPI:
    return OpenAPI(Catalogue(scheme or Scheme([POD, DEPLOYMENT]), SUBRESOURCES, [REVIEW]))


@pytest.fixture(scope="module")
def v2() -> Any:
    return json.loads(openapi().v2_json())


@pytest.fixture(scope="module")
def v3() -> Any:
    document = openapi().v3("", "v1")
    assert document is not None
    return json.loads(document)


def references(tree: Any) -> set[str]:
    if isinstance(tree, dict):
        own = {tree["$ref"]} if isinstance(tree.get("$ref"), str) else set()
        return own.union(*(references(value) for value in tree.values()))
    return set().union(*(references(item) for item in tree)) if isinstance(tree, list) else set()


def test_every_reference_leads_somewhere(v2: Any, v3: Any) -> None:
    assert {r.removeprefix("#/definitions/") for r in references(v2)} <= v2["definitions"].keys()
    assert {r.removeprefix("#/components/schemas/") for r in references(v3)} <= v3["components"]["schemas"].keys()
    assert len(references(v3)) > 100


def test_no_type_is_nullable_any_more(v2: Any, v3: Any) -> None:
    assert '"null"' not in json.dumps(v2["definitions"])
    assert '"null"' not in json.dumps(v3["components"])


def test_the_index_leads_to_each_group_version_by_a_hash_that_follows_the_scheme() -> None:
    scheme = Scheme([POD, DEPLOYMENT])
    served = openapi(scheme)
    before = json.loads(served.v3_index())["paths"]
    assert list(before) == ["api/v1", "apis/apps/v1", "apis/authentication.k8s.io/v1"]
    assert before["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/apps/v1?hash=")
    scheme.add(
        Resource(
            group="apps", version="v1", kind="ReplicaSet", plural="replicasets", definition="io.k8s.api.apps.v1.ReplicaSet"
        )
    )
    after = json.loads(served.v3_index())["paths"]
    assert after["api/v1"] == before["api/v1"] and after["apis/apps/v1"] != before["apis/apps/v1"]
    assert served.v3("nonsense", "v1") is None


def test_a_path_says_the_kind_and_action_of_each_operation(v3: Any) -> None:
    pod = {"group": "", "kind": "Pod", "version": "v1"}
    one = v3["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]
    assert {method: one[method]["x-kubernetes-action"] for method in ("get", "put", "patch", "delete")} == {
        "get": "get", "put": "put", "patch": "patch", "delete": "delete"
    }  # fmt: skip
    assert one["get"]["operationId"] == "readCoreV1NamespacedPod" and one["get"]["x-kubernetes-group-version-kind"] == pod
    every = v3["paths"]["/api/v1/pods"]["get"]
    assert (every["operationId"], every["x-kubernetes-action"]) == ("listCoreV1PodForAllNamespaces", "list")
    collection = v3["paths"]["/api/v1/namespaces/{namespace}/pods"]
    assert collection["delete"]["operationId"] == "deleteCoreV1CollectionNamespacedPod"
    assert {p["name"] for p in collection["post"]["parameters"]} >= {"dryRun", "fieldValidation", "fieldManager"}


def test_subresources_have_paths_of_their_own_kinds(v2: Any) -> None:
    prefix = "/api/v1/namespaces/{namespace}/pods/{name}/"
    assert v2["paths"][prefix + "status"]["patch"]["operationId"] == "patchCoreV1NamespacedPodStatus"
    assert v2["paths"][prefix + "status"]["patch"]["consumes"][-1] == "application/apply-patch+yaml"
    eviction = v2["paths"][prefix + "eviction"]["post"]
    assert eviction["x-kubernetes-group-version-kind"] == {"group": "policy", "kind": "Eviction", "version": "v1"}
    assert v2["paths"][prefix + "exec"]["get"]["x-kubernetes-action"] == "connect"
    assert v2["paths"][prefix + "log"]["get"]["responses"]["200"]["schema"] == {"type": "string"}
    scale = v2["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["get"]
    assert scale["responses"]["200"]["schema"] == {"$ref": "#/definitions/io.k8s.api.autoscaling.v1.Scale"}


def test_a_virtual_resource_can_be_created(v2: Any) -> None:
    path = v2["paths"]["/apis/authentication.k8s.io/v1/tokenreviews"]
    assert set(path) == {"post", "parameters"}
    assert path["post"]["parameters"][0]["schema"] == {"$ref": "#/definitions/io.k8s.api.authentication.v1.TokenReview"}


def test_quantities_and_numbers_or_strings_are_written_as_each_dialect_can(v2: Any, v3: Any) -> None:
    quantity, either = "io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert v2["definitions"][quantity]["type"] == "string"
    assert (v2["definitions"][either]["type"], v2["definitions"][either]["format"]) == ("string", "int-or-string")
    assert v3["components"]["schemas"][either]["oneOf"] == [{"type": "integer"}, {"type": "string"}]


def test_definitions_keep_what_patches_and_explain_need(v2: Any, v3: Any) -> None:
    containers = v2["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name" and containers["type"] == "array"
    pod = v3["components"]["schemas"]["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    spec = pod["properties"]["spec"]
    assert spec["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}] and spec["default"] == {}
    assert "enum" not in pod["properties"]["kind"]


MESSAGES = """
Any: yaml=2
NamedAny: name=1 value=2:Any
Info: title=1 version=2
TypeItem: value=1*
ItemsItem: schema=1*:Schema
AdditionalPropertiesItem: schema=1:Schema
NamedSchema: name=1 value=2:Schema
Properties: additional_properties=1*:NamedSchema
Definitions: additional_properties=1*:NamedSchema
Schema: ref=1 format=2 description=4 default=5:Any unique_items=16:bool required=19* enum=20*:Any
Schema: additional_properties=21:AdditionalPropertiesItem type=22:TypeItem items=23:ItemsItem properties=25:Properties
Schema: vendor_extension=31*:NamedAny
BodyParameter: description=1 name=2 in=3 required=4:bool schema=5:Schema
QueryParameterSubSchema: required=1:bool in=2 description=3 name=4 type=6 unique_items=20:bool
PathParameterSubSchema: required=1:bool in=2 description=3 name=4 type=5 unique_items=19:bool
NonBodyParameter: query=3:QueryParameterSubSchema path=4:PathParameterSubSchema
Parameter: body_parameter=1:BodyParameter non_body_parameter=2:NonBodyParameter
ParametersItem: parameter=1:Parameter
SchemaItem: schema=1:Schema
Response: description=1 schema=2:SchemaItem
ResponseValue: response=1:Response
NamedResponseValue: name=1 value=2:ResponseValue
Responses: response_code=1*:NamedResponseValue
Operation: tags=1* description=3 operation_id=5 produces=6* consumes=7* parameters=8*:ParametersItem responses=9:Responses
Operation: schemes=10* vendor_extension=13*:NamedAny
PathItem: get=2:Operation put=3:Operation post=4:Operation delete=5:Operation patch=8:Operation parameters=9*:ParametersItem
NamedPathItem: name=1 value=2:PathItem
Paths: path=2*:NamedPathItem
ApiKeySecurity: type=1 name=2 in=3 description=4
SecurityDefinitionsItem: api_key_security=2:ApiKeySecurity
NamedSecurityDefinitionsItem: name=1 value=2:SecurityDefinitionsItem
SecurityDefinitions: additional_properties=1*:NamedSecurityDefinitionsItem
StringArray: value=1*
NamedStringArray: name=1 value=2:StringArray
SecurityRequirement: additional_properties=1*:NamedStringArray
Document: swagger=1 info=2:Info paths=8:Paths definitions=9:Definitions
Document: security=12*:SecurityRequirement security_definitions=13:SecurityDefinitions
"""
"""gnostic's messages as far as the documents use them: field=number, "*" for repeated, ":" before a type that is no string."""


def decoded(document: bytes) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="openapi.proto", package="openapi.v2", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    messages: dict[str, Any] = {}
    for line in MESSAGES.strip().splitlines():
        name, _, fields = line.partition(": ")
        message = messages.get(name) or messages.setdefault(name, file.message_type.add(name=name))
        for field, number, repeated, type_ in re.findall(r"(\w+)=(\d+)(\*?)(?::(\w+))?", fields):
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            kind = {"": kinds.TYPE_STRING, "bool": kinds.TYPE_BOOL}.get(type_, kinds.TYPE_MESSAGE)
            added = message.field.add(name=field, number=int(number), type=kind, label=label)
            if kind == kinds.TYPE_MESSAGE:
                added.type_name = f".openapi.v2.{type_}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("openapi.v2.Document")).FromString(document)


def test_the_protobuf_form_says_the_same_as_json(v2: Any) -> None:
    document = decoded(openapi().v2_protobuf())
    assert (document.swagger, document.info.title) == ("2.0", "Kubernetes")
    assert {named.name for named in document.definitions.additional_properties} == v2["definitions"].keys()
    assert {named.name for named in document.paths.path} == v2["paths"].keys()
    for named in document.definitions.additional_properties:
        expected = v2["definitions"][named.name]
        assert named.value.description == expected.get("description", "")
        assert list(named.value.required) == expected.get("required", [])
        for field in named.value.properties.additional_properties:
            place = expected["properties"][field.name]
            assert (field.value.ref, field.value.format) == (place.get("$ref", ""), place.get("format", ""))
            assert list(field.value.type.value) == ([place["type"]] if "type" in place else [])
            extensions = {e.name: json.loads(e.value.yaml) for e in field.value.vendor_extension}
            assert extensions == {key: value for key, value in place.items() if key.startswith("x-")}
            if "items" in place:
                assert field.value.items.schema[0].ref == place["items"].get("$ref", "")
            if "additionalProperties" in place:
                assert list(field.value.additional_properties.schema.type.value) or field.value.additional_properties.schema.ref


def test_the_protobuf_form_keeps_operations_and_no_unknown_bytes(v2: Any) -> None:
    document = decoded(openapi().v2_protobuf())
    size = document.ByteSize()
    document.DiscardUnknownFields()
    assert document.ByteSize() == size
    (pods,) = [named.value for named in document.paths.path if named.name == "/api/v1/namespaces/{namespace}/pods/{name}"]
    patch = pods.patch
    assert patch.operation_id == "patchCoreV1NamespacedPod"
    assert patch.parameters[0].parameter.body_parameter.name == "body" and patch.parameters[0].parameter.body_parameter.required
    queries = [item.parameter.non_body_parameter.query.name for item in patch.parameters[1:]]
    assert queries == ["dryRun", "fieldManager", "fieldValidation"]
    assert [item.parameter.non_body_parameter.path.name for item in pods.parameters[:2]] == ["name", "namespace"]
    extensions = {e.name: json.loads(e.value.yaml) for e in patch.vendor_extension}
    assert extensions["x-kubernetes-group-version-kind"] == {"group": "", "kind": "Pod", "version": "v1"}
    assert [r.name for r in patch.responses.response_code] == ["200", "201", "401"]
    assert patch.responses.response_code[0].value.response.schema.schema.ref == "#/definitions/io.k8s.api.core.v1.Pod"


def test_documents_of_what_is_gone_are_forgotten() -> None:
    scheme = Scheme([POD, DEPLOYMENT])
    documents = openapi(scheme)

    def come_and_go(number: int) -> int:
        guest = replace(DEPLOYMENT, group=f"g{number}.example.com")
        scheme.add(guest)
        document = documents.v3(guest.group, guest.version)
        assert document is not None
        scheme.remove(guest)
        documents.v3_index()
        return len(document)

    size = come_and_go(0)
    tracemalloc.start()
    try:
        for number in range(1, 6):
            come_and_go(number)
        assert tracemalloc.get_traced_memory()[0] < 2 * size
    finally:
        tracemalloc.stop()

"""CustomResourceDefinitions: defaults, what is wrong with one, and what an update may change."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.apiextensions.customresourcedefinition import RESOURCE
from tests.unit.crd.objects import Tree, created, definition, definition_errors, obj, update_errors, version

_LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
    "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
SERVICE = {"name": "hooks", "namespace": "default"}


def test_names_conversion_and_stored_versions_have_defaults() -> None:
    crd = created(definition(conversion={"strategy": "Webhook", "webhook": {"clientConfig": {"service": SERVICE}}}))
    assert crd["spec"]["names"] == {"plural": "foos", "kind": "Foo", "singular": "foo", "listKind": "FooList"}
    assert crd["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"] == 443
    assert crd["status"] == {"storedVersions": ["v1"]}
    assert crd["metadata"]["generation"] == 1
    assert created(definition())["spec"]["conversion"] == {"strategy": "None"}


MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({"scope": ""}, ["spec.scope: Required value"]),
    ({"scope": "x"}, ['spec.scope: Unsupported value: "x": supported values: "Cluster", "Namespaced"']),
    (
        {"names": {"plural": "foos", "kind": "Foo", "shortNames": ["F"]}},
        [f'spec.names.shortNames[0]: Invalid value: "F": {_LABEL}'],
    ),
    (
        {"names": {"plural": "foos", "kind": "F oo", "listKind": "L"}},
        [
            f'spec.names.singular: Invalid value: "f oo": {_LABEL}',
            f'spec.names.kind: Invalid value: "F oo": may have mixed case, but should otherwise match: {_LABEL}',
        ],
    ),
    (
        {"names": {"plural": "foos", "kind": "Foo", "listKind": "Foo"}},
        ['spec.names.listKind: Invalid value: "Foo": kind and listKind may not be the same'],
    ),
    (
        {"preserveUnknownFields": True},
        [
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to "
            "true in spec.versions[*].schema instead"
        ],
    ),
    (
        {"versions": [version(), version("v2", schema=obj(a={"type": "string"}), deprecationWarning="x")]},
        ['spec.versions[1].deprecationWarning: Invalid value: "x": can only be set for deprecated versions'],
    ),
    (
        {"versions": [{"name": "v1", "served": True, "storage": True}]},
        ["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"],
    ),
    (
        {"versions": [version(additionalPrinterColumns=[{"name": "x", "type": "text", "jsonPath": "spec"}])]},
        [
            'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
            'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec": must be a simple json path starting with .',
        ],
    ),
    (
        {"versions": [version(subresources={"scale": {"specReplicasPath": ".x", "statusReplicasPath": ".status.n"}})]},
        ['spec.subresources.scale.specReplicasPath: Invalid value: ".x": should be a json path under .spec'],
    ),
    (
        {"versions": [version(schema={"type": "object", "maxProperties": 3}, subresources={"status": {}})]},
        [
            "spec.validation.openAPIV3Schema: Invalid value: apiextensions.JSONSchemaProps{}: only [Description Type Format "
            "Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems "
            "MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed "
            "at the root of the schema if the status subresource is enabled"
        ],
    ),
    ({"versions": []},
     ["spec.versions: Invalid value: []apiextensions.CustomResourceDefinitionVersion{}: must have exactly one version marked "
      "as storage version",
      "status.storedVersions: Invalid value: []string{}: must have at least one stored version"]),
    ({"versions": [{"served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
     [f'spec.versions[0].name: Invalid value: "": {_LABEL}',
      "status.storedVersions: Invalid value: []string{}: must have at least one stored version"]),
    ({"conversion": {"strategy": "Magic"}},
     ['spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"']),
    ({"conversion": {"strategy": "Webhook"}},
     ["spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
      "spec.conversion.conversionReviewVersions: Required value"]),
    ({"conversion": {"strategy": "Webhook",
                     "webhook": {"clientConfig": {"service": SERVICE}, "conversionReviewVersions": ["v3", "v3"]}}},
     ['spec.conversion.conversionReviewVersions[1]: Invalid value: "v3": duplicate version',
      'spec.conversion.conversionReviewVersions: Invalid value: []string{"v3", "v3"}: '
      "must include at least one of v1, v1beta1"]),
    ({"conversion": {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}},
     ["spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook"]),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "mistakes"), MISTAKES)
def test_a_mistake_in_a_definition_is_named(spec: dict[str, Any], mistakes: list[str]) -> None:
    assert definition_errors(definition(**spec)) == mistakes


def test_a_definition_is_named_by_what_it_defines() -> None:
    crd = definition()
    crd["metadata"]["name"] = "other"
    assert definition_errors(crd) == ['metadata.name: Invalid value: "other": must be spec.names.plural+"."+spec.group']


@pytest.mark.parametrize(("meta", "fields"), [({}, []), ({"generateName": "x-"}, ["metadata.generateName"])])
def test_a_name_that_is_missing_is_not_wrong_as_well(meta: dict[str, str], fields: list[str]) -> None:
    assert [error.partition(":")[0] for error in definition_errors(definition() | {"metadata": meta})] == fields


def test_each_of_two_stored_versions_must_be_among_those_of_the_status() -> None:
    errors = definition_errors(definition(versions=[version("v1"), version("v2", storage=True)]))
    assert errors[-1:] == ['status.storedVersions: Invalid value: []string{"v1"}: must have the storage version v2']


def test_one_version_is_stored_and_no_name_stands_twice() -> None:
    versions = [version("v1", storage=False), version("v2"), version("v2")]
    messages = [error.rpartition("}: ")[2] for error in definition_errors(definition(versions=versions))]
    assert messages[:2] == ["must contain unique version names", "must have exactly one version marked as storage version"]


def test_groups_of_the_community_need_leave() -> None:
    crd = definition(group="apps.k8s.io")
    crd["metadata"]["name"] = "foos.apps.k8s.io"
    (missing,) = definition_errors(crd)
    assert missing.startswith("metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have")
    for annotation, is_good in (("https://example.com/1", True), ("unapproved, a test", True), ("please", False)):
        crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": annotation}
        assert (definition_errors(crd) == []) is is_good


SELECTABLE = obj(
    spec=obj(color={"type": "string"}, sizes={"type": "array", "items": {"type": "string"}}, n={"type": "integer"})
)
FIELDS: list[tuple[list[str], list[str]]] = [
    ([".spec.color", ".spec.n"], []),
    ([""], ["[0].jsonPath: Required value"]),
    ([".spec.shape"], ['[0].jsonPath: Invalid value: ".spec.shape": is an invalid path: does not refer to a valid field']),
    (["spec"], ['[0].jsonPath: Invalid value: "spec": is an invalid path: expected [ or . but got: spec']),
    ([".spec['color']"],
     ["[0].jsonPath: Invalid value: \".spec['color']\": is an invalid path: array notation is not allowed"]),
    ([".spec.sizes"],
     ['[0].jsonPath: Invalid value: ".spec.sizes": must point to a field of type string, boolean or integer. '
      "Enum string fields and strings with formats are allowed."]),
    ([".spec.n", ".spec.n"], ['[1].jsonPath: Duplicate value: ".spec.n"']),
]  # fmt: skip


@pytest.mark.parametrize(("paths", "mistakes"), FIELDS)
def test_selectable_fields_are_fields(paths: list[str], mistakes: list[str]) -> None:
    crd = definition(versions=[version(schema=SELECTABLE, selectableFields=[{"jsonPath": path} for path in paths])])
    assert definition_errors(crd) == [f"spec.selectableFields{mistake}" for mistake in mistakes]


def test_at_most_eight_fields_are_selectable() -> None:
    schema = obj(spec=obj(**{f"f{n}": {"type": "string"} for n in range(9)}))
    fields = [{"jsonPath": f".spec.f{n}"} for n in range(9)]
    crd = definition(versions=[version(schema=schema, selectableFields=fields)])
    assert definition_errors(crd) == ["spec.selectableFields: Too many: 9: must have at most 8 items"]


def test_group_and_plural_never_change_and_kind_and_scope_not_once_established() -> None:
    old = definition()
    new = definition(scope="Cluster", names={"plural": "foos", "kind": "Bar"})
    assert update_errors(new, old) == []
    assert update_errors(new, old, established=True) == [
        'spec.scope: Invalid value: "Cluster": field is immutable',
        'spec.names.kind: Invalid value: "Bar": field is immutable',
    ]
    assert update_errors(definition(group="b.example.com"), old) == [
        'spec.group: Invalid value: "b.example.com": field is immutable'
    ]


def test_a_version_that_was_stored_stays_until_its_objects_are_migrated() -> None:
    old = definition()
    new = definition(versions=[version("v2", storage=True)])
    (mistake,) = update_errors(new, old)
    assert mistake.startswith('status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a')


RATCHETED: list[Tree] = [
    obj(a={"type": "foo"}),
    obj(a={"type": "array", "items": obj(x={"type": "string"}), "x-kubernetes-list-type": "set"}),
    obj(a={**obj(x={"type": "string"}), "default": {"y": 1}}),
]


@pytest.mark.parametrize("schema", RATCHETED)
def test_an_update_may_keep_what_the_old_definition_got_away_with(schema: Tree) -> None:
    bad = definition(schema)
    assert definition_errors(bad) != []
    assert update_errors(bad, bad) == []
    assert update_errors(bad, definition()) != []


def test_a_changed_spec_is_a_new_generation_and_a_new_storage_version_is_remembered() -> None:
    old, new = created(definition()), created(definition(versions=[version(storage=False), version("v2", storage=True)]))
    new["status"] = {"storedVersions": ["forged"]}
    RESOURCE.strategy.prepare_update(new, old)
    assert new["metadata"]["generation"] == 2
    assert new["status"]["storedVersions"] == ["v1", "v2"]
    assert old["status"]["storedVersions"] == ["v1"]


def test_what_is_new_does_with_the_functions_of_the_version_before() -> None:
    def versioned(rule: str, **more: str) -> Tree:
        text = {"type": "string", "x-kubernetes-validations": [{"rule": rule, **more}]}
        return definition(obj(spec=obj(text=text)))

    new = versioned("isSemver(self)")
    (error,) = definition_errors(new)
    assert "undeclared reference to 'isSemver' (in container '')" in error
    assert update_errors(new, versioned("self != ''")) == [error]
    # A server of a later version let it in, and it stands where the definition moves it.
    assert update_errors(versioned("isSemver(self)", message="no version"), created(new)) == []
    (error,) = update_errors(versioned("isSemver(self)", messageExpression="string(isSemver(self))"), created(new))
    assert "messageExpression compilation failed" in error

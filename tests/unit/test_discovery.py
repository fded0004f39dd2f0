"""Discovery documents of a small scheme, compared with what upstream's server says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.api.discovery import Catalogue, Discovery, aggregated_version, storage_version_hash
from sampan.api.resource import Resource, Scale
from sampan.api.scheme import Scheme

POD = Resource(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    definition="io.k8s.api.core.v1.Pod",
    short=("po",),
    categories=("all",),
    status=True,
)
DEPLOYMENT = Resource(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    definition="io.k8s.api.apps.v1.Deployment",
    scale=Scale(),
    status=True,
)
NODE = Resource(group="", version="v1", kind="Node", plural="nodes", definition="io.k8s.api.core.v1.Node", namespaced=False)


def discovery(scheme: Scheme | None = None) -> Discovery:
    subresources = [("", "pods", "log"), ("", "pods", "eviction"), ("", "pods", "exec")]
    virtual = [("authentication.k8s.io", "v1", "tokenreviews")]
    return Discovery(Catalogue(scheme or Scheme([DEPLOYMENT, POD, NODE]), subresources, virtual))


def read(document: bytes | None) -> Any:
    assert document is not None
    return json.loads(document)


def test_the_core_group_lists_its_versions() -> None:
    assert read(discovery().api_versions("10.0.0.1:6443")) == {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}],
    }


def test_groups_are_listed_with_their_preferred_version_and_those_of_virtual_resources() -> None:
    groups = read(discovery().api_group_list())["groups"]
    assert [group["name"] for group in groups] == ["apps", "authentication.k8s.io"]
    version = {"groupVersion": "apps/v1", "version": "v1"}
    assert groups[0] == {"name": "apps", "versions": [version], "preferredVersion": version}
    assert read(discovery().api_group("apps"))["kind"] == "APIGroup"
    assert discovery().api_group("nonsense") is None


def test_a_resource_list_names_subresources_with_their_kinds() -> None:
    resources = {r["name"]: r for r in read(discovery().api_resource_list("", "v1"))["resources"]}
    assert list(resources) == ["nodes", "pods", "pods/eviction", "pods/exec", "pods/log", "pods/status"]
    assert resources["pods"] == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    eviction = resources["pods/eviction"]
    assert (eviction["group"], eviction["version"], eviction["kind"], eviction["verbs"]) == (
        "policy",
        "v1",
        "Eviction",
        ["create"],
    )
    assert discovery().api_resource_list("apps", "v2") is None


def test_a_virtual_resource_can_only_be_created_and_has_no_storage() -> None:
    (review,) = read(discovery().api_resource_list("authentication.k8s.io", "v1"))["resources"]
    assert review == {
        "name": "tokenreviews", "singularName": "tokenreview", "namespaced": False, "kind": "TokenReview", "verbs": ["create"]
    }  # fmt: skip


def test_aggregated_discovery_says_all_at_once() -> None:
    document = read(discovery().aggregated(core=False))
    assert (document["kind"], document["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    apps = document["items"][0]
    assert apps["metadata"]["name"] == "apps"
    (version,) = apps["versions"]
    assert (version["version"], version["freshness"]) == ("v1", "Current")
    (deployments,) = version["resources"]
    assert (deployments["resource"], deployments["scope"], deployments["singularResource"]) == (
        "deployments",
        "Namespaced",
        "deployment",
    )
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert deployments["subresources"][0] == {
        "subresource": "scale",
        "responseKind": scale,
        "verbs": ["get", "patch", "update"],
    }
    core = read(discovery().aggregated(core=True, version="v2beta1"))
    assert core["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    assert [r["resource"] for r in core["items"][0]["versions"][0]["resources"]] == ["nodes", "pods"]


def test_documents_follow_the_scheme() -> None:
    scheme = Scheme([POD])
    served = discovery(scheme)
    assert served.api_resource_list("apps", "v1") is None
    scheme.add(DEPLOYMENT)
    assert served.api_resource_list("apps", "v1") is not None
    before = served.api_group_list()
    scheme.remove(DEPLOYMENT)
    assert served.api_group_list() != before


def test_storage_hashes_are_upstreams() -> None:
    assert storage_version_hash("", "v1", "ConfigMap") == "qFsyl6wFWjQ="
    assert storage_version_hash("", "v1", "Event") == "r2yiGXH7wu8="


ACCEPTS = [
    ("", ""),
    ("application/json", ""),
    ("*/*", ""),
    ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", "v2"),
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
        "v2",
    ),
    ("application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io, application/json", "v2beta1"),
    ("application/json, application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", ""),
    ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", ""),
    ("application/vnd.kubernetes.protobuf,application/json", ""),
]


@pytest.mark.parametrize(("accept", "version"), ACCEPTS)
def test_clients_say_which_form_they_want(accept: str, version: str) -> None:
    assert aggregated_version(accept) == version

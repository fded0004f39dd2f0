"""The scheme: kinds are found by file, by plural and by kind, in discovery order."""

from __future__ import annotations

from sampan.api.resource import Resource
from sampan.api.scheme import Scheme, builtin, version_order


def kind(group: str, version: str, kind: str) -> Resource:
    return Resource(group=group, version=version, kind=kind, plural=kind.lower() + "s", definition="")


def test_groups_come_in_upstreams_order_and_preferred_versions_first() -> None:
    scheme = Scheme(
        [
            kind("example.com", "v1", "Thing"),
            kind("batch", "v1", "Job"),
            kind("autoscaling", "v1", "HorizontalPodAutoscaler"),
            kind("autoscaling", "v2", "HorizontalPodAutoscaler"),
            kind("apps", "v1", "Deployment"),
            kind("", "v1", "Pod"),
            kind("acme.io", "v1beta1", "Thing"),
        ]
    )
    assert scheme.groups() == ["", "apps", "autoscaling", "batch", "acme.io", "example.com"]
    assert scheme.versions("autoscaling") == ["v2", "v1"]
    assert [resource.kind for resource in scheme][:2] == ["Pod", "Deployment"]


def test_versions_sort_as_upstreams_kube_aware_order() -> None:
    shuffled = ["v1alpha1", "foo1", "v2", "v1beta2", "v10", "v1", "v1beta10", "v11alpha2"]
    assert sorted(shuffled, key=version_order) == ["v10", "v2", "v1", "v1beta10", "v1beta2", "v11alpha2", "v1alpha1", "foo1"]


def test_a_resource_comes_and_goes() -> None:
    scheme = Scheme()
    thing = kind("example.com", "v1", "Thing")
    before = scheme.generation
    scheme.add(thing)
    assert scheme.resource("example.com", "v1", "things") is thing
    assert scheme.for_kind("example.com", "v1", "Thing") is thing
    scheme.remove(thing)
    assert scheme.resource("example.com", "v1", "things") is None and len(scheme) == 0 and scheme.groups() == []
    assert scheme.generation == before + 2


def test_the_builtin_kinds_are_found_by_their_files() -> None:
    scheme = builtin()
    namespace = scheme.resource("", "v1", "namespaces")
    assert namespace is not None and namespace.kind == "Namespace" and not namespace.namespaced

"""What a method and a path ask for, by table; after upstream's own cases."""

from __future__ import annotations

import pytest

from sampan.api.errors import StatusError
from sampan.apiserver.requestinfo import resolve

# method, path, query → verb, group, version, namespace, resource, subresource, name
CASES = [
    ("GET", "/api/v1/namespaces", "", ("list", "", "v1", "", "namespaces", "", "")),
    ("GET", "/api/v1/namespaces/other", "", ("get", "", "v1", "other", "namespaces", "", "other")),
    ("GET", "/api/v1/namespaces/other/pods", "", ("list", "", "v1", "other", "pods", "", "")),
    ("GET", "/api/v1/namespaces/other/pods/foo", "", ("get", "", "v1", "other", "pods", "", "foo")),
    ("HEAD", "/api/v1/namespaces/other/pods/foo", "", ("get", "", "v1", "other", "pods", "", "foo")),
    ("GET", "/api/v1/pods", "", ("list", "", "v1", "", "pods", "", "")),
    ("GET", "/api/v1/pods", "watch=true", ("watch", "", "v1", "", "pods", "", "")),
    ("GET", "/api/v1/pods", "watch=false", ("list", "", "v1", "", "pods", "", "")),
    ("GET", "/api/v1/pods", "watch=0", ("list", "", "v1", "", "pods", "", "")),
    ("GET", "/api/v1/namespaces/other/pods/foo", "watch=true", ("get", "", "v1", "other", "pods", "", "foo")),
    ("GET", "/api/v1/watch/pods", "", ("watch", "", "v1", "", "pods", "", "")),
    ("GET", "/api/v1/watch/namespaces/other/pods/foo", "", ("watch", "", "v1", "other", "pods", "", "foo")),
    ("POST", "/api/v1/namespaces/other/pods", "", ("create", "", "v1", "other", "pods", "", "")),
    ("PUT", "/api/v1/namespaces/other/pods/foo", "", ("update", "", "v1", "other", "pods", "", "foo")),
    ("PATCH", "/api/v1/namespaces/other/pods/foo", "", ("patch", "", "v1", "other", "pods", "", "foo")),
    ("DELETE", "/api/v1/namespaces/other/pods/foo", "", ("delete", "", "v1", "other", "pods", "", "foo")),
    ("DELETE", "/api/v1/namespaces/other/pods", "", ("deletecollection", "", "v1", "other", "pods", "", "")),
    ("GET", "/api/v1/namespaces/other/pods/foo/log", "", ("get", "", "v1", "other", "pods", "log", "foo")),
    ("PUT", "/api/v1/namespaces/other/finalize", "", ("update", "", "v1", "other", "namespaces", "finalize", "other")),
    ("PUT", "/api/v1/namespaces/other/status", "", ("update", "", "v1", "other", "namespaces", "status", "other")),
    ("GET", "/apis/apps/v1/namespaces/x/deployments/d/scale", "", ("get", "apps", "v1", "x", "deployments", "scale", "d")),
    ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/c", "",
     ("get", "rbac.authorization.k8s.io", "v1", "", "clusterroles", "", "c")),
    ("GET", "/api/v1/pods", "fieldSelector=metadata.name%3Dfoo", ("list", "", "v1", "", "pods", "", "foo")),
    ("GET", "/api/v1/pods", "fieldSelector=metadata.name!=foo", ("list", "", "v1", "", "pods", "", "")),
    # Of a parameter that comes twice the first counts, as it does for the handler: two readings would be a way around RBAC.
    ("GET", "/api/v1/secrets", "fieldSelector=&fieldSelector=metadata.name%3Dfoo",
     ("list", "", "v1", "", "secrets", "", "")),
    ("GET", "/api/v1/pods", "watch=0&watch=1", ("list", "", "v1", "", "pods", "", "")),
    ("GET", "/api/v1/pods", "fieldSelector=metadata.name!%3Da%5C,metadata.name%3Dfoo", ("list", "", "v1", "", "pods", "", "")),
    ("GET", "/api/v1/pods", "fieldSelector=spec.nodeName%3Dn,metadata.name%3D%3Dfoo",
     ("list", "", "v1", "", "pods", "", "foo")),
    ("DELETE", "/api/v1/pods", "fieldSelector=metadata.name%3Dfoo", ("deletecollection", "", "v1", "", "pods", "", "")),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query", "wanted"), CASES)
def test_a_resource_request_is_taken_apart(method: str, path: str, query: str, wanted: tuple[str, ...]) -> None:
    info = resolve(method, path, query)
    assert info.is_resource
    found = (info.verb, info.group, info.version, info.namespace, info.resource, info.subresource, info.name)
    assert found == wanted


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz/ping", "/openapi/v3/api/v1"]
)
def test_other_paths_are_themselves(path: str) -> None:
    info = resolve("GET", path, "")
    assert (info.is_resource, info.verb, info.path) == (False, "get", path)


def test_a_special_verb_needs_a_resource() -> None:
    with pytest.raises(StatusError, match="unable to determine kind and namespace from url"):
        resolve("GET", "/api/v1/watch", "")

"""Which flow a request belongs to, by the schemas that every cluster has."""

from __future__ import annotations

import pytest

from sampan.apiserver.fairness.defaults import MANDATORY_SCHEMAS, SUGGESTED_SCHEMAS
from sampan.apiserver.fairness.matching import Classifier, Schema
from sampan.apiserver.requestinfo import resolve
from sampan.apiserver.user import User

_AUTHENTICATED = "system:authenticated"
ADMIN = User("kubernetes-admin", groups=("system:masters", _AUTHENTICATED))
ALICE = User("alice", groups=(_AUTHENTICATED,))
NOBODY = User("system:anonymous", groups=("system:unauthenticated",))
NODE = User("system:node:n1", groups=("system:nodes", _AUTHENTICATED))
MANAGER = User("system:kube-controller-manager", groups=(_AUTHENTICATED,))
SCHEDULER = User("system:kube-scheduler", groups=(_AUTHENTICATED,))


def _account(namespace: str, name: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", _AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups=groups)


_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x"
_ENDPOINTS = "/api/v1/namespaces/a/endpoints/b"
_PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(Schema(tree) for tree in (*SUGGESTED_SCHEMAS, *MANDATORY_SCHEMAS))


@pytest.mark.parametrize(
    ("user", "method", "path", "schema", "level"),
    [
        (ADMIN, "GET", _PODS, "exempt", "exempt"),
        (NOBODY, "GET", "/readyz", "probes", "exempt"),
        (NOBODY, "GET", "/readyz/etcd", "probes", "exempt"),
        (NOBODY, "GET", "/version", "global-default", "global-default"),
        (SCHEDULER, "PUT", _LEASE, "system-leader-election", "leader-election"),
        (SCHEDULER, "DELETE", _LEASE, "kube-scheduler", "workload-high"),
        (MANAGER, "PUT", _ENDPOINTS, "endpoint-controller", "workload-high"),
        (MANAGER, "GET", _PODS, "kube-controller-manager", "workload-high"),
        (NODE, "PATCH", "/api/v1/nodes/n1/status", "system-node-high", "node-high"),
        (NODE, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1", "system-node-high", "node-high"),
        (NODE, "GET", _PODS, "system-nodes", "system"),
        (_account("kube-system", "endpoint-controller"), "PUT", _ENDPOINTS,
         "endpoint-controller", "workload-high"),
        (_account("kube-system", "x"), "PUT", _ENDPOINTS, "workload-leader-election", "leader-election"),
        (_account("kube-system", "x"), "GET", "/api/v1/nodes", "kube-system-service-accounts", "workload-high"),
        (_account("default", "x"), "GET", _PODS, "service-accounts", "workload-low"),
        (ALICE, "GET", _PODS, "global-default", "global-default"),
    ],
)  # fmt: skip
def test_upstreams_schemas_sort_requests_as_they_do_there(
    classifier: Classifier, user: User, method: str, path: str, schema: str, level: str
) -> None:
    flow = classifier.flow_of(user, resolve(method, path, ""))
    assert (flow.schema, flow.level) == (schema, level)


def _flows(by: str, *asked: tuple[str, str]) -> int:
    spec = {
        "priorityLevelConfiguration": {"name": "l"},
        "distinguisherMethod": {"type": by},
        "rules": [
            {
                "subjects": [{"kind": "User", "user": {"name": "*"}}],
                "resourceRules": [
                    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
                ],
            }
        ],
    }
    classifier = Classifier([Schema({"metadata": {"name": "s"}, "spec": spec})])
    infos = [(User(name), resolve("GET", f"/api/v1/namespaces/{namespace}/pods", "")) for name, namespace in asked]
    return len({classifier.flow_of(user, info).entropy for user, info in infos})


def test_requests_share_a_flow_by_what_the_schema_tells_apart() -> None:
    asked = (("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x"))
    assert _flows("ByUser", *asked) == 3
    assert _flows("ByNamespace", *asked) == 2
    assert _flows("", *asked) == 1


def test_the_lowest_precedence_wins_and_among_equals_the_first_name(classifier: Classifier) -> None:
    spec = {**MANDATORY_SCHEMAS[1]["spec"], "matchingPrecedence": 7}
    schemas = [Schema({"metadata": {"name": name}, "spec": spec}) for name in ("b", "a")]
    schemas.append(Schema({"metadata": {"name": "c"}, "spec": {**spec, "matchingPrecedence": 6}}))
    pods = resolve("GET", _PODS, "")
    assert Classifier(schemas[:2]).flow_of(ALICE, pods).schema == "a"
    assert Classifier(schemas).flow_of(ALICE, pods).schema == "c"


def test_where_no_schema_matches_a_lookup_error_says_so() -> None:
    with pytest.raises(LookupError):
        Classifier([]).flow_of(ALICE, resolve("GET", _PODS, ""))

"""A webhook as clusters run them: a Service, its pod on a node that the API server reaches through the kubelet only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.component.admission import configure, create, entry, respond
from tests.component.conftest import Api
from tests.component.streaming import Cluster, on_node
from tests.component.webhooks import bundle, webhook

Tree = dict[str, Any]
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
LABELS = [{"op": "add", "path": "/metadata/labels", "value": {"by": "pod"}}]


async def _serve(cluster: Cluster, port: int) -> None:
    """A Service `hooks`, whose pod listens on 8443, which is a port of this machine's loopback."""
    cluster.node.streaming.ports = {8443: ("127.0.0.1", port)}
    await cluster.add_pod("main")
    ports = [{"name": "https", "port": 443, "targetPort": 8443}]
    made = await cluster.served.create("services", {"metadata": {"name": "hooks"}, "spec": {"ports": ports}})
    assert made.status == 201, made.body
    tree = {
        "metadata": {"name": "hooks-1", "labels": {"kubernetes.io/service-name": "hooks"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.7"], "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"}}],
        "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}],
    }
    assert (await cluster.served.request("POST", SLICES, tree)).status == 201


def test_a_webhook_in_a_pod_admits(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        async with webhook(lambda review: respond(review, patch=LABELS), dns_names=("hooks.default.svc",)) as hook:
            await _serve(cluster, hook.port)
            service = {"namespace": "default", "name": "hooks", "path": "/mutate"}
            own = entry(hook) | {"clientConfig": {"service": service, "caBundle": bundle(hook.ca)}}
            await configure(cluster.served, "mutating", "m", own)
            for name in ("a", "b"):
                made = await create(cluster.served, name)
                assert (made.status, made.tree["metadata"]["labels"]) == (201, {"by": "pod"})
            assert {request.headers["host"] for request in hook.requests} == {"hooks.default.svc:443"}
            assert len({id(request.peer) for request in hook.requests}) == 1, "the connection is kept"

    on_node(api, tmp_path, scenario)


def test_a_pod_that_is_gone_fails_what_it_should_admit(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        async with webhook(lambda review: respond(review), dns_names=("hooks.default.svc",)) as hook:
            await _serve(cluster, hook.port)
            service = {"namespace": "default", "name": "hooks"}
            own = entry(hook) | {"clientConfig": {"service": service, "caBundle": bundle(hook.ca)}}
            await configure(cluster.served, "validating", "v", own)
            assert (await cluster.served.delete(f"{SLICES}/hooks-1")).status == 200
            answer = await create(cluster.served, "a")
            assert answer.message == (
                'Internal error occurred: failed calling webhook "h.example.com": failed to call webhook: '
                'Post "https://hooks.default.svc:443/?timeout=10s": no endpoints available for service "hooks"'
            )

    on_node(api, tmp_path, scenario)

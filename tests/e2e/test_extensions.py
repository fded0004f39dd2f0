"""What extends the API: definitions, webhooks and an aggregated API whose programs run in pods. All outlive the server."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.extension import GROUP_VERSION, NAME, Extension
from tests.e2e.local import TODAYS_KUBECTL, LocalCluster, eventually
from tests.e2e.space import Manifest, Space

CONFIG_MAPS = {"operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
DEFINITION = "crd/links.e2e.example.com"
NUMBER: Manifest = {"type": "integer"}
TEXT: Manifest = {"type": "string"}


def definition(conversion: Manifest) -> Manifest:
    """Links: `spec.host` is "name:port" in v1, `spec.name` and `spec.port` in v2, which is stored."""
    rules = [
        {"rule": "self.replicas <= self.most", "messageExpression": "'at most %d replicas'.format([self.most])"},
        {"rule": "self.name == oldSelf.name", "message": "name is immutable"},
    ]
    old = {"host": TEXT, "replicas": NUMBER, "most": NUMBER}
    new = {"name": TEXT, "port": NUMBER, "replicas": {**NUMBER, "default": 1}, "most": {**NUMBER, "default": 5}}
    spec = {"type": "object", "required": ["name"], "properties": new, "x-kubernetes-validations": rules}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    columns = [
        {"name": "Host", "type": "string", "jsonPath": ".spec.name"},
        {"name": "Port", "type": "integer", "jsonPath": ".spec.port"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    versions = [
        {"name": "v1", "served": True, "storage": False, "schema": schema({"type": "object", "properties": old})},
        {
            "name": "v2",
            "served": True,
            "storage": True,
            "schema": schema(spec),
            "subresources": {"status": {}, "scale": scale},
            "additionalPrinterColumns": columns,
        },
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": DEFINITION.partition("/")[2]},
        "spec": {
            "group": "e2e.example.com",
            "scope": "Namespaced",
            "names": {"plural": "links", "singular": "link", "kind": "Link", "shortNames": ["ln"]},
            "versions": versions,
            "conversion": conversion,
        },
    }


def schema(spec: Manifest) -> Manifest:
    status = {"type": "object", "properties": {"replicas": NUMBER}}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}}


def link(name: str, version: str = "v2", /, **spec: Any) -> Manifest:
    return {"apiVersion": f"e2e.example.com/{version}", "kind": "Link", "metadata": {"name": name}, "spec": spec}


def tried(space: Space, manifest: Manifest, *options: str) -> str:
    """What `kubectl apply` says, in either way."""
    done = space.kubectl("apply", "-f", "-", *options, input_text=json.dumps(manifest), check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def extension(space: Space) -> Iterator[Extension]:
    """Its pods run; webhooks and APIs are the tests' to install, and gone after them."""
    made = Extension(space)
    made.start()
    yield made
    kinds = "crd,apiservices,validatingwebhookconfigurations,mutatingwebhookconfigurations,flowschemas"
    space.kubectl("delete", kinds, "--selector=e2e=extensions", "--wait=false")


def install(space: Space, *objects: Manifest) -> None:
    for each in objects:
        each["metadata"]["labels"] = {"e2e": "extensions"}
    space.apply(*objects)


@pytest.fixture(scope="module")
def links(space: Space, extension: Extension) -> Space:
    """The three commands of every operator's README, one right after the other."""
    webhook = {"conversionReviewVersions": ["v1"], "clientConfig": extension.client_config("/convert")}
    install(space, definition({"strategy": "Webhook", "webhook": webhook}))
    space.kubectl("wait", "--for=condition=Established", DEFINITION, "--timeout=20s")
    assert tried(space, link("first", name="db", port=5432)) == "link.e2e.example.com/first created\n"
    return space


@pytest.fixture(scope="module")
def hooks(space: Space, extension: Extension) -> Space:
    install(
        space,
        extension.webhook("ValidatingWebhookConfiguration", "validate", CONFIG_MAPS),
        extension.webhook("MutatingWebhookConfiguration", "mutate", CONFIG_MAPS),
    )
    eventually(lambda: "no red here" in colored(space, "red"), "the webhooks are asked")
    return space


@pytest.fixture(scope="module")
def rates(space: Space, extension: Extension) -> Space:
    install(space, extension.api_service())
    space.kubectl("wait", "--for=condition=Available", "--timeout=20s", "apiservice/v1beta1.metrics.example.com")
    return space


def colored(space: Space, color: str) -> str:
    """What is said of a ConfigMap of that color."""
    done = space.kubectl("create", "configmap", color, f"--from-literal=color={color}", check=False)
    return done.stdout + done.stderr


def test_custom_objects_are_shown_with_the_columns_of_their_definition(links: Space) -> None:
    header, row = links.out("get", "ln").splitlines()
    assert header.split() == ["NAME", "HOST", "PORT", "AGE"] and row.split()[:3] == ["first", "db", "5432"]


def test_rules_of_a_definition_refuse_in_their_own_words(links: Space) -> None:
    refused = tried(links, link("many", name="db", replicas=9))
    assert refused == 'The Link "many" is invalid: spec: Invalid value: "object": at most 5 replicas\n'
    renamed = tried(links, link("first", name="other", port=5432))
    assert renamed == 'The Link "first" is invalid: spec: Invalid value: "object": name is immutable\n'


def test_custom_objects_are_scaled(links: Space) -> None:
    assert links.out("scale", "ln/first", "--replicas=3") == "link.e2e.example.com/first scaled\n"
    assert links.get("ln", "first")["spec"]["replicas"] == 3
    assert "at most 5 replicas" in links.kubectl("scale", "ln/first", "--replicas=9", check=False).stderr


def test_a_webhook_in_a_pod_converts_between_versions(links: Space) -> None:
    assert tried(links, link("old", "v1", host="cache:11211")) == "link.e2e.example.com/old created\n"
    assert links.get("links.v2.e2e.example.com", "old")["spec"] == {"name": "cache", "port": 11211, "replicas": 1, "most": 5}
    shown = {item["metadata"]["name"]: item["spec"]["host"] for item in links.get("links.v1.e2e.example.com")["items"]}
    assert shown == {"first": "db:5432", "old": "cache:11211"}


@TODAYS_KUBECTL
def test_appliers_learn_whose_fields_they_would_take(links: Space) -> None:
    mine = link("shared", name="db", port=1)
    assert tried(links, mine, "--server-side", "--field-manager=one") == "link.e2e.example.com/shared serverside-applied\n"
    conflict = tried(links, link("shared", name="db", port=2), "--server-side", "--field-manager=two")
    assert conflict.startswith('error: Apply failed with 1 conflict: conflict with "one": .spec.port\n')
    forced = tried(links, link("shared", name="db", port=2), "--server-side", "--field-manager=two", "--force-conflicts")
    assert forced == "link.e2e.example.com/shared serverside-applied\n"
    managers = {
        entry["manager"]: entry["fieldsV1"]
        for entry in links.get("ln", "shared", "--show-managed-fields")["metadata"]["managedFields"]
    }
    assert "f:port" not in managers["one"]["f:spec"] and "f:port" in managers["two"]["f:spec"]


def test_a_webhook_in_a_pod_refuses_warns_and_changes(hooks: Space) -> None:
    denied = 'admission webhook "validate.example.com" denied the request: no red here\n'
    assert colored(hooks, "red").endswith(denied)
    said = colored(hooks, "pink")
    assert "configmap/pink created\n" in said and "Warning: pink is close to red\n" in said
    assert hooks.get("configmap", "pink")["data"] == {"color": "pink", "seen-by": "kubernetes-admin"}


def test_an_aggregated_api_is_served_by_the_pods_of_its_service(rates: Space) -> None:
    rate = rates.get("rates", "x")
    assert (rate["kind"], rate["for"]) == ("Rate", "kubernetes-admin")
    pods = rates.out("get", "pods", "-l", f"app={NAME}", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert rate["by"] in pods
    assert re.search(r"rates +(metrics.example.com/v1beta1 +)?true +Rate", rates.out("api-resources"))
    assert json.loads(rates.out("get", "--raw", f"/apis/{GROUP_VERSION}"))["groupVersion"] == GROUP_VERSION


FLOW = {
    "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
    "kind": "FlowSchema",
    "metadata": {"name": "e2e-kept"},
    "spec": {"priorityLevelConfiguration": {"name": "workload-low"}, "matchingPrecedence": 777},
}


def test_extensions_outlive_the_api_server(links: Space, hooks: Space, rates: Space) -> None:
    install(links, FLOW)
    live = links.cluster
    old = live.pid("apiserver")
    os.kill(old, signal.SIGKILL)
    eventually(lambda: answers_anew(live, old), "the API server answers again")
    assert links.get("ln", "first")["spec"]["name"] == "db"
    assert links.get("links.v1.e2e.example.com", "first")["spec"]["host"] == "db:5432"
    assert "name is immutable" in tried(links, link("first", name="other", port=5432))
    assert "no red here" in colored(hooks, "red")
    assert eventually(lambda: rates.kubectl("get", "rates", "x", check=False).returncode == 0, "the aggregated API answers")
    assert live.get("flowschema", "e2e-kept")["spec"]["matchingPrecedence"] == 777


def answers_anew(cluster: LocalCluster, old: int) -> bool:
    asked = cluster.kubectl("get", "--raw", "/readyz", check=False)
    return asked.stdout == "ok" and cluster.pid("apiserver") not in (0, old)


def test_what_stands_behind_an_extension_that_is_gone_is_refused(hooks: Space, rates: Space) -> None:
    hooks.kubectl("scale", f"deployment/{NAME}", "--replicas=0")
    eventually(lambda: "no endpoints available" in colored(hooks, "blue"), "the service has no endpoints")
    assert colored(hooks, "blue").endswith(
        'Internal error occurred: failed calling webhook "mutate.example.com": failed to call webhook: '
        f'Post "https://{NAME}.{hooks.name}.svc:443/mutate?timeout=10s": no endpoints available for service "{NAME}"\n'
    )
    eventually(lambda: unavailable(rates), "the API is unavailable")
    asked = rates.kubectl("get", "--raw", f"/apis/{GROUP_VERSION}/namespaces/{rates.name}/rates/x", check=False)
    assert asked.stderr.startswith("Error from server (ServiceUnavailable): ")


def unavailable(space: Space) -> bool:
    conditions = space.get("apiservice", "v1beta1.metrics.example.com")["status"]["conditions"]
    return [(each["status"], each["reason"]) for each in conditions] == [("False", "MissingEndpoints")]

"""What `spec.conversion` of a definition may say to upstream's server and to ours, when it is made and when it is changed."""

from __future__ import annotations

from typing import Any

from tests.component.webhooks import authority, bundle
from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree
from tests.upstream.generic_wire import DEFINITIONS, Side
from tests.upstream.test_generic_conversion import of_versions

__all__ = ["both"]

URL = "https://example.com/convert"
SERVICE = {"namespace": "default", "name": "hook"}


def webhook(*versions: str, **config: Any) -> Tree:
    client = {"url": URL, **config}
    return {"strategy": "Webhook", "webhook": {"conversionReviewVersions": list(versions) or ["v1"], "clientConfig": client}}


def url(url: str) -> Tree:
    return webhook(url=url)


def service(**changes: Any) -> Tree:
    return webhook(url=None, service={**SERVICE, **changes})


CONVERSIONS: dict[str, Any] = {
    "null": None,
    "empty": {},
    "none": {"strategy": "None"},
    "none with webhook": {**webhook(), "strategy": "None"},
    "none with versions": {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}},
    "none with an empty webhook": {"strategy": "None", "webhook": {}},
    "unknown strategy": {"strategy": "Magic"},
    "unknown strategy with webhook": {**webhook(), "strategy": "Magic"},
    "lower case": {"strategy": "webhook"},
    "no strategy": {"webhook": webhook()["webhook"]},
    "number": {"strategy": 1},
    "text": "Webhook",
    "no webhook": {"strategy": "Webhook"},
    "an empty webhook": {"strategy": "Webhook", "webhook": {}},
    "no client": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}},
    "an empty client": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {}}},
    "no versions": {"strategy": "Webhook", "webhook": {"clientConfig": {"url": URL}}},
    "both": webhook(service=SERVICE),
    "an empty url": url(""),
    "http": url("http://example.com"),
    "no scheme": url("example.com/x"),
    "no host": url("https:///x"),
    "user": url("https://me@example.com"),
    "query": url("https://example.com/?a=b"),
    "empty query": url("https://example.com/?"),
    "fragment": url("https://example.com/#a"),
    "port": url("https://example.com:x/"),
    "escape": url("https://example.com/%zz"),
    "spaces": url("https://exa mple.com/"),
    "service": service(),
    "service and path": service(path="/a/b", port=8443),
    "service without name": service(name=""),
    "service without namespace": service(namespace=""),
    "empty service": webhook(url=None, service={}),
    "no port": service(port=0),
    "large port": service(port=65536),
    "negative port": service(port=-1),
    "relative path": service(path="a"),
    "empty path": service(path=""),
    "path with slashes": service(path="//a"),
    "path with a bad step": service(path="/A b/"),
    "path with an end": service(path="/a/"),
    "bundle": webhook(caBundle=bundle(authority())),
    "empty bundle": webhook(caBundle=""),
    "text bundle": webhook(caBundle="aGVsbG8="),
    "no base64": webhook(caBundle="!"),
    "broken bundle": webhook(caBundle="LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmFhYWEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="),
    "v1beta1": webhook("v1beta1"),
    "unknown version": webhook("v7"),
    "unknown and known": webhook("v7", "v1"),
    "twice": webhook("v1", "v1"),
    "bad version": webhook("v1", "V_1"),
    "empty version": webhook("v1", ""),
    "unknown field": {**webhook(), "other": 1},
    "old fields": {"strategy": "Webhook", "conversionReviewVersions": ["v1"], "webhookClientConfig": {"url": URL}},
}


def test_conversions_are_taken_and_refused_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        for name, conversion in CONVERSIONS.items():
            side.create(DEFINITIONS, of_versions("Converted", conversion), note=name, dryRun="All")

    both(scenario)


def test_conversions_are_changed_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        for kind, before in (("Unconverted", {"strategy": "None"}), ("Converted", webhook())):
            tree = of_versions(kind, before)
            side.define(tree)
            path = f"{DEFINITIONS}/{tree['metadata']['name']}"
            for name, conversion in CONVERSIONS.items():
                current = side.ask("GET", path).tree
                spec = {**current["spec"], "conversion": conversion}
                side.update(path, {**current, "spec": spec}, note=name, dryRun="All")
                side.patch(path, {"spec": {"conversion": conversion}}, note=name, dryRun="All")
            side.patch(path, {"spec": {"preserveUnknownFields": True}}, note="preserving", dryRun="All")

    both(scenario)


def test_what_was_taken_once_may_stay_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        tree = of_versions("Staying", webhook())
        side.define(tree)
        path = f"{DEFINITIONS}/{tree['metadata']['name']}"
        side.patch(path, {"spec": {"conversion": {"webhook": {"conversionReviewVersions": ["v7"]}}}})
        side.patch(path, {"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": "aGVsbG8="}}}}})
        side.patch(path, {"metadata": {"labels": {"a": "b"}}})
        side.patch(path, {"spec": {"conversion": {"strategy": "None"}}})
        side.patch(path, {"spec": {"conversion": {"strategy": "None", "webhook": None}}})
        side.get(path)

    both(scenario)

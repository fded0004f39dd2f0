"""MutatingWebhookConfiguration."""

from __future__ import annotations

from sampan.api.groups.admissionregistration.rules import GROUP
from sampan.api.groups.admissionregistration.webhooks import COLUMNS, STRATEGY, default_webhooks, webhooks_of
from sampan.api.resource import Resource, Tree


def _default(tree: Tree) -> None:
    default_webhooks(tree)
    for webhook in webhooks_of(tree):
        webhook.setdefault("reinvocationPolicy", "Never")


RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    definition="io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
    categories=("api-extensions",),
    namespaced=False,
    strategy=STRATEGY,
    default=_default,
    columns=COLUMNS,
)

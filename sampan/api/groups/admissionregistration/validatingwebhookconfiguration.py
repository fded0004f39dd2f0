"""ValidatingWebhookConfiguration."""

from __future__ import annotations

from sampan.api.groups.admissionregistration.rules import GROUP
from sampan.api.groups.admissionregistration.webhooks import COLUMNS, STRATEGY, default_webhooks
from sampan.api.resource import Resource

RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    definition="io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    categories=("api-extensions",),
    namespaced=False,
    strategy=STRATEGY,
    default=default_webhooks,
    columns=COLUMNS,
)

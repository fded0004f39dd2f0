"""One call of one webhook, and the errors that come of it.

After callHook and callAttrMutatingHook of k8s.io/apiserver/pkg/admission/plugin/webhook.
"""

from __future__ import annotations

from sampan.api.errors import StatusError, bad_request, internal_error
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import Attributes
from sampan.apiserver.registry.metadata import new_uid
from sampan.apiserver.webhooks.client import WebhookCallError, WebhookClient
from sampan.apiserver.webhooks.configurations import Hook
from sampan.apiserver.webhooks.review import BadReview, Undecodable, Verdict, rejection, review, verdict, version_for
from sampan.lib.log import get_logger

log = get_logger("apiserver")


class CallFailed(StatusError):
    """A webhook could not be asked, or gave no sensible answer: its failurePolicy says what becomes of the request."""

    def __init__(self, hook: Hook, why: str) -> None:
        failure = internal_error(f'failed calling webhook "{hook.name}": {why}')
        super().__init__(failure.code, failure.reason, failure.message, details=failure.details)


class Caller:
    """Asks webhooks of one sort."""

    def __init__(self, client: WebhookClient, *, mutating: bool) -> None:
        self._client = client
        self._mutating = mutating

    async def ask(
        self, hook: Hook, attributes: Attributes, target: Resource, shown: Tree | None, old: Tree | None
    ) -> Verdict | None:
        """What the webhook says, which is yes; its warnings go to the client. None: it failed, and fails open. Raises
        StatusError."""
        if attributes.dry_run and not hook.runs_dry:
            raise bad_request(f'admission webhook "{hook.name}" does not support dry run')
        try:
            found = await self._ask(hook, attributes, target, shown, old)
        except CallFailed as error:
            if not hook.fails_open:
                raise
            log.warning("failed calling webhook, failing open", webhook=hook.uid, error=error.message)
            return None
        attributes.warnings.extend(found.warnings)
        if not found.allowed:
            raise rejection(hook.name, found.status)
        return found

    async def _ask(self, hook: Hook, attributes: Attributes, target: Resource, shown: Tree | None, old: Tree | None) -> Verdict:
        version = version_for(hook.review_versions)
        if not version:
            why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)"
            raise CallFailed(hook, f"could not create admission objects: {why}")
        uid = new_uid()
        document = review(uid, version, attributes, target, shown, old)
        try:
            answer = await self._client.call(hook.client, document, hook.timeout_seconds)
            return verdict(answer, version, uid, mutating=self._mutating)
        except (WebhookCallError, Undecodable) as error:
            raise CallFailed(hook, f"failed to call webhook: {error}") from None
        except BadReview as error:
            raise CallFailed(hook, f"received invalid webhook response: {error}") from None

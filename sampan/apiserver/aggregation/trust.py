"""ConfigMap kube-system/extension-apiserver-authentication: whom extension API servers shall believe.

It names the authorities of client certificates and of front proxies, and the headers of these. What other servers of the same
store say, or said before the cluster was given new authorities, stays beside it, except for authorities that have expired.
After upstream's pkg/controlplane/controller/clusterauthenticationtrust.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.aggregation.frontproxy import EXTRA_PREFIX, GROUP, UID, USER
from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Caller
from sampan.lib.log import get_logger
from sampan.pki.certificates import expires
from sampan.store.base import StoreUnavailable

NAMESPACE, NAME = "kube-system", "extension-apiserver-authentication"
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 60.0
_BUNDLES = ("client-ca-file", "requestheader-client-ca-file")
_certificates = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?").findall

log = get_logger("apiserver")


async def publish_trust(context: Context) -> None:
    """At once; or, where admission refuses it, as a quota may, in the background until it does not."""
    try:
        await _publish(context)
    except StatusError as error:
        context.tasks.start(_publish_later(context, error), "publishing of authorities")


async def _publish_later(context: Context, error: Exception) -> None:
    seconds = _FIRST_RETRY_SECONDS
    while True:
        log.warning("the authorities of clients could not be published", error=str(error))
        await context.clock.sleep(seconds)
        try:
            return await _publish(context)
        except (StatusError, StoreUnavailable) as again:
            error, seconds = again, min(seconds * 2, _LAST_RETRY_SECONDS)


async def _publish(context: Context) -> None:
    """Raises StatusError, StoreUnavailable."""
    registry = context.registry("", "configmaps")
    wanted, now = _trust(context.config), context.clock.now()

    def reconciled(old: Tree) -> Tree:
        return {**old, "data": joined(old.get("data") or {}, wanted, now)}

    present = registry.cache.get(NAMESPACE, NAME)
    try:
        if present is None:
            await registry.create({"metadata": {"name": NAME}, "data": wanted}, NAMESPACE, Caller())
        elif reconciled(present.tree()) != present.tree():
            await registry.update(NAMESPACE, NAME, lambda present: reconciled(present.own()), Caller(), must_match=False)
    except StatusError as error:
        if error.code != 409:  # another server of the same store does the same
            raise


def _trust(config: APIServerConfig) -> dict[str, str]:
    data = {"client-ca-file": config.client_ca_pem.decode()}
    if config.requestheader_client_ca_pem:
        data |= {
            "requestheader-client-ca-file": config.requestheader_client_ca_pem.decode(),
            "requestheader-allowed-names": json.dumps(list(config.requestheader_allowed_names)),
            "requestheader-username-headers": json.dumps([USER]),
            "requestheader-uid-headers": json.dumps([UID]),
            "requestheader-group-headers": json.dumps([GROUP]),
            "requestheader-extra-headers-prefix": json.dumps([EXTRA_PREFIX]),
        }
    return data


def joined(present: Mapping[str, str], wanted: Mapping[str, str], now: float) -> dict[str, str]:
    """What is there and what there should be, each once; `now` is seconds since the epoch."""
    found = {**present, **wanted}
    for key in present.keys() & wanted.keys():
        found[key] = (
            _joined_bundle(present[key], wanted[key], now) if key in _BUNDLES else _joined_list(present[key], wanted[key])
        )
    return found


def _joined_bundle(present: str, wanted: str, now: float) -> str:
    blocks = dict.fromkeys(block.strip() + "\n" for block in (*_certificates(present), *_certificates(wanted)))
    return "".join(block for block in blocks if not _is_over(block, now))


def _is_over(block: str, now: float) -> bool:
    try:
        return expires(block.encode()) < now
    except ValueError:  # it is no certificate
        return True


def _joined_list(present: str, wanted: str) -> str:
    try:
        known = json.loads(present)
    except ValueError:
        return wanted
    return json.dumps(list(dict.fromkeys([*known, *json.loads(wanted)]))) if isinstance(known, list) else wanted

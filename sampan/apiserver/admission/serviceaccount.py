"""ServiceAccount: every pod runs as an account of its namespace and finds that account's token mounted.

After plugin/pkg/admission/serviceaccount. https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
"""

from __future__ import annotations

from collections.abc import Awaitable

from sampan.api.groups.core.pod_defaults import SERVICE_ACCOUNT_TOKEN_SECONDS
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge
from sampan.apiserver.registry.metadata import generate_name
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.lib.clock import Clock

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
DEFAULT = "default"
_TRIES, _TRY_SECONDS = 10, 0.1
_MODE = 0o644
# The odd seconds mark tokens that were asked for here, as upstream's do.
_TOKEN_SECONDS = SERVICE_ACCOUNT_TOKEN_SECONDS + 7


class ServiceAccount(Judge):
    name = "ServiceAccount"

    def __init__(self, accounts: WatchCache, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._volume = generate_name(VOLUME_PREFIX)
        """Of the token, in every pod: replicas that are alike to the letter are checked once."""

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource.plural == "pods" and not resource.group and not subresource and operation == CREATE

    def settle(self, attributes: Attributes) -> Awaitable[None] | None:
        """The account `default` of a new namespace is a controller's to make; a pod may come a moment before it."""
        spec = (attributes.object or {}).get("spec") or {}
        name = spec.get("serviceAccountName") or DEFAULT
        if name != DEFAULT or self._accounts.get(attributes.namespace, name) is not None:
            return None
        return self._wait(attributes.namespace)

    async def _wait(self, namespace: str) -> None:
        for _ in range(_TRIES):
            await self._clock.sleep(_TRY_SECONDS)
            if self._accounts.get(namespace, DEFAULT) is not None:
                return

    def mutate(self, attributes: Attributes) -> None:
        pod = attributes.object
        assert pod is not None, "a create has an object"
        if MIRROR_ANNOTATION in pod["metadata"].get("annotations", {}):
            return
        spec: Tree = pod["spec"]
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = spec["serviceAccount"] = DEFAULT
        account = self._account(attributes, spec["serviceAccountName"])
        if _automounts(account, spec):
            _mount_token(spec, self._volume)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(reference) for reference in account["imagePullSecrets"]]

    def validate(self, attributes: Attributes) -> None:
        pod = attributes.object
        assert pod is not None, "a create has an object"
        if MIRROR_ANNOTATION in pod["metadata"].get("annotations", {}):
            _validate_mirror(attributes, pod["spec"])
            return
        self._account(attributes, pod["spec"].get("serviceAccountName", ""))

    def _account(self, attributes: Attributes, name: str) -> Tree:
        found = self._accounts.get(attributes.namespace, name)
        if found is None:
            raise attributes.refused(
                f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
            )
        return found.tree()


def _validate_mirror(attributes: Attributes, spec: Tree) -> None:
    """A static pod's mirror may not borrow the rights of an account."""
    if spec.get("serviceAccountName"):
        raise attributes.refused("a mirror pod may not reference service accounts")
    for volume in spec.get("volumes", ()):
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in source:
                raise attributes.refused("a mirror pod may not use ServiceAccountToken volume projections")


def _automounts(account: Tree, spec: Tree) -> bool:
    """The pod's own word goes before the account's."""
    for holder in (spec, account):
        wanted = holder.get("automountServiceAccountToken")
        if wanted is not None:
            return bool(wanted)
    return True


def _mount_token(spec: Tree, otherwise: str) -> None:
    """Where a container has nothing at the token's path yet."""
    volume = next((v["name"] for v in spec.get("volumes", ()) if v.get("name", "").startswith(VOLUME_PREFIX)), "")
    name = volume or otherwise
    mounted = False
    for field in ("initContainers", "containers"):
        for container in spec.get(field, ()):
            mounts = container.get("volumeMounts", ())
            if any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
                continue
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
            mounted = True
    if mounted and not volume:
        spec["volumes"] = [*spec.get("volumes", ()), {"name": name, "projected": _token_volume()}]


def _token_volume() -> Tree:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": _MODE,
    }

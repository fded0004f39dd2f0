"""serviceaccounts/token: a new token for a service account, bound to a pod, a secret or a node if the request names one.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from sampan.api.errors import StatusError, bad_request, conflict, invalid, invalid_object
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, Attributes
from sampan.apiserver.answers import dress, method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.bodies import read_object
from sampan.apiserver.registry.options import write_options
from sampan.apiserver.requestinfo import RequestInfo
from sampan.lib.clock import rfc3339
from sampan.lib.http import Answer, Handler, Request
from sampan.pki.tokens import WARN_AFTER_SECONDS, Bound, TokenSigner

DEFAULT_SECONDS = 3600
MIN_SECONDS = 600
MAX_SECONDS = 1 << 32

TOKEN_REQUEST = Resource(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenRequest",
    plural="tokenrequests",
    definition="io.k8s.api.authentication.v1.TokenRequest",
    verbs=("create",),
)


class Binding(NamedTuple):
    """What a token stands and falls with."""

    pod: Bound | None = None
    secret: Bound | None = None
    node: Bound | None = None


def make(context: Context) -> Handler:
    signer = context.authenticator.signer

    registry = context.registry("", "serviceaccounts")

    async def handle(request: Request) -> Answer:
        info: RequestInfo = request.attributes
        if request.method != "POST":
            raise method_not_allowed()
        if signer is None:
            raise StatusError(404, "NotFound", "the server could not find the requested resource")
        options = write_options(request.parameters(), "CreateOptions")
        tree = await read_object(request, TOKEN_REQUEST, options.field_validation, info.warnings)
        attributes = Attributes(
            CREATE, registry.resource, info.namespace, info.name, request.user, tree, None, "token", options.dry_run,
            info.warnings, options, TOKEN_REQUEST,
        )  # fmt: skip
        await registry.admission.judge(attributes)
        answer = issue(context, signer, info.namespace, info.name, tree)
        form = negotiate(request.headers.get("accept", ""))
        return dress(request, msgspec.json.encode(answer), form, 201)

    return handle


def issue(context: Context, signer: TokenSigner, namespace: str, name: str, tree: Tree) -> Tree:
    """The request with its token. Raises StatusError."""
    metadata, spec = tree["metadata"], tree.setdefault("spec", {})
    seconds = spec.setdefault("expirationSeconds", DEFAULT_SECONDS)
    _check_names(metadata, namespace, name)
    _check_seconds(metadata, seconds)
    account = context.registry("", "serviceaccounts").get(namespace, name).tree()
    reference = spec.get("boundObjectRef")
    bound = _bind(context, namespace, name, reference) if reference else Binding()
    audiences = spec["audiences"] = spec.get("audiences") or list(context.authenticator.audiences)
    # Pods of old clients never reload their token; the kubelet's telling lifetime gets one that outlives the pod.
    extend = seconds == WARN_AFTER_SECONDS and set(audiences) == set(context.authenticator.audiences)
    token = signer.issue(
        namespace,
        name,
        account["metadata"]["uid"],
        audiences,
        seconds,
        pod=bound.pod,
        secret=bound.secret,
        node=bound.node,
        extend=extend,
    )
    now = context.clock.now()
    metadata |= {"name": name, "namespace": namespace, "creationTimestamp": rfc3339(now)}
    status = {"expirationTimestamp": rfc3339(now + seconds), "token": token}
    return {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", **tree, "status": status}


def _check_names(metadata: Tree, namespace: str, name: str) -> None:
    if metadata.get("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _check_seconds(metadata: Tree, seconds: int) -> None:
    if seconds < MIN_SECONDS:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > MAX_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
    else:
        return
    errors = [invalid("spec.expirationSeconds", seconds, why)]
    raise invalid_object("TokenRequest", "authentication.k8s.io", metadata.get("name", ""), errors)


def _bind(context: Context, namespace: str, account: str, reference: dict[str, Any]) -> Binding:
    version, kind, name = reference.get("apiVersion", ""), reference.get("kind", ""), reference.get("name", "")
    if version != "v1" or kind not in ("Pod", "Secret", "Node"):
        group, _, bare = version.rpartition("/")
        raise bad_request(f"cannot bind token to object of type {group}/{bare}, Kind={kind}")
    if kind == "Node":
        found = context.registry("", "nodes").get("", name).tree()
        return Binding(node=_bound(found, reference))
    if kind == "Secret":
        return Binding(secret=_bound(context.registry("", "secrets").get(namespace, name).tree(), reference))
    pod = context.registry("", "pods").get(namespace, name).tree()
    runs_as = pod["spec"].get("serviceAccountName", "")
    if runs_as != account:
        raise bad_request(f'cannot bind token for serviceaccount "{account}" to pod running with serviceaccount "{runs_as}"')
    return Binding(pod=_bound(pod, reference), node=_node_of(context, pod))


def _bound(found: Tree, reference: dict[str, Any]) -> Bound:
    name, uid, wanted = found["metadata"]["name"], found["metadata"]["uid"], reference.get("uid", "")
    if wanted and wanted != uid:
        why = (
            f"the UID in the bound object reference ({wanted}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict(reference["kind"], "", name, why)
    return Bound(name, uid)


def _node_of(context: Context, pod: Tree) -> Bound | None:
    """The pod's node goes into its token; without a uid while there is no such Node object."""
    name = pod["spec"].get("nodeName", "")
    if not name:
        return None
    node = context.registry("", "nodes").cache.get("", name)
    return Bound(name, node.tree()["metadata"]["uid"] if node else "")

"""`pods/binding`, and the older `bindings`: a scheduler tells which node a pod is to run on.

After pkg/registry/core/pod/storage.BindingREST.
"""

from __future__ import annotations

import msgspec

from sampan.api.errors import FieldError, bad_request, conflict, invalid_object, not_supported, required
from sampan.api.resource import Tree
from sampan.apiserver.admission.chain import CREATE, Attributes
from sampan.apiserver.answers import dress, method_not_allowed
from sampan.apiserver.context import Context
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.bodies import read_as
from sampan.apiserver.registry.generic import Caller, Part
from sampan.apiserver.registry.metadata import timestamp
from sampan.apiserver.registry.options import write_options
from sampan.apiserver.registry.updating import Present
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.subresources.forms import BINDING
from sampan.lib.http import Answer, Handler, Request

_CREATED = msgspec.json.encode({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def binding(context: Context) -> Handler:
    """Serves both: of `bindings` the body names the pod."""
    admission = context.registries.admission
    pods = context.registry("", "pods").resource

    async def bind(request: Request) -> Answer:
        if request.method != "POST":
            raise method_not_allowed()
        info: RequestInfo = request.attributes
        options = write_options(request.parameters(), "CreateOptions")
        body = await read_as(request, "io.k8s.api.core.v1.Binding")
        meta = body.get("metadata") or {}
        name = info.name or meta.get("name", "")
        attributes = Attributes(
            CREATE, pods if info.name else BINDING, info.namespace, name, request.user, body, None, info.subresource,
            options.dry_run, info.warnings, options, BINDING,
        )  # fmt: skip
        await admission.mutate(attributes)
        check(body, info, name)
        if (waiting := admission.validate(attributes)) is not None:
            await waiting
        # Of the pod's change nobody is asked: upstream makes it below admission.
        await assign(context, info.namespace, name, body, Caller(request.user, options.dry_run, admits=False))
        form = negotiate(request.headers.get("accept", ""))
        return dress(request, _CREATED, form, 201)

    return bind


def check(body: Tree, info: RequestInfo, name: str) -> None:
    """After ValidatePodBinding. Raises StatusError."""
    meta, target = body.get("metadata") or {}, body.get("target") or {}
    own = meta.get("name", "")
    if info.name and own and own != info.name:
        raise bad_request("name in URL does not match name in Binding object")
    if meta.get("namespace") and meta["namespace"] != info.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    errors: list[FieldError] = []
    if target.get("kind", "") not in ("", "Node"):
        errors.append(not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        errors.append(required("target.name"))
    if errors:
        raise invalid_object("Binding", "", name, errors)


async def assign(context: Context, namespace: str, name: str, body: Tree, by: Caller) -> None:
    """Raises StatusError 404, or 409 for a pod that is being deleted or has a node."""
    meta = body.get("metadata") or {}

    def change(present: Present) -> Tree:
        pod = present.own()
        why = _why_not(pod, meta)
        if why:
            raise conflict("pods/binding", "", name, why)
        if meta.get("uid"):
            pod["metadata"]["uid"] = meta["uid"]
        pod["spec"]["nodeName"] = body["target"]["name"]
        for field in ("annotations", "labels"):
            if meta.get(field):
                pod["metadata"][field] = {**pod["metadata"].get(field, {}), **meta[field]}
        _set_scheduled(pod, timestamp(context.clock.now()))
        return pod

    await context.registry("", "pods").update(namespace, name, change, by, part=_PART, must_match=False)


def _why_not(pod: Tree, meta: Tree) -> str:
    uid, revision = meta.get("uid"), meta.get("resourceVersion")
    held = pod["metadata"]
    if uid and uid != held["uid"]:
        return f"Precondition failed: UID in precondition: {uid}, UID in object meta: {held['uid']}"
    if revision and revision != held["resourceVersion"]:
        return (
            f"Precondition failed: ResourceVersion in precondition: {revision}, "
            f"ResourceVersion in object meta: {held['resourceVersion']}"
        )
    if "deletionTimestamp" in held:
        return f"pod {held['name']} is being deleted, cannot be assigned to a host"
    node = pod["spec"].get("nodeName")
    if node:
        return f'pod {held["name"]} is already assigned to node "{node}"'
    if pod["spec"].get("schedulingGates"):
        return f"pod {held['name']} has non-empty .spec.schedulingGates"
    return ""


def _set_scheduled(pod: Tree, now: str) -> None:
    status = pod.setdefault("status", {})
    conditions = [c for c in status.get("conditions", ()) if c.get("type") != "PodScheduled"]
    status["conditions"] = [*conditions, {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}]


def _nothing_to_prepare(new: Tree, old: Tree) -> None:
    return None


def _nothing_to_check(new: Tree, old: Tree) -> list[FieldError]:
    return []


_PART = Part("binding", _nothing_to_prepare, _nothing_to_check, tracked=False)

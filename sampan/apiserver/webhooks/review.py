"""AdmissionReviews: the document that a webhook is sent, and what is made of its answer.

After k8s.io/apiserver/pkg/admission/plugin/webhook/request/admissionreview.go.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sampan.api.errors import StatusError
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes
from sampan.apiserver.registry.options import DeleteOptions, WriteOptions
from sampan.apiserver.reviews import user_info
from sampan.apiserver.webhooks.matching import namespace_of

GROUP: Final = "admission.k8s.io"
KIND: Final = "AdmissionReview"
VERSIONS: Final = ("v1", "v1beta1")
JSON_PATCH: Final = "JSONPatch"
_META: Final = "meta.k8s.io/v1"
_MOST_INT32: Final = 2**31


class BadReview(Exception):
    """What is wrong with an answer that is an AdmissionReview."""


class Undecodable(Exception):
    """Why an answer is no AdmissionReview at all."""


class Verdict(NamedTuple):
    allowed: bool
    status: Tree
    """A metav1.Status, perhaps empty."""
    warnings: Sequence[str] = ()
    patch: bytes = b""
    patch_type: str = ""


def version_for(accepted: Sequence[str]) -> str:
    """The first version of those a webhook accepts that is spoken here; "" for none."""
    return next((version for version in accepted if version in VERSIONS), "")


def review(uid: str, version: str, attributes: Attributes, target: Resource, shown: Tree | None, old: Tree | None) -> Tree:
    """The document; objects as `target` has them."""
    request: Tree = {"uid": uid, **request_of(attributes, target)}
    form = attributes.form or target
    request["object"] = as_form(shown, form)
    request["oldObject"] = as_form(old, form)
    request["dryRun"] = attributes.dry_run
    request["options"] = options_of(attributes)
    return {"kind": KIND, "apiVersion": f"{GROUP}/{version}", "request": request}


def request_of(attributes: Attributes, target: Resource) -> Tree:
    """What a request is, without the objects; expressions see the same."""
    resource, subresource = attributes.resource, attributes.subresource
    name = "" if attributes.nameless else attributes.name
    request: Tree = {"kind": _kind(attributes.form or target), "resource": _resource(target)}
    if subresource:
        request["subResource"] = subresource
    request["requestKind"] = _kind(attributes.form or resource)
    request["requestResource"] = _resource(resource)
    if subresource:
        request["requestSubResource"] = subresource
    if name:
        request["name"] = name
    if namespace := namespace_of(attributes):
        request["namespace"] = namespace
    request["operation"] = attributes.operation
    request["userInfo"] = user_info(attributes.user)
    return request


def as_form(tree: Tree | None, form: Resource) -> Tree | None:
    """With kind and apiVersion, which bodies of subresources may lack."""
    return None if tree is None else {"kind": form.kind, "apiVersion": form.group_version, **_but_kind(tree)}


def _but_kind(tree: Tree) -> Tree:
    return {key: value for key, value in tree.items() if key not in ("kind", "apiVersion")}


def _kind(resource: Resource) -> Tree:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _resource(resource: Resource) -> Tree:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def options_of(attributes: Attributes) -> Tree | None:
    """Those of the operation, whatever the request was: a patch updates, or creates."""
    options = attributes.options
    if attributes.operation == CREATE or attributes.operation == UPDATE:
        kind = "CreateOptions" if attributes.operation == CREATE else "UpdateOptions"
        found: Tree = {"kind": kind, "apiVersion": _META}
        if attributes.dry_run:
            found["dryRun"] = ["All"]
        if isinstance(options, WriteOptions):
            said = {"fieldManager": options.field_manager, "fieldValidation": options.said_validation}
            found |= {key: value for key, value in said.items() if value}
        return found
    return _delete_options(options) if isinstance(options, DeleteOptions) else None


def _delete_options(options: DeleteOptions) -> Tree:
    found: Tree = {"kind": "DeleteOptions", "apiVersion": _META}
    if options.grace_seconds is not None:
        found["gracePeriodSeconds"] = options.grace_seconds
    preconditions = {"uid": options.uid, "resourceVersion": options.resource_version}
    if any(value is not None for value in preconditions.values()):
        found["preconditions"] = {key: value for key, value in preconditions.items() if value is not None}
    if options.propagation:
        found["propagationPolicy"] = options.propagation
    if options.dry_run:
        found["dryRun"] = ["All"]
    return found


def verdict(answer: Mapping[str, Any], version: str, uid: str, *, mutating: bool) -> Verdict:
    """Raises Undecodable, BadReview."""
    group_version, kind = answer.get("apiVersion") or "", answer.get("kind") or ""
    _check_kind(group_version, kind, version)
    response = answer.get("response")
    if response is None:
        raise BadReview("webhook response was absent")
    _check_types(response)
    if version == "v1":
        _check_v1(response, group_version, kind, uid)
    patch, patch_type = _patch(response, version, mutating)
    return Verdict(
        response.get("allowed") is True, response.get("status") or {}, response.get("warnings") or (), patch, patch_type
    )


def _check_kind(group_version: str, kind: str, version: str) -> None:
    """An answer may leave its kind out as far as decoding goes, but not be of another."""
    group_version, kind = group_version or f"{GROUP}/{version}", kind or KIND
    if group_version.partition("/")[0] != GROUP or kind != KIND or group_version.partition("/")[2] not in VERSIONS:
        raise Undecodable(f'no kind "{kind}" is registered for version "{group_version}"')
    if group_version != f"{GROUP}/{version}":
        other = group_version.partition("/")[2]
        raise Undecodable(f"converting ({other}.{KIND}) to ({version}.{KIND}): unknown conversion")


_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "uid": (str, "types.UID"),
    "allowed": (bool, "bool"),
    "status": (dict, "v1.Status"),
    "patch": (str, "[]uint8"),
    "patchType": (str, "v1.PatchType"),
    "auditAnnotations": (dict, "map[string]string"),
    "warnings": (list, "[]string"),
}


def _check_types(response: Any) -> None:
    _check_type("AdmissionReview.response", response, dict, "v1.AdmissionResponse")
    for field, (wanted, name) in _TYPES.items():
        if response.get(field) is not None:
            _check_type(f"AdmissionResponse.response.{field}", response[field], wanted, name)
    for warning in response.get("warnings") or ():
        _check_type("AdmissionResponse.response.warnings", warning, str, "string")
    status = response.get("status") or {}
    for field in ("status", "message", "reason"):
        if status.get(field) is not None:
            _check_type(f"Status.response.status.{field}", status[field], str, "string")
    code = status.get("code")
    if code is not None:
        _check_type("Status.response.status.code", code, int, "int32")
        if not -_MOST_INT32 <= code < _MOST_INT32:
            raise Undecodable(
                f"json: cannot unmarshal number {code} into Go struct field Status.response.status.code of type int32"
            )
    if status.get("details") is not None:
        _check_type("Status.response.status.details", status["details"], dict, "v1.StatusDetails")


def _check_type(place: str, value: Any, wanted: type, name: str) -> None:
    if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return
    shown = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}.get(type(value), "object")
    raise Undecodable(f"json: cannot unmarshal {shown} into Go struct field {place} of type {name}")


def _check_v1(response: Tree, group_version: str, kind: str, uid: str) -> None:
    found = response.get("uid") or ""
    if found != uid:
        raise BadReview(f"expected response.uid={json.dumps(uid)}, got {json.dumps(found, ensure_ascii=False)}")
    if (group_version, kind) != (f"{GROUP}/v1", KIND):
        shown = group_version if "/" in group_version else f"/{group_version}"
        raise BadReview(f"expected webhook response of {GROUP}/v1, Kind={KIND}, got {shown}, Kind={kind}")


def _patch(response: Tree, version: str, mutating: bool) -> tuple[bytes, str]:
    text, patch_type = response.get("patch") or "", response.get("patchType")
    try:
        patch = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Undecodable("illegal base64 data at input byte 0") from None
    if version != "v1":
        # Types of patches were not looked at in this version.
        return (patch, JSON_PATCH if patch else "") if mutating else (b"", "")
    if not mutating:
        if patch:
            raise BadReview("validating webhook may not return response.patch")
        if patch_type is not None:
            raise BadReview("validating webhook may not return response.patchType")
        return b"", ""
    if patch and patch_type is None:
        raise BadReview("webhook returned response.patch but not response.patchType")
    if not patch and patch_type is not None:
        raise BadReview("webhook returned response.patchType but not response.patch")
    if patch_type == "":
        raise BadReview('webhook returned invalid response.patchType of ""')
    return patch, patch_type or ""


def rejection(name: str, status: Tree) -> StatusError:
    """What a client is told of a webhook's refusal: its own code, reason and words."""
    said = f'admission webhook "{name}" denied the request'
    why = status.get("message") or status.get("reason") or ""
    code = status.get("code") or 0
    code = 400 if code < 400 else code if code < 1000 else 500
    details = status.get("details")
    return StatusError(
        code,
        status.get("reason") or "",
        f"{said}: {why}" if why else f"{said} without explanation",
        details=dict(details) if isinstance(details, dict) else None,
        retry_after_seconds=(details or {}).get("retryAfterSeconds") or 0,
    )

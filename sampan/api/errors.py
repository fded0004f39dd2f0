"""The errors of the API: `metav1.Status` failures and the field errors inside an Invalid one.

After k8s.io/apimachinery/pkg/api/errors and .../util/validation/field: same codes, reasons and wording. The server raises
`StatusError` anywhere below the request and answers with its `status()`; the client raises the same class for what the
server answered, so that both sides test `error.reason == NOT_FOUND`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.api.quoting import quoted

NOT_FOUND = "NotFound"
ALREADY_EXISTS = "AlreadyExists"
CONFLICT = "Conflict"
INVALID = "Invalid"
BAD_REQUEST = "BadRequest"
FORBIDDEN = "Forbidden"
UNAUTHORIZED = "Unauthorized"
METHOD_NOT_ALLOWED = "MethodNotAllowed"
NOT_ACCEPTABLE = "NotAcceptable"
UNSUPPORTED_MEDIA_TYPE = "UnsupportedMediaType"
REQUEST_ENTITY_TOO_LARGE = "RequestEntityTooLarge"
GONE = "Gone"
EXPIRED = "Expired"
TIMEOUT = "Timeout"
SERVER_TIMEOUT = "ServerTimeout"
TOO_MANY_REQUESTS = "TooManyRequests"
INTERNAL_ERROR = "InternalError"
SERVICE_UNAVAILABLE = "ServiceUnavailable"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field. `reason` is a cause type such as "FieldValueInvalid"; `message` has no field path in it."""

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class Forgiven(FieldError):
    """A bad field that stood before an update and did not change: clients are warned of it."""


class GoText(str):
    """A bad value in the form that Go prints it in, `%#v`."""

    __slots__ = ()


def go_map(value: Mapping[str, str] | None) -> GoText:
    """A map[string]string, None being nil."""
    if value is None:
        return GoText("map[string]string(nil)")
    return GoText("map[string]string{" + ", ".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}")


def go_strings(type_: str, values: Sequence[str]) -> GoText:
    """A list of strings, or of a type that is one."""
    return GoText(f"[]{type_}" + "{" + ", ".join(map(_json, values)) + "}")


def go_struct(type_: str, fields: Mapping[str, str]) -> GoText:
    """A struct of strings, such as rbac.RoleRef."""
    return GoText(type_ + "{" + ", ".join(f"{name}:{_json(value)}" for name, value in fields.items()) + "}")


def _shown(value: Any) -> str:
    """Scalars and lists of strings as Go prints them; what would be a struct in Go, as JSON."""
    if isinstance(value, GoText):
        return value
    if value is None:
        return '"null"'
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return go_strings("string", value)
    return quoted(value) if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(path: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", path, "Required value" + (f": {detail}" if detail else ""))


def invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", path, f"Invalid value: {_shown(value)}: {detail}")


def not_supported(path: str, value: Any, supported: Sequence[str]) -> FieldError:
    choices = ", ".join(_shown(s) for s in supported)
    return FieldError("FieldValueNotSupported", path, f"Unsupported value: {_shown(value)}: supported values: {choices}")


def duplicate(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", path, f"Duplicate value: {_shown(value)}")


def forbidden_field(path: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", path, f"Forbidden: {detail}")


def not_found_field(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", path, f"Not found: {_shown(value)}")


def too_long(path: str, limit: int) -> FieldError:
    return FieldError("FieldValueTooLong", path, f"Too long: may not be more than {limit} bytes")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    return FieldError("FieldValueTooMany", path, f"Too many: {actual}: must have at most {limit} items")


class StatusError(Exception):
    """A failure that is an API answer: HTTP code, reason, message and details as `metav1.Status` has them.

    Details that are empty are sent, None are not.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        retry_after_seconds: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self._sends_details = details is not None
        if retry_after_seconds:
            self.details["retryAfterSeconds"] = retry_after_seconds
        self.retry_after_seconds = retry_after_seconds

    def status(self) -> dict[str, Any]:
        """The `metav1.Status` body."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details or self._sends_details:
            body["details"] = self.details
        body["code"] = self.code
        return body

    @classmethod
    def from_status(cls, status: dict[str, Any], code: int) -> StatusError:
        """What a server's answer says; `code` is the HTTP status, used where the body names none."""
        details = status.get("details")
        return cls(
            status.get("code") or code,
            status.get("reason") or "",
            status.get("message") or f"the server answered {code}",
            details=None if details is None else dict(details),
            retry_after_seconds=(details or {}).get("retryAfterSeconds", 0),
        )


def _details(name: str, group: str, kind: str) -> dict[str, Any]:
    return {k: v for k, v in (("name", name), ("group", group), ("kind", kind)) if v}


def _qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, group: str, name: str) -> StatusError:
    message = f'{_qualified(plural, group)} "{name}" not found'
    return StatusError(404, NOT_FOUND, message, details=_details(name, group, plural))


def already_exists(plural: str, group: str, name: str, *, generated: bool = False, leaving: bool = False) -> StatusError:
    """`generated`: the object has a prefix to make names of; `leaving`: the one that has the name is being deleted."""
    message = f'{_qualified(plural, group)} "{name}" already exists'
    if generated:
        message += ", the server was not able to generate a unique name for the object"
    if leaving:
        message = f"object is being deleted: {message}"
    details = _details(name, group, plural)
    return StatusError(409, ALREADY_EXISTS, message, details=details, retry_after_seconds=1 if generated else 0)


def conflict(plural: str, group: str, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {_qualified(plural, group)} "{name}": {why}'
    return StatusError(409, CONFLICT, message, details=_details(name, group, plural))


OBJECT_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


_TOLD_BYTES = 4 * 1024 * 1024
"""More than this is not said of an object's mistakes: each may quote all of what it is about, over and over."""


def _told(errors: Sequence[FieldError]) -> Sequence[FieldError]:
    """The first of them, as many as an answer of bounded size can hold."""
    room = _TOLD_BYTES
    for count, error in enumerate(errors):
        room -= len(error.message) + len(error.field)
        if room < 0:
            return errors[: count + 1]
    return errors


def invalid_object(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    """422 Invalid; note that its details.kind is the kind, not the plural, as upstream's is."""
    errors = _told(errors)
    shown = str(errors[0]) if len(errors) == 1 else "[" + ", ".join(dict.fromkeys(map(str, errors))) + "]"
    details = _details(name, group, kind)
    details["causes"] = [{"reason": e.reason, "message": e.message, "field": e.field} for e in errors]
    return StatusError(422, INVALID, f'{_qualified(kind, group)} "{name}" is invalid: {shown}', details=details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, BAD_REQUEST, message)


def forbidden(plural: str, group: str, name: str, why: str) -> StatusError:
    qualified = _qualified(plural, group)
    message = f'{qualified} "{name}" is forbidden: {why}' if name else f"{qualified} is forbidden: {why}"
    return StatusError(403, FORBIDDEN, message, details=_details(name, group, plural))


def unauthorized() -> StatusError:
    return StatusError(401, UNAUTHORIZED, "Unauthorized")


def method_not_supported(plural: str, group: str, verb: str) -> StatusError:
    message = f'{verb} is not supported on resources of kind "{_qualified(plural, group)}"'
    return StatusError(405, METHOD_NOT_ALLOWED, message, details=_details("", group, plural))


def page_not_found() -> StatusError:
    # Empty details as upstream's: `kubectl debug` looks into them without asking whether they are there.
    return StatusError(404, NOT_FOUND, "the server could not find the requested resource", details={})


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return StatusError(415, UNSUPPORTED_MEDIA_TYPE, message)


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    message = "only the following media types are accepted: " + ", ".join(accepted)
    return StatusError(406, NOT_ACCEPTABLE, message)


def entity_too_large(limit_bytes: int) -> StatusError:
    return StatusError(413, REQUEST_ENTITY_TOO_LARGE, f"Request entity too large: limit is {limit_bytes}")


def expired(message: str) -> StatusError:
    """410 with reason Expired: a resourceVersion or continue token older than the history kept."""
    return StatusError(410, EXPIRED, message)


def too_large_resource_version(requested: int, current: int, retry_seconds: int = 1) -> StatusError:
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    message = f"Timeout: Too large resource version: {requested}, current: {current}"
    return StatusError(504, TIMEOUT, message, details=details, retry_after_seconds=retry_seconds)


def internal_error(what: str) -> StatusError:
    return StatusError(
        500, INTERNAL_ERROR, f"Internal error occurred: {what}", details={"causes": [{"message": what}]}
    )  # fmt: skip


def service_unavailable(message: str) -> StatusError:
    return StatusError(503, SERVICE_UNAVAILABLE, message)


def too_many_requests(message: str, retry_seconds: int = 1) -> StatusError:
    return StatusError(429, TOO_MANY_REQUESTS, message, retry_after_seconds=retry_seconds)

"""Probes and lifecycle handlers of containers."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.resource import Tree

_NOT_NEGATIVE = "must be greater than or equal to 0"
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def validate_liveness(probe: Tree, path: str) -> list[FieldError]:
    """A liveness or startup probe."""
    errors = _validate_probe(probe, path)
    if probe["successThreshold"] != 1:
        errors.append(invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def validate_readiness(probe: Tree, path: str) -> list[FieldError]:
    errors = _validate_probe(probe, path)
    if (grace := probe.get("terminationGracePeriodSeconds")) is not None:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"))
    return errors


def validate_lifecycle(lifecycle: Tree, grace_seconds: int, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("postStart", "preStop"):
        if (handler := lifecycle.get(field)) is not None:
            errors += _validate_handler(handler, ("exec", "httpGet", "tcpSocket", "sleep"), grace_seconds, f"{path}.{field}")
    return errors


def _validate_probe(probe: Tree, path: str) -> list[FieldError]:
    errors = _validate_handler(probe, ("exec", "httpGet", "tcpSocket", "grpc"), 0, path)
    for field in _COUNTS:
        if probe.get(field, 0) < 0:
            errors.append(invalid(f"{path}.{field}", probe[field], _NOT_NEGATIVE))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    return errors


def _validate_handler(handler: Tree, kinds: tuple[str, ...], grace_seconds: int, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    found = False
    for kind in kinds:
        if (action := handler.get(kind)) is None:
            continue
        if found:
            errors.append(forbidden_field(f"{path}.{kind}", "may not specify more than 1 handler type"))
            continue
        found = True
        errors += _validate_action(kind, action, grace_seconds, f"{path}.{kind}")
    return errors if found else [*errors, required(path, "must specify a handler type")]


def _validate_action(kind: str, action: Tree, grace_seconds: int, path: str) -> list[FieldError]:
    if kind == "exec":
        return [] if action.get("command") else [required(f"{path}.command")]
    if kind == "httpGet":
        return _validate_http_get(action, path)
    if kind == "sleep":
        seconds = action.get("seconds", 0)
        if 0 <= seconds <= grace_seconds:
            return []
        why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_seconds})"
        return [invalid(path, seconds, why)]
    return _validate_port(action.get("port", 0), f"{path}.port")


def _validate_http_get(action: Tree, path: str) -> list[FieldError]:
    errors = _validate_port(action.get("port", 0), f"{path}.port")
    if action["scheme"] not in ("HTTP", "HTTPS"):
        errors.append(not_supported(f"{path}.scheme", action["scheme"], ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders", ()):
        name = header.get("name", "")
        errors += [invalid(f"{path}.httpHeaders", name, why) for why in names.http_header_name(name)]
    return errors


def _validate_port(port: int | str, path: str) -> list[FieldError]:
    """ValidatePortNumOrName."""
    problems = names.port_number(port) if isinstance(port, int) else names.port_name(port)
    return [invalid(path, port, why) for why in problems]

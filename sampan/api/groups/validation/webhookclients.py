"""How a webhook is reached: a URL, or a Service of the cluster. After k8s.io/apiserver/pkg/util/webhook."""

from __future__ import annotations

import re

from sampan.api import names
from sampan.api.cel.libraries.gourls import UrlError, parse
from sampan.api.errors import FieldError, invalid, required
from sampan.api.resource import Tree

_FORM = "; desired format: https://host[/path]"
_authority_of = re.compile("(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//([^/?#]*)").match


def validate_webhook_url(url: str, path: str) -> list[FieldError]:
    try:
        parts = parse(url)
    except UrlError as error:
        return [required(path, f"url must be a valid URL: {error}{_FORM}")]
    errors: list[FieldError] = []
    if parts.scheme != "https":
        errors.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not parts.host:
        errors.append(invalid(path, "", f"host must be specified{_FORM}"))
    if "@" in _authority(url):
        errors.append(invalid(path, parts.user, "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.raw_query:
        errors.append(invalid(path, parts.raw_query, "query parameters are not permitted in the URL"))
    return errors


def _authority(url: str) -> str:
    found = _authority_of(url)
    return found[1] if found else ""


def validate_webhook_service(service: Tree, path: str) -> list[FieldError]:
    port = service.get("port", 0)
    errors = [
        required(f"{path}.{field}", f"service {field} is required") for field in ("name", "namespace") if not service.get(field)
    ]
    if problems := names.port_number(port):
        errors.append(invalid(f"{path}.port", port, "port is not valid: " + ", ".join(problems)))
    return errors + _validate_path(service.get("path") or "/", f"{path}.path")


def _validate_path(text: str, path: str) -> list[FieldError]:
    if text == "/":
        return []
    if text == "//":
        return [invalid(path, text, "segment[0] may not be empty")]
    errors = [] if text.startswith("/") else [invalid(path, text, "must start with a '/'")]
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            errors.append(invalid(path, text, f"segment[{index}] may not be empty"))
        else:
            errors += [invalid(path, text, f"segment[{index}]: {why}") for why in names.dns_subdomain(step)]
    return errors

"""Names of signers of certificates, such as "kubernetes.io/kubelet-serving"."""

from __future__ import annotations

from collections.abc import Callable

from sampan.api import names
from sampan.api.errors import FieldError, invalid, required, too_long

_PATH_BYTES = names.SUBDOMAIN_LENGTH + names.LABEL_LENGTH + 1
_SIGNER_BYTES = names.SUBDOMAIN_LENGTH + _PATH_BYTES + 1


def validate_signer_name(name: str, path: str) -> list[FieldError]:
    """ValidateSignerName: "domain.com/something", long enough for <fqdn>/<namespace>.<name>."""
    if not name:
        return [required(path)]
    parts = name.split("/")
    if len(parts) != 2:
        why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(path, name, why)]
    domain, rest = parts
    errors: list[FieldError] = []
    if len(domain.encode()) > names.SUBDOMAIN_LENGTH:
        errors.append(too_long(path, names.SUBDOMAIN_LENGTH))
    errors += _first_bad_label(domain, names.dns_label, path)
    if "." not in domain:
        errors.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    errors += _first_bad_label(rest, names.dns_subdomain, path)
    if len(name.encode()) > _SIGNER_BYTES:
        errors.append(too_long(path, _SIGNER_BYTES))
    return errors


def _first_bad_label(text: str, rule: Callable[[str], list[str]], path: str) -> list[FieldError]:
    for label in text.split("."):
        if problems := rule(label):
            return [invalid(path, text, f'validating label "{label}": {why}') for why in problems]
    return []

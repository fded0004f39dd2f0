"""How a definition's versions are made of each other: `spec.conversion`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from sampan.api import names
from sampan.api.crd.structure import Tree
from sampan.api.errors import FieldError, GoText, forbidden_field, invalid, not_supported, required
from sampan.api.groups.validation.webhookclients import validate_webhook_service, validate_webhook_url
from sampan.api.repeats import repeats

_REVIEW_VERSIONS: Final = ("v1", "v1beta1")
_STRATEGIES: Final = ("None", "Webhook")


def has_known_review_version(versions: Sequence[str]) -> bool:
    """Or none at all."""
    return not versions or any(version in _REVIEW_VERSIONS for version in versions)


def is_ca_bundle(encoded: str) -> bool:
    """Whether there is a certificate in it, in PEM."""
    try:
        text = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    return b"-----BEGIN CERTIFICATE-----" in text and b"-----END CERTIFICATE-----" in text


def validate_conversion(conversion: Tree, path: str, review_version_required: bool, any_bundle: bool) -> list[FieldError]:
    """Of an internal spec."""
    strategy, errors = conversion["strategy"], []
    if not strategy:
        errors.append(required(f"{path}.strategy"))
    elif strategy not in _STRATEGIES:
        errors.append(not_supported(f"{path}.strategy", strategy, _STRATEGIES))
    versions: list[str] = conversion["conversionReviewVersions"]
    config = conversion.get("webhookClientConfig")
    if strategy == "Webhook":
        errors += _validate_client(config, f"{path}.webhookClientConfig", any_bundle)
        return errors + _validate_review_versions(versions, f"{path}.conversionReviewVersions", review_version_required)
    why = "should not be set when strategy is not set to Webhook"
    if config is not None:
        errors.append(forbidden_field(f"{path}.webhookClientConfig", why))
    if versions:
        errors.append(forbidden_field(f"{path}.conversionReviewVersions", why))
    return errors


def _validate_client(config: Tree | None, path: str, any_bundle: bool) -> list[FieldError]:
    if config is None:
        return [required(path, "required when strategy is set to Webhook")]
    url, service, bundle = config.get("url"), config.get("service"), config.get("caBundle")
    if (url is None) is (service is None):
        errors = [required(path, "exactly one of url or service is required")]
    elif url is not None:
        errors = validate_webhook_url(url, f"{path}.url")
    else:
        assert service is not None
        # Upstream hands over name and namespace in the wrong order: of one that is missing, the other is reported.
        swapped = {**service, "name": service.get("namespace", ""), "namespace": service.get("name", "")}
        errors = validate_webhook_service(swapped, f"{path}.service")
    if bundle and not any_bundle and not is_ca_bundle(bundle):
        shown = GoText("[]byte{" + ", ".join(f"0x{byte:x}" for byte in base64.b64decode(bundle)) + "}")
        why = "unable to load root certificates: unable to parse bytes as PEM block"
        errors.append(invalid(f"{path}.caBundle", shown, why))
    return errors


def _validate_review_versions(versions: list[str], path: str, known_required: bool) -> list[FieldError]:
    if not versions:
        return [required(path)]
    errors: list[FieldError] = []
    again = {index for index, _ in repeats(versions)}
    for index, version in enumerate(versions):
        place = f"{path}[{index}]"
        if index in again:
            errors.append(invalid(place, version, "duplicate version"))
        else:
            errors += [invalid(place, version, why) for why in names.dns_label_1035(version)]
    if known_required and not has_known_review_version(versions):
        errors.append(invalid(path, versions, "must include at least one of " + ", ".join(_REVIEW_VERSIONS)))
    return errors

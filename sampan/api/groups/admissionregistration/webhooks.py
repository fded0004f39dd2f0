"""What MutatingWebhookConfigurations and ValidatingWebhookConfigurations have in common, which is nearly all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.api import names
from sampan.api.cel.environment import NEW
from sampan.api.errors import FieldError, duplicate, invalid, not_supported, required
from sampan.api.groups.admissionregistration.expressions import Scope
from sampan.api.groups.admissionregistration.rules import (
    FAILURE_POLICIES,
    MATCH_POLICIES,
    default_matching,
    default_rules,
    validate_choice,
    validate_match_conditions,
    validate_rule,
)
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.groups.validation.webhookclients import validate_webhook_service, validate_webhook_url
from sampan.api.repeats import repeats
from sampan.api.resource import Column, Strategy, Tree

_PORT, _TIMEOUT_SECONDS, _LONGEST_SECONDS = 443, 10, 30
_REVIEW_VERSIONS = ("v1", "v1beta1")
_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_NO_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_REINVOCATIONS = ("IfNeeded", "Never")


def webhooks_of(tree: Tree) -> list[Tree]:
    found: list[Tree] = tree.get("webhooks", [])
    return found


def default_webhook(webhook: Tree) -> None:
    webhook.setdefault("failurePolicy", "Fail")
    webhook.setdefault("timeoutSeconds", _TIMEOUT_SECONDS)
    default_matching(webhook)
    default_rules(webhook.get("rules", ()))
    service = webhook.get("clientConfig", {}).get("service")
    if service is not None:
        service.setdefault("port", _PORT)


def default_webhooks(tree: Tree) -> None:
    for webhook in webhooks_of(tree):
        default_webhook(webhook)


def prepare_create(new: Tree) -> None:
    new["metadata"]["generation"] = 1


def prepare_update(new: Tree, old: Tree) -> None:
    if webhooks_of(new) != webhooks_of(old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


@dataclass(frozen=True)
class _Tolerated:
    """What is let be because the stored object has it already."""

    side_effects: bool = False
    unknown_reviews: bool = False
    same_names: bool = False
    bad_selectors: bool = False
    conditions: bool = False


def validate_new(tree: Tree) -> list[FieldError]:
    return _validate(tree, _Tolerated())


def validate_change(new: Tree, old: Tree) -> list[FieldError]:
    now, before = webhooks_of(new), webhooks_of(old)
    hook_names = [webhook.get("name", "") for webhook in before]
    tolerated = _Tolerated(
        side_effects=any(webhook.get("sideEffects") not in _NO_SIDE_EFFECTS for webhook in before),
        unknown_reviews=any(_has_only_unknown_reviews(webhook) for webhook in before),
        same_names=len(set(hook_names)) < len(hook_names),
        bad_selectors=any(_validate_selectors(webhook, "") for webhook in before),
        conditions=[w.get("matchConditions") for w in now] == [w.get("matchConditions") for w in before],
    )
    return _validate(new, tolerated)


def _has_only_unknown_reviews(webhook: Tree) -> bool:
    versions = webhook.get("admissionReviewVersions", [])
    return bool(versions) and not set(versions) & set(_REVIEW_VERSIONS)


def _validate(tree: Tree, tolerated: _Tolerated) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, webhook in enumerate(webhooks_of(tree)):
        path, name = f"webhooks[{index}]", webhook.get("name", "")
        errors += _validate_webhook(webhook, path, tolerated)
        versions = webhook.get("admissionReviewVersions", [])
        errors += _validate_review_versions(versions, f"{path}.admissionReviewVersions", tolerated)
        if name in seen and name and not tolerated.same_names:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
    return errors


def _validate_name(name: str, path: str) -> list[FieldError]:
    """IsFullyQualifiedName."""
    if not name:
        return [required(path)]
    if problems := names.dns_subdomain(name):
        return [invalid(path, name, ",".join(problems))]
    if name.count(".") < 2:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def _validate_webhook(webhook: Tree, path: str, tolerated: _Tolerated) -> list[FieldError]:
    errors = _validate_name(webhook.get("name", ""), f"{path}.name")
    for index, rule in enumerate(webhook.get("rules", ())):
        errors += validate_rule(rule, f"{path}.rules[{index}]")
    errors += validate_choice(webhook, "failurePolicy", FAILURE_POLICIES, path)
    errors += validate_choice(webhook, "matchPolicy", MATCH_POLICIES, path)
    errors += _validate_side_effects(webhook.get("sideEffects"), f"{path}.sideEffects", tolerated)
    seconds = webhook.get("timeoutSeconds", _TIMEOUT_SECONDS)
    if not 1 <= seconds <= _LONGEST_SECONDS:
        errors.append(invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds"))
    selectors = _validate_selectors(webhook, path)
    errors += [error for error in selectors if not (tolerated.bad_selectors and ".values[" in error.field)]
    errors += validate_choice(webhook, "reinvocationPolicy", _REINVOCATIONS, path)
    errors += _validate_client(webhook.get("clientConfig", {}), f"{path}.clientConfig")
    if not tolerated.conditions:
        conditions = webhook.get("matchConditions", ())
        errors += validate_match_conditions(conditions, Scope(version=NEW), f"{path}.matchConditions")
    return errors


def _validate_selectors(webhook: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(webhook.get(field, {}), f"{path}.{field}")
    return errors


def _validate_side_effects(value: str | None, path: str, tolerated: _Tolerated) -> list[FieldError]:
    allowed = _SIDE_EFFECTS if tolerated.side_effects else _NO_SIDE_EFFECTS
    if value is None:
        return [required(path, f"must specify one of {', '.join(allowed)}")]
    return [] if value in allowed else [not_supported(path, value, allowed)]


def _validate_client(client: Tree, path: str) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        return validate_webhook_url(url, f"{path}.url")
    assert service is not None, "one of both is there"
    return validate_webhook_service(service, f"{path}.service")


def _validate_review_versions(versions: Sequence[str], path: str, tolerated: _Tolerated) -> list[FieldError]:
    known = ", ".join(_REVIEW_VERSIONS)
    if not versions:
        return [required(path, f"must specify one of {known}")]
    errors: list[FieldError] = []
    again = {index for index, _ in repeats(versions)}
    for index, version in enumerate(versions):
        if index in again:
            errors.append(invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            errors += [invalid(f"{path}[{index}]", version, why) for why in names.dns_label_1035(version)]
    if not tolerated.unknown_reviews and not set(versions) & set(_REVIEW_VERSIONS):
        errors.append(invalid(path, list(versions), f"must include at least one of {known}"))
    return errors


STRATEGY = Strategy(
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    validate=validate_new,
    validate_change=validate_change,
    allow_unconditional_update=False,
)
COLUMNS = (NAME, Column("Webhooks", lambda tree, now: len(webhooks_of(tree)), "integer"), AGE)

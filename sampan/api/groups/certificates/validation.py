"""Rules of CertificateSigningRequests. After pkg/apis/certificates/validation.

What is wrong with a stored object already is let be; a certificate and a verdict each come through their own subresource.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.api.errors import FieldError, GoText, duplicate, forbidden_field, invalid, not_supported, required
from sampan.api.groups.certificates.parsing import BadCertificate, certificate_problem, check_request, decoded
from sampan.api.groups.validation.signers import validate_signer_name
from sampan.api.repeats import repeats
from sampan.api.resource import Tree

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
SHORTEST_SECONDS = 600
_STATUSES = ("False", "True", "Unknown")
USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only",
    "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
)  # fmt: skip


@dataclass(frozen=True)
class _Tolerated:
    both_verdicts: bool = False
    legacy_signer: bool = False
    double_conditions: bool = False
    nameless_conditions: bool = False
    any_certificate: bool = False
    double_usages: bool = False
    unknown_usages: bool = False


def conditions_of(tree: Tree) -> list[Tree]:
    found: list[Tree] = tree.get("status", {}).get("conditions", [])
    return found


def certificate_of(tree: Tree) -> bytes:
    return decoded(tree.get("status", {}).get("certificate", ""))


def of_type(tree: Tree, type_: str) -> list[Tree]:
    return [condition for condition in conditions_of(tree) if condition.get("type", "") == type_]


def _has_doubles(items: Sequence[str]) -> bool:
    return len(set(items)) < len(items)


def _tolerated(new: Tree, old: Tree) -> _Tolerated:
    spec, types = old.get("spec", {}), [condition.get("type", "") for condition in conditions_of(old)]
    usages = spec.get("usages", [])
    same_certificate = certificate_of(new) == certificate_of(old)
    return _Tolerated(
        both_verdicts=APPROVED in types and DENIED in types,
        legacy_signer=spec.get("signerName") == LEGACY_SIGNER,
        double_conditions=_has_doubles(types),
        nameless_conditions="" in types,
        any_certificate=same_certificate or bool(certificate_problem(certificate_of(old))),
        double_usages=_has_doubles(usages),
        unknown_usages=any(usage not in USAGES for usage in usages),
    )


def validate_new(tree: Tree) -> list[FieldError]:
    return _validate(tree, _Tolerated())


def validate_change(new: Tree, old: Tree) -> list[FieldError]:
    return _validate_update(new, old)


def validate_status(new: Tree, old: Tree) -> list[FieldError]:
    return _validate_update(new, old, may_certify=True)


def validate_approval(new: Tree, old: Tree) -> list[FieldError]:
    return _validate_update(new, old, may_decide=True)


def _shown_bytes(data: bytes) -> GoText:
    return GoText("[]byte{" + ", ".join(map(hex, data)) + "}") if data else GoText("[]byte(nil)")


def _validate(tree: Tree, tolerated: _Tolerated) -> list[FieldError]:
    spec = tree.get("spec", {})
    request, usages, signer = decoded(spec.get("request", "")), spec.get("usages", []), spec.get("signerName", "")
    errors: list[FieldError] = []
    try:
        check_request(request)
    except BadCertificate as error:
        errors.append(invalid("spec.request", _shown_bytes(request), str(error)))
    errors += _validate_usages(usages, tolerated)
    if signer == LEGACY_SIGNER and not tolerated.legacy_signer:
        errors.append(invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version"))
    else:
        errors += validate_signer_name(signer, "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < SHORTEST_SECONDS:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        errors.append(invalid("spec.expirationSeconds", seconds, why))
    errors += _validate_conditions(conditions_of(tree), tolerated)
    if not tolerated.any_certificate and (problem := certificate_problem(certificate_of(tree))):
        errors.append(invalid("status.certificate", "<certificate data>", problem))
    return errors


def _validate_usages(usages: Sequence[str], tolerated: _Tolerated) -> list[FieldError]:
    path = "spec.usages"
    errors = [] if usages else [required(path, "usages must be provided")]
    if not tolerated.unknown_usages:
        unknown = ((i, usage) for i, usage in enumerate(usages) if usage not in USAGES)
        errors += [not_supported(f"{path}[{i}]", usage, USAGES) for i, usage in unknown]
    if not tolerated.double_usages:
        errors += [duplicate(f"{path}[{i}]", usage) for i, usage in repeats(usages)]
    return errors


def _validate_conditions(conditions: Sequence[Tree], tolerated: _Tolerated) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        path, type_ = f"status.conditions[{index}]", condition.get("type", "")
        if not type_ and not tolerated.nameless_conditions:
            errors.append(required(f"{path}.type"))
        errors += _validate_condition_status(condition.get("status", ""), type_, path)
        other = {APPROVED: DENIED, DENIED: APPROVED}.get(type_)
        if other in seen and not tolerated.both_verdicts:
            errors.append(invalid(f"{path}.type", type_, "Approved and Denied conditions are mutually exclusive"))
        if type_ in seen and not tolerated.double_conditions:
            errors.append(duplicate(f"{path}.type", type_))
        seen.add(type_)
    return errors


def _validate_condition_status(status: str, type_: str, path: str) -> list[FieldError]:
    allowed = ("True",) if type_ in (APPROVED, DENIED, FAILED) else _STATUSES
    if not status:
        return [required(f"{path}.status")]
    return [] if status in allowed else [not_supported(f"{path}.status", status, allowed)]


def _validate_update(new: Tree, old: Tree, *, may_decide: bool = False, may_certify: bool = False) -> list[FieldError]:
    errors = _validate(new, _tolerated(new, old))
    path = "status.conditions"
    for type_ in (APPROVED, DENIED, FAILED):
        if len(of_type(new, type_)) < len(of_type(old, type_)):
            errors.append(forbidden_field(path, f'updates may not remove a condition of type "{type_}"'))
    for type_ in () if may_decide else (APPROVED, DENIED):
        now, before = of_type(new, type_), of_type(old, type_)
        if len(now) > len(before):
            errors.append(forbidden_field(path, f'updates may not add a condition of type "{type_}"'))
        elif len(now) == len(before) and now != before:
            errors.append(forbidden_field(path, f'updates may not modify a condition of type "{type_}"'))
    if certificate_of(new) != certificate_of(old):
        if not may_certify:
            errors.append(forbidden_field("status.certificate", "updates may not set certificate content"))
        elif certificate_of(old):
            errors.append(forbidden_field("status.certificate", "updates may not modify existing certificate content"))
    return errors

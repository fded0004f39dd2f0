"""CertificateSigningRequest: its rules, its conditions, and the PEM inside."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sampan.api.groups.certificates.certificatesigningrequest import (
    RESOURCE,
    prepare_approval,
    stamp_conditions,
)
from sampan.api.groups.certificates.parsing import certificate_problem
from sampan.api.groups.certificates.pem import blocks
from sampan.api.groups.certificates.validation import USAGES, validate_approval
from sampan.api.resource import Tree
from sampan.pki.certificates import CA
from tests.unit.groups.kinds import create_errors, created, row, shown, status_errors, update_errors
from tests.unit.groups.requests import request_pem

REQUEST = base64.b64encode(request_pem()).decode()
SIGNER = "example.com/clients"
CERTIFICATE = base64.b64encode(CA.create("test").cert_pem).decode()
ALL_USAGES = ", ".join(f'"{usage}"' for usage in USAGES)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def request(**spec: Any) -> Tree:
    defaults = {"request": REQUEST, "signerName": SIGNER, "usages": ["client auth"]}
    return {"metadata": {"name": "a"}, "spec": {k: v for k, v in (defaults | spec).items() if v is not None}}


def pem(type_: str, body: bytes = b"") -> str:
    text = f"-----BEGIN {type_}-----\n{base64.b64encode(body).decode()}\n-----END {type_}-----\n"
    return base64.b64encode(text.encode()).decode()


def forged() -> str:
    """A request whose signature is another's."""
    der = bytearray(next(blocks(request_pem())).der)
    der[-1] ^= 1
    return pem("CERTIFICATE REQUEST", bytes(der))


def shown_bytes(encoded: str) -> str:
    return "[]byte{" + ", ".join(hex(byte) for byte in base64.b64decode(encoded)) + "}"


def test_a_new_request_has_no_verdict() -> None:
    assert created(RESOURCE, request() | {"status": {"conditions": [{"type": "Approved", "status": "True"}]}}) == request()


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (request(), []),
        (request(expirationSeconds=600), []),
        (
            request(request=None),
            ["Invalid spec.request: Invalid value: []byte(nil): PEM block type must be CERTIFICATE REQUEST"],
        ),
        (
            request(request=pem("X", b"a")),
            [f"Invalid spec.request: Invalid value: {shown_bytes(pem('X', b'a'))}: PEM block type must be CERTIFICATE REQUEST"],
        ),
        (
            request(request=pem("CERTIFICATE REQUEST", b"a")),
            [
                f"Invalid spec.request: Invalid value: {shown_bytes(pem('CERTIFICATE REQUEST', b'a'))}: "
                "x509: malformed certificate request"
            ],
        ),
        (request(usages=None), ["Required spec.usages: Required value: usages must be provided"]),
        (
            request(usages=["any", "fun", "any"]),
            [
                f'NotSupported spec.usages[1]: Unsupported value: "fun": supported values: {ALL_USAGES}',
                'Duplicate spec.usages[2]: Duplicate value: "any"',
            ],
        ),
        (request(signerName=None), ["Required spec.signerName: Required value"]),
        (
            request(signerName="kubernetes.io/legacy-unknown"),
            [
                'Invalid spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": '
                "the legacy signerName is not allowed via this API version"
            ],
        ),
        (
            request(signerName="clients"),
            [
                'Invalid spec.signerName: Invalid value: "clients": '
                "must be a fully qualified domain and path of the form 'example.com/signer-name'"
            ],
        ),
        (
            request(signerName="Example/clients"),
            [
                f'Invalid spec.signerName: Invalid value: "Example": validating label "Example": {LABEL_RULE}',
                'Invalid spec.signerName: Invalid value: "Example": '
                "should be a domain with at least two segments separated by dots",
            ],
        ),
        (
            request(expirationSeconds=599),
            [
                "Invalid spec.expirationSeconds: Invalid value: 599: "
                "may not specify a duration less than 600 seconds (10 minutes)"
            ],
        ),
    ],
)
def test_rules_of_requests(tree: Tree, expected: list[str]) -> None:
    assert create_errors(RESOURCE, tree) == expected


def test_a_request_is_signed_by_the_key_that_it_asks_for() -> None:
    [error] = create_errors(RESOURCE, request(request=forged()))
    assert error.endswith("x509: ECDSA verification failure")


def condition(type_: str, status: str = "True") -> Tree:
    return {"type": type_, "status": status}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"certificate": CERTIFICATE}, []),
        ({}, {"conditions": [condition("Failed"), condition("Seen", "False")]}, []),
        (
            {},
            {"certificate": pem("PRIVATE KEY", b"a")},
            [
                'Invalid status.certificate: Invalid value: "<certificate data>": '
                'only CERTIFICATE PEM blocks are allowed, found "PRIVATE KEY"'
            ],
        ),
        (
            {"certificate": CERTIFICATE},
            {},
            ["Forbidden status.certificate: Forbidden: updates may not modify existing certificate content"],
        ),
        (
            {},
            {"conditions": [condition("Approved")]},
            ['Forbidden status.conditions: Forbidden: updates may not add a condition of type "Approved"'],
        ),
        (
            {"conditions": [condition("Failed")]},
            {},
            ['Forbidden status.conditions: Forbidden: updates may not remove a condition of type "Failed"'],
        ),
        (
            {},
            {"conditions": [condition("Failed", "False"), {"type": ""}]},
            [
                'NotSupported status.conditions[0].status: Unsupported value: "False": supported values: "True"',
                "Required status.conditions[1].type: Required value",
                "Required status.conditions[1].status: Required value",
            ],
        ),
        (
            {},
            {"conditions": [condition("Seen"), condition("Seen")]},
            ['Duplicate status.conditions[1].type: Duplicate value: "Seen"'],
        ),
    ],
)
def test_rules_of_the_status(before: Tree, after: Tree, expected: list[str]) -> None:
    assert status_errors(RESOURCE, request(), before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], ["Approved"], []),
        ([], ["Denied"], []),
        (
            ["Approved"],
            ["Approved", "Denied"],
            [
                'Invalid status.conditions[1].type: Invalid value: "Denied": '
                "Approved and Denied conditions are mutually exclusive"
            ],
        ),
        (
            ["Denied"],
            [],
            ['Forbidden status.conditions: Forbidden: updates may not remove a condition of type "Denied"'],
        ),
    ],
)
def test_rules_of_the_approval(before: list[str], after: list[str], expected: list[str]) -> None:
    old = request() | {"status": {"conditions": [condition(type_) for type_ in before]}}
    new = request(usages=["any"]) | {
        "status": {"conditions": [condition(type_) for type_ in after], "certificate": CERTIFICATE}
    }
    prepare_approval(new, old)
    assert new["spec"] == old["spec"]
    assert "certificate" not in new["status"]
    assert shown(validate_approval(new, old)) == expected


def test_conditions_are_dated_unless_they_are_already() -> None:
    then, now = "2023-11-14T22:00:00Z", "2023-11-14T22:13:20Z"
    old = request() | {"status": {"conditions": [condition("Approved") | {"lastTransitionTime": then}]}}
    conditions = [condition("Approved"), condition("Failed"), condition("Seen") | {"lastUpdateTime": then}]
    new = request() | {"status": {"conditions": conditions}}
    stamp_conditions(new, old, now)
    assert [(c["lastUpdateTime"], c["lastTransitionTime"]) for c in conditions] == [(now, then), (now, now), (then, now)]


def test_an_update_changes_neither_request_nor_verdict() -> None:
    assert update_errors(RESOURCE, request(), {"spec": {"usages": []}, "status": {"certificate": CERTIFICATE}}) == []


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "Pending"),
        ({"conditions": [condition("Approved")]}, "Approved"),
        ({"conditions": [condition("Approved")], "certificate": CERTIFICATE}, "Approved,Issued"),
        ({"conditions": [condition("Denied"), condition("Failed")]}, "Denied,Failed"),
    ],
)
def test_requests_in_a_table(status: Tree, state: str) -> None:
    tree = request(username="alice", expirationSeconds=86400) | {"status": status}
    assert row(RESOURCE, tree) == {
        "Name": "a",
        "Age": "5m",
        "SignerName": SIGNER,
        "Requestor": "alice",
        "RequestedDuration": "24h",
        "Condition": state,
    }


def test_blocks_are_read_from_between_other_text() -> None:
    text = b"note\n-----BEGIN A-----\nk: v\n\nYQ==\n-----END A-----\n-----BEGIN B-----\n!\n-----END B-----\n"
    text += b"-----BEGIN C-----\nYQ==\n-----END D-----\n-----BEGIN E-----\nYg==\n-----END E-----"
    assert [tuple(block) for block in blocks(text)] == [("A", True, b"a"), ("E", False, b"b")]


@pytest.mark.parametrize(
    "text",
    [b"-----BEGIN A-----\n" * 100_000, b"-----BEGIN A-----\n-----END B-----\n" * 50_000, b"-----END A-----\n" * 100_000],
    ids=["begins", "pairs that do not match", "ends"],
)
def test_blocks_are_looked_for_in_one_pass(text: bytes) -> None:
    assert list(blocks(text)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", ""),
        (base64.b64decode(CERTIFICATE) * 2, ""),
        (b"x", "must contain at least one CERTIFICATE PEM block"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "found CERTIFICATE PEM block containing 0 certificates"),
        (b"-----BEGIN CERTIFICATE-----\na: b\n\nYQ==\n-----END CERTIFICATE-----", "no PEM block headers are permitted"),
        (b"-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----", "x509: malformed certificate"),
    ],
)
def test_what_a_chain_of_certificates_is(text: bytes, problem: str) -> None:
    assert certificate_problem(text) == problem

"""What is in the PEM of a signing request and of the certificate that answers it."""

from __future__ import annotations

import binascii
from base64 import b64decode

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from sampan.api.groups.certificates.pem import blocks, first


class BadCertificate(ValueError):
    """The message is for the client."""


def decoded(field: str) -> bytes:
    """A bytes field of a tree, which the server has found to be base64."""
    try:
        return b64decode(field)
    except binascii.Error:
        return b""


def parse_request(pem: bytes) -> x509.CertificateSigningRequest:
    """ParseCSR. Raises BadCertificate."""
    block = first(pem)
    if block is None or block.type_ != "CERTIFICATE REQUEST":
        raise BadCertificate("PEM block type must be CERTIFICATE REQUEST")
    try:
        return x509.load_der_x509_csr(block.der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate("x509: malformed certificate request") from error


def check_request(pem: bytes) -> None:
    """That it is one, and signed by the key it asks a certificate for. Raises BadCertificate."""
    request = parse_request(pem)
    try:
        key = request.public_key()
        valid = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise BadCertificate("x509: cannot verify signature: algorithm unimplemented") from error
    if valid:
        return
    if isinstance(key, rsa.RSAPublicKey):
        raise BadCertificate("crypto/rsa: verification error")
    if isinstance(key, ec.EllipticCurvePublicKey):
        raise BadCertificate("x509: ECDSA verification failure")
    if isinstance(key, ed25519.Ed25519PublicKey):
        raise BadCertificate("x509: Ed25519 verification failure")
    raise BadCertificate("x509: cannot verify signature: algorithm unimplemented")


def organizations(request: x509.CertificateSigningRequest) -> list[str]:
    """Raises BadCertificate."""
    try:
        return [str(a.value) for a in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    except ValueError as error:
        raise BadCertificate("x509: invalid RDNSequence") from error


def certificate_problem(pem: bytes) -> str:
    """Why this is no chain of certificates; "" when it is one, or nothing."""
    if not pem:
        return ""
    count = 0
    for block in blocks(pem):
        if block.type_ != "CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{block.type_}"'
        if block.headers:
            return "no PEM block headers are permitted"
        if not block.der:
            return "found CERTIFICATE PEM block containing 0 certificates"
        try:
            x509.load_der_x509_certificate(block.der)
        except ValueError:
            return "x509: malformed certificate"
        count += 1
    return "" if count else "must contain at least one CERTIFICATE PEM block"

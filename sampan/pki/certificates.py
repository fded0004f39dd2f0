"""The cluster's certificate authority and the X.509 certificates it issues: EC P-256, PEM in and out.

    ca = CA.create("kubernetes")
    cert_pem, key_pem = ca.issue("kubernetes-admin", ("system:masters",), usages=(CLIENT,))

As in Kubernetes, a client certificate's common name is the user and its organizations are the groups
(https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates).
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = "client"
SERVER = "server"

BACKDATE = timedelta(minutes=5)
"""A certificate is valid from a little before it was made, for machines whose clocks differ."""

_USAGES = {CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH, SERVER: ExtendedKeyUsageOID.SERVER_AUTH}


class Subject(NamedTuple):
    """Who a certificate is about: its common name and organizations, "" and () where it has none."""

    common_name: str
    organizations: tuple[str, ...]


@dataclass(frozen=True)
class CA:
    """A certificate authority: its own certificate and the key that signs."""

    cert_pem: bytes
    key_pem: bytes

    @classmethod
    def create(cls, common_name: str, *, days: int = 3650, now: float | None = None) -> CA:
        """A new self-signed authority. `now` is seconds since the epoch."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name, ())
        builder = _builder(name, name, key.public_key(), days, now)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(ca=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # An authority's certificate names itself as a host, as kubeadm's does; some TLS clients insist on a SAN anywhere.
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
        return cls(_cert_pem(builder.sign(key, hashes.SHA256())), private_key_pem(key))

    @classmethod
    def load(cls, cert_pem: bytes, key_pem: bytes) -> CA:
        """Raises ValueError where the two are not PEM or do not belong together."""
        certificate = x509.load_pem_x509_certificate(cert_pem)
        if certificate.public_key() != _load_key(key_pem).public_key():
            raise ValueError("the CA's key does not belong to its certificate")
        return cls(cert_pem, key_pem)

    def issue(
        self,
        common_name: str,
        organizations: Sequence[str] = (),
        dns_names: Sequence[str] = (),
        ips: Sequence[str] = (),
        usages: Sequence[str] = (CLIENT,),
        days: int = 365,
        now: float | None = None,
    ) -> tuple[bytes, bytes]:
        """A new key and its certificate: (cert_pem, key_pem). `usages` of CLIENT and SERVER."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert_pem = self._sign(_name(common_name, organizations), key.public_key(), dns_names, ips, usages, days, now)
        return cert_pem, private_key_pem(key)

    def _sign(
        self,
        subject: x509.Name,
        public_key: CertificatePublicKeyTypes,
        dns_names: Sequence[str],
        ips: Sequence[str],
        usages: Sequence[str],
        days: int,
        now: float | None,
    ) -> bytes:
        issuer = x509.load_pem_x509_certificate(self.cert_pem)
        signer = _load_key(self.key_pem)
        builder = _builder(subject, issuer.subject, public_key, days, now)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(ca=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([_USAGES[usage] for usage in usages]), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return _cert_pem(builder.sign(signer, hashes.SHA256()))


def subject_of(der: bytes) -> Subject:
    """The subject of a certificate in DER, as a TLS connection hands it over. Raises ValueError if it is not one."""
    subject = x509.load_der_x509_certificate(der).subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return Subject(str(names[0].value) if names else "", tuple(str(o.value) for o in organizations))


def expires(cert_pem: bytes) -> float:
    """When a certificate ends, in seconds since the epoch."""
    return x509.load_pem_x509_certificate(cert_pem).not_valid_after_utc.timestamp()


def expires_der(der: bytes) -> float:
    """As `expires`, of a certificate in DER."""
    return x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()


def issued_by(der: bytes, ca_pem: bytes) -> bool:
    """Whether one of the authorities in `ca_pem` signed the certificate itself."""
    certificate = x509.load_der_x509_certificate(der)
    for authority in x509.load_pem_x509_certificates(ca_pem):
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def new_key_pem() -> bytes:
    """A new EC P-256 private key, PKCS #8 in PEM."""
    return private_key_pem(ec.generate_private_key(ec.SECP256R1()))


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip


def _load_key(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic-curve key")
    return key


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: CertificatePublicKeyTypes, days: int, now: float | None
) -> x509.CertificateBuilder:
    moment = datetime.fromtimestamp(int(time.time() if now is None else now), UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - BACKDATE)
        .not_valid_after(moment + timedelta(days=days))
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _cert_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

"""The certificate authority: what it issues is what TLS and authentication need."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from sampan.pki.certificates import CA, CLIENT, SERVER, Subject, expires, subject_of

NOW = 1_700_000_000.0


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


def test_the_subject_of_a_client_certificate_is_its_user_and_groups() -> None:
    cert, _ = CA.create("kubernetes").issue("jane", ("dev", "ops"))
    assert subject_of(der(cert)) == Subject("jane", ("dev", "ops"))


def test_a_certificate_starts_in_the_past_and_ends_when_asked() -> None:
    cert, _ = CA.create("kubernetes", now=NOW).issue("jane", days=2, now=NOW)
    parsed = x509.load_pem_x509_certificate(cert)
    assert parsed.not_valid_before_utc.timestamp() == NOW - 300
    assert expires(cert) == NOW + 2 * 86400


def test_serial_numbers_differ() -> None:
    ca = CA.create("kubernetes")
    serials = {x509.load_pem_x509_certificate(ca.issue("jane")[0]).serial_number for _ in range(4)}
    assert len(serials) == 4


def test_a_server_certificate_verifies_for_its_names_and_addresses() -> None:
    ca = CA.create("kubernetes")
    cert, _ = ca.issue("kube-apiserver", dns_names=["localhost"], ips=["127.0.0.1", "::1"], usages=[SERVER])
    store = Store([x509.load_pem_x509_certificate(ca.cert_pem)])
    for subject in (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))):
        verifier = PolicyBuilder().store(store).build_server_verifier(subject)
        assert verifier.verify(x509.load_pem_x509_certificate(cert), [])


def test_a_ca_survives_being_stored_and_loaded() -> None:
    ca = CA.create("kubernetes")
    again = CA.load(ca.cert_pem, ca.key_pem)
    assert subject_of(der(again.issue("jane")[0])).common_name == "jane"


def test_a_ca_with_a_foreign_key_is_refused() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        CA.load(CA.create("a").cert_pem, CA.create("b").key_pem)


def test_a_client_without_a_certificate_of_the_ca_cannot_connect(tmp_path: Path) -> None:
    ca, other = CA.create("kubernetes"), CA.create("kubernetes")
    assert _greeting(ca, ca, tmp_path) == b"jane"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _greeting(ca, other, tmp_path)


def _greeting(ca: CA, client_ca: CA, directory: Path) -> bytes:
    """What a TLS server that demands client certificates answers to one: the name it read in it."""
    server = _context(ssl.PROTOCOL_TLS_SERVER, ca, ca.issue("server", dns_names=["localhost"], usages=[SERVER]), directory)
    client = _context(ssl.PROTOCOL_TLS_CLIENT, ca, client_ca.issue("jane", usages=[CLIENT]), directory)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                connection.sendall(subject_of(connection.getpeercert(binary_form=True) or b"").common_name.encode())
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname="localhost") as connection:
            return connection.recv(100)
    finally:
        thread.join()


def _context(protocol: int, ca: CA, pair: tuple[bytes, bytes], directory: Path) -> ssl.SSLContext:
    path = directory / "pair.pem"
    path.write_bytes(pair[0] + pair[1])
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(path)
    context.load_verify_locations(cadata=ca.cert_pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    return context

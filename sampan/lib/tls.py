"""TLS contexts from PEM bytes: TLS 1.2 or newer, ALPN `http/1.1`, client certificates where a CA for them is given."""

from __future__ import annotations

import os
import ssl
import tempfile

_PLAIN = b"Client sent an HTTP request to an HTTPS server.\n"
_PLAIN_ANSWER = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_PLAIN), _PLAIN)


class _Handshake(ssl.SSLObject):
    """The server's side of a connection, which tells clients that speak plain HTTP why they get no answer.

    As net/http does, but with a length: the loop leaves it to the client to close the connection, or to the timeout.
    """

    outgoing: ssl.MemoryBIO | None = None
    """What goes to the client."""
    _was_told = False

    def do_handshake(self) -> None:
        if self._was_told:
            raise ssl.SSLError("plain HTTP")
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if error.reason != "HTTP_REQUEST" or self.outgoing is None:
                raise
            self.outgoing.write(_PLAIN_ANSWER)
            self._was_told = True
            raise ssl.SSLWantReadError from None


class _ServerContext(ssl.SSLContext):
    sslobject_class = _Handshake

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        wrapped = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(wrapped, _Handshake):
            wrapped.outgoing = outgoing
        return wrapped


def server_context(
    cert_pem: bytes, key_pem: bytes, client_ca_pem: bytes = b"", *, require_client: bool = False
) -> ssl.SSLContext:
    """For a listener. With `client_ca_pem` a client may (`require_client`: must) show a certificate of that CA.

    A certificate of another CA fails the handshake; OpenSSL has no way to let it through to an authenticator.
    """
    context = _ServerContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    # Of cipher suites the client's order counts: all are good, and Go's clients put first what is cheapest where they run.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    # Nobody resumes sessions here, and two tickets a handshake cost time and memory on both sides.
    context.num_tickets = 0
    _load_pair(context, cert_pem, key_pem)
    if client_ca_pem:
        context.load_verify_locations(cadata=client_ca_pem.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    return context


def client_context(
    ca_pem: bytes = b"", cert_pem: bytes = b"", key_pem: bytes = b"", *, insecure: bool = False
) -> ssl.SSLContext:
    """For a connection to a server that `ca_pem` (empty: the system's authorities) vouches for; `insecure` trusts any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_pem:
        context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if cert_pem:
        _load_pair(context, cert_pem, key_pem)
    return context


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])


def _load_pair(context: ssl.SSLContext, cert_pem: bytes, key_pem: bytes) -> None:
    # OpenSSL's binding reads a chain from a file only; mkstemp makes it 0600 and it lives for this call.
    handle, path = tempfile.mkstemp(prefix="sampan-tls-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(cert_pem + (b"" if cert_pem.endswith(b"\n") else b"\n") + key_pem)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)

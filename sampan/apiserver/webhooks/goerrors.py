"""Failures of a call, in the words of Go's network libraries: upstream's messages end in them, and people search for them."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Final

_X509: Final[Mapping[int, str]] = {
    9: "certificate is not valid yet",
    10: "certificate has expired or is not yet valid",
    18: "certificate signed by unknown authority",
    19: "certificate signed by unknown authority",
    20: "certificate signed by unknown authority",
    21: "certificate signed by unknown authority",
}
"""By OpenSSL's X509_V_ERR_…; names that do not match have words of their own."""
_WRONG_NAME: Final = frozenset((62, 64))
_REFUSED: Final[Mapping[int, str]] = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "forbidden",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    406: "the server was unable to respond with a content type that the client supports",
    409: "the server reported a conflict",
    410: "the server could not find the requested resource",
    415: "the body of the request was in an unknown format",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
_SHOWN_CHARACTERS: Final = 2048


def connect_error(address: str, port: int, host: str, error: BaseException) -> str:
    """`error` is what came of connecting to the address, to speak to `host`."""
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_x509(cause, host)}"
    if isinstance(cause, ssl.SSLError):
        return f"remote error: tls: {(cause.reason or 'handshake failure').lower().replace('_', ' ')}"
    if isinstance(cause, socket.gaierror):
        return f"dial tcp: lookup {address}: no such host"
    if isinstance(cause, ConnectionRefusedError):
        return f"dial tcp {place}: connect: connection refused"
    if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT):
        return f"dial tcp {place}: connect: {os.strerror(cause.errno).lower()}"
    if isinstance(cause, ConnectionResetError):
        return "EOF"
    return str(cause) or type(cause).__name__


def _x509(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in _WRONG_NAME:
        return f"certificate is not valid for any names, but wanted to match {host}"
    return _X509.get(error.verify_code, error.verify_message)


def answer_error(status: int, body: bytes) -> str:
    """What client-go makes of an answer that is no success and no Status."""
    text = body[:_SHOWN_CHARACTERS].decode(errors="replace").strip()
    words = _REFUSED.get(status)
    if words is None:
        return f'an error on the server ("{text or "unknown"}") has prevented the request from succeeding'
    return f"{words}: {text}" if text and status == 403 else words

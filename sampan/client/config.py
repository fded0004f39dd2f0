"""Where a server is and who the client is: what a kubeconfig's context comes down to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClientConfig:
    """Immutable; PEM contents rather than paths, so that a config can be handed to another process or a test."""

    server: str
    """A URL, `https://host:port` with perhaps a path."""
    ca_pem: bytes = b""
    """Empty: the system's authorities."""
    cert_pem: bytes = b""
    key_pem: bytes = b""
    token: str = ""
    token_file: str = ""
    """Read again now and then: a projected service-account token is replaced while the process lives."""
    insecure: bool = False
    user_agent: str = "sampan"
    """Empty: each request brings its own."""

"""What an API server is told at start; every field has the default that upstream or `sampan up` uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sampan.apiserver.admission.configuration import AdmissionSettings


@dataclass(frozen=True, kw_only=True)
class APIServerConfig:
    """PEM fields hold the text itself, not a path; the command line reads the files."""

    bind: Sequence[tuple[str, int]] = (("127.0.0.1", 0),)
    """Addresses to listen on; port 0 takes a free one. The first is the one `APIServer.url` names."""
    tls_cert_pem: bytes = b""
    tls_key_pem: bytes = field(default=b"", repr=False)
    client_ca_pem: bytes = b""
    """CA that client certificates must be signed by."""
    service_account_key_pem: bytes = field(default=b"", repr=False)
    """Private key that signs service-account tokens; its public half verifies them."""
    service_account_verify_keys_pem: Sequence[bytes] = ()
    """Further keys, public or private, whose tokens are believed: those that signed before, or will."""
    token_file: str = field(default="", repr=False)
    """Lines of `token,user,uid,"group1,group2"`: users who show a fixed bearer token."""
    issuer: str = "https://kubernetes.default.svc.cluster.local"
    service_cidr: str = "10.96.0.0/12"
    node_port_range: tuple[int, int] = (30000, 32767)
    """First and last port, both included."""
    advertise_address: str = ""
    """Address that the `kubernetes` Service leads to; empty: the first bound one."""
    kubelet_client_cert_pem: bytes = b""
    kubelet_client_key_pem: bytes = field(default=b"", repr=False)
    kubelet_ca_pem: bytes = b""
    """CA of the kubelets' serving certificates; empty: `client_ca_pem`."""
    requestheader_client_ca_pem: bytes = b""
    """CA of front proxies, whose headers are believed to say who asks; empty: there are none."""
    requestheader_allowed_names: Sequence[str] = ()
    """Common names that their certificates must have; none: any."""
    proxy_client_cert_pem: bytes = b""
    """What this server shows as a front proxy itself, to the servers behind APIServices."""
    proxy_client_key_pem: bytes = field(default=b"", repr=False)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    event_ttl_seconds: int = 3600
    request_timeout_seconds: float = 60.0
    shutdown_delay_seconds: float = 0.0
    """How long it still serves once it was told to stop, /readyz saying so."""
    max_requests_inflight: int = 600
    """How many requests run at once, long ones apart; priority and fairness divides them. Upstream's two limits together."""
    max_body_bytes: int = 3 * 1024 * 1024
    min_watch_seconds: int = 1800
    """A watch without timeoutSeconds ends after a random time between this and twice this."""

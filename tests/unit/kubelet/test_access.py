"""Whom the node's server takes a client for."""

from __future__ import annotations

import asyncio

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sampan.kubelet.access import Access, Caller
from sampan.lib.clock import ManualClock
from sampan.lib.http import Peer, Request
from sampan.pki.certificates import CA


def test_a_certificate_is_good_until_it_runs_out_also_on_a_connection_that_stays_open() -> None:
    clock = ManualClock()
    pem, _ = CA.create("test").issue("ann", ("ops",), days=1, now=clock.now())
    request = Request("GET", "/pods", "", {}, b"", Peer("", x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)))
    access = Access(None, "node-1", clock)

    async def scenario() -> None:
        assert await access.authenticate(request) == Caller("ann", "", ("ops",))
        await clock.advance(86400)
        assert await access.authenticate(request) is None

    asyncio.run(scenario())

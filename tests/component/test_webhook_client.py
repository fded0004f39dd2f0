"""Calls to webhooks, against TLS servers on loopback: what is sent, where it goes, and what is said when it fails."""

from __future__ import annotations

import base64
import socket
from typing import Any

import pytest

from sampan.apiserver.webhooks.client import WebhookCallError
from sampan.lib.http import Response
from tests.component.conftest import Api, Served
from tests.component.webhooks import Tree, authority, bundle, put_service, webhook


def echo(review: Tree) -> Tree:
    return {"echo": review}


async def refusal(served: Served, client_config: Tree, seconds: float = 5) -> str:
    with pytest.raises(WebhookCallError) as caught:
        await served.server.context.webhooks.call(client_config, {"kind": "Review"}, seconds)
    return str(caught.value)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_a_url_is_posted_to_with_the_timeout_in_its_query_over_one_kept_connection(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(echo) as hook:
            for number in range(3):
                answer = await served.server.context.webhooks.call(hook.client_config("/a/b"), {"number": number}, 7)
                assert answer == {"echo": {"number": number}}
            asked = hook.requests
            assert {(r.method, r.path, r.query) for r in asked} == {("POST", "/a/b", "timeout=7s")}
            assert asked[0].headers["content-type"] == "application/json"
            assert len({id(r.peer) for r in asked}) == 1

    api(scenario)


def test_a_service_is_reached_at_a_ready_endpoint_under_the_name_its_certificate_has(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(echo, dns_names=("hooks.default.svc",)) as hook:
            await put_service(served.server, "hooks", hook.port)
            service = {"namespace": "default", "name": "hooks", "path": "/convert"}
            config = {"service": service, "caBundle": bundle(hook.ca)}
            assert await served.server.context.webhooks.call(config, {"a": 1}, 5) == {"echo": {"a": 1}}
            assert hook.requests[0].headers["host"] == "hooks.default.svc:443"

    api(scenario)


def test_a_service_that_leads_nowhere_is_named_in_the_error(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await put_service(served.server, "asleep", 1, ready=False)
        for name, port, why in (
            ("absent", 443, 'service "absent" not found'),
            ("asleep", 443, 'no endpoints available for service "asleep"'),
            ("asleep", 80, 'no service port 80 found for service "asleep"'),
        ):
            config = {"service": {"namespace": "default", "name": name, "port": port}, "caBundle": bundle(authority())}
            said = await refusal(served, config)
            assert said == f'Post "https://{name}.default.svc:{port}/?timeout=5s": {why}'

    api(scenario)


def test_network_and_tls_failures_are_worded_as_gos_are(api: Api) -> None:
    async def scenario(served: Served) -> None:
        port = free_port()
        nobody = {"url": f"https://127.0.0.1:{port}/x", "caBundle": bundle(authority())}
        asked = f'Post "https://127.0.0.1:{port}/x?timeout=5s": '
        assert await refusal(served, nobody) == f"{asked}dial tcp 127.0.0.1:{port}: connect: connection refused"
        async with webhook(echo, dns_names=("other.example",)) as hook:
            said = await refusal(served, hook.client_config(ca=authority("another")))
            assert said.endswith(": tls: failed to verify certificate: x509: certificate signed by unknown authority")
            named = {"url": f"https://localhost:{hook.port}/", "caBundle": bundle(hook.ca)}
            assert "x509: certificate is" in await refusal(served, named)
        broken = {"url": "https://127.0.0.1:1/", "caBundle": base64.b64encode(b"no pem").decode()}
        assert "unable to load root certificates" in await refusal(served, broken)

    api(scenario)


def test_a_webhook_that_does_not_answer_in_time_is_given_up(api: Api) -> None:
    async def scenario(served: Served) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
            said = await refusal(served, {"url": url, "caBundle": bundle(authority())}, 0.2)
            assert said == f'Post "{url}?timeout=0.2s": context deadline exceeded'

    api(scenario)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response(404, b"nope"), "the server could not find the requested resource"),
        (Response(500, b"boom", "text/plain"), 'an error on the server ("boom") has prevented the request from succeeding'),
        (Response(500, b"boom"), 'an error on the server ("unknown") has prevented the request from succeeding'),
        (
            Response(200, b"<html>"),
            "couldn't get version/kind; json parse error: invalid character '<' looking for beginning of value",
        ),
        (Response(200, b"[]"), "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value"),
        (Response(200), "0-length response with status code: 200 and content type: application/json"),
        (Response(200, b'{"kind":"Status","apiVersion":"v1"}'), "converting (v1.Status) to ("),
        (Response(400, b'{"kind":"Status","message":"bad review"}'), "bad review"),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_says_why(api: Api, answer: Response, words: str) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: answer) as hook:
            assert words in await refusal(served, hook.client_config())

    api(scenario)


def test_a_configuration_without_url_and_service_is_refused(api: Api) -> None:
    async def scenario(served: Served) -> None:
        configs: list[dict[str, Any]] = [{}, {"caBundle": ""}]
        for config in configs:
            assert await refusal(served, config) == "webhook configuration must have either service or URL"

    api(scenario)

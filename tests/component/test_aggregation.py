"""The aggregation layer: requests that go to an extension API server, and what this one says of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sampan.client.config import ClientConfig
from sampan.client.transport import Transport
from sampan.pki.certificates import CA, CLIENT
from tests.component.conftest import Api, Served
from tests.component.extension import APIS, HOST, NAME, SERVICES, Joined, Tree, with_extension
from tests.component.streaming import NAMESPACE


def test_requests_go_to_the_extension_server_with_the_users_name(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        assert (await joined.becomes("True", "Passed"))["message"] == "all checks passed"
        joined.extension.seen.clear()
        path = f"{APIS}/namespaces/default/rates/a%2Fb"
        answer = await joined.served.transport.request(
            "GET", f"{APIS}/namespaces/default/rates/a b", query={"x": "1"},
            headers=[("X-Remote-User", "forged"), ("X-Remote-Group", "system:masters"), ("X-Remote-Extra-Forged", "1")],
        )  # fmt: skip
        tree = msgspec.json.decode(answer.body)
        assert (tree["path"], tree["query"]) == (path.replace("%2F", "%20"), "x=1")
        seen = joined.extension.asked[-1]
        assert seen.headers["x-remote-user"] == "kubernetes-admin"
        assert "system:masters" in seen.header_values("x-remote-group")
        assert "system:authenticated" in seen.header_values("x-remote-group")
        assert "x-remote-extra-forged" not in seen.headers and "authorization" not in seen.headers
        assert "x-remote-extra-authentication.kubernetes.io%2fcredential-id" in seen.headers
        watched = await joined.served.transport.request("GET", f"{APIS}/rates", query={"watch": "1"})
        assert watched.body.count(b"ADDED") == 2

    with_extension(api, tmp_path, scenario)


def test_this_servers_rules_guard_what_is_elsewhere(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        joined.extension.seen.clear()
        alice = joined.served.connect("alice")
        refused = await alice.request("GET", f"{APIS}/rates")
        assert refused.status == 403
        assert 'resource "rates" in API group "metrics.example.com"' in msgspec.json.decode(refused.body)["message"]
        assert not joined.extension.asked

    with_extension(api, tmp_path, scenario)


def test_documents_tell_of_what_is_served_elsewhere(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        groups = await joined.tree("/apis")
        assert groups["groups"][-1]["name"] == "metrics.example.com", "its priority is the lowest"
        group = await joined.tree("/apis/metrics.example.com")
        assert group["preferredVersion"] == {"groupVersion": "metrics.example.com/v1beta1", "version": "v1beta1"}
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        whole = await joined.tree("/apis", accept=accept)
        item = next(each for each in whole["items"] if each["metadata"]["name"] == "metrics.example.com")
        version = item["versions"][0]
        assert (version["version"], version["freshness"]) == ("v1beta1", "Current")
        assert (version["resources"][0]["resource"], version["resources"][0]["shortNames"]) == ("rates", ["rt"])
        resources = await joined.tree(APIS)
        assert resources["resources"][0]["name"] == "rates"
        index = await joined.tree("/openapi/v3")
        url = index["paths"]["apis/metrics.example.com/v1beta1"]["serverRelativeURL"]
        assert (await joined.tree(url.partition("?")[0]))["openapi"] == "3.0.0"
        v2 = await joined.tree("/openapi/v2")
        assert f"{APIS}/rates" in v2["paths"] and "com.example.Rate" in v2["definitions"] and "/version/" not in v2["paths"]

    with_extension(api, tmp_path, scenario)


def test_a_server_that_falls_ill_is_unavailable_and_comes_back(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        joined.extension.healthy = False
        await joined.served.patch(f"{NAMESPACE}/services/adapter", {"metadata": {"labels": {"look": "again"}}})
        condition = await joined.becomes("False", "FailedDiscoveryCheck")
        url = f"https://{HOST}:443{APIS}"
        assert condition["message"] == f"failing or missing response from {url}: bad status from {url}: 500"
        answer = await joined.served.request("GET", f"{APIS}/rates")
        assert (answer.status, answer.body) == (503, b"service unavailable\n")
        whole = await joined.tree("/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        item = next(each for each in whole["items"] if each["metadata"]["name"] == "metrics.example.com")
        assert item["versions"][0]["freshness"] == "Stale" and item["versions"][0]["resources"]
        joined.extension.healthy = True
        await joined.becomes("True", "Passed")
        assert (await joined.served.request("GET", f"{APIS}/rates")).status == 200

    with_extension(api, tmp_path, scenario)


def test_what_is_missing_of_the_service_is_said(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        await joined.served.request("DELETE", f"{slices}/adapter-1")
        found = await joined.becomes("False", "MissingEndpoints")
        assert found["message"] == 'endpoints for service/adapter in "default" have no addresses with port name "https"'
        patch = {"spec": {"ports": [{"name": "https", "port": 444, "targetPort": 8443}]}}
        await joined.served.patch(f"{NAMESPACE}/services/adapter", patch)
        found = await joined.becomes("False", "ServicePortError")
        assert found["message"] == 'service/adapter in "default" is not listening on port 443'
        await joined.served.request("DELETE", f"{NAMESPACE}/services/adapter")
        found = await joined.becomes("False", "ServiceNotFound")
        assert found["message"] == 'service/adapter in "default" is not present'

    with_extension(api, tmp_path, scenario)


def test_a_certificate_of_another_authority_is_not_trusted(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        joined.extension.seen.clear()
        answer = await joined.served.request("GET", f"{APIS}/rates")
        assert answer.status == 503 and b"certificate" in answer.body
        assert not joined.extension.asked

    with_extension(api, tmp_path, scenario, ca_bundle=CA.create("somebody else").cert_pem)


def test_an_apiservice_that_is_deleted_takes_its_versions_along(api: Api, tmp_path: Path) -> None:
    async def scenario(joined: Joined) -> None:
        await joined.becomes("True", "Passed")
        assert (await joined.served.request("DELETE", f"{SERVICES}/{NAME}")).status == 200
        assert (await joined.served.request("GET", f"{APIS}/rates")).status == 404
        async with asyncio.timeout(10):
            while "metrics.example.com" in str(await joined.tree("/apis")):  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0.01)

    with_extension(api, tmp_path, scenario)


def test_every_version_served_here_has_a_local_apiservice(api: Api) -> None:
    async def body(served: Served) -> None:
        async def names() -> dict[str, Tree]:
            answer = await served.request("GET", SERVICES)
            return {item["metadata"]["name"]: item for item in msgspec.json.decode(answer.body)["items"]}

        async with asyncio.timeout(10):
            while len(found := await names()) < len(served.server.scheme.group_versions()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        apps = found["v1.apps"]
        assert apps["spec"] == {"group": "apps", "version": "v1", "groupPriorityMinimum": 17800, "versionPriority": 15}
        assert apps["status"]["conditions"][0]["reason"] == "Local"
        assert found["v1."]["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}

    api(body)


def _intermediate(ca: CA) -> CA:
    """An authority that another lets issue; its certificates come with its own, as a chain."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(ca.cert_pem)
    signer = serialization.load_pem_private_key(ca.key_pem, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "below")]))
    builder = builder.issuer_name(issuer.subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(issuer.not_valid_before_utc).not_valid_after(issuer.not_valid_after_utc)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    cert_pem = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    return CA(cert_pem, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


def test_a_front_proxy_is_believed_and_nobody_else(api: Api) -> None:
    proxies = CA.create("front-proxy-ca")

    async def body(served: Served) -> None:
        async def whoami(name: str, *groups: str, headers: list[tuple[str, str]], ca: CA = proxies) -> Tree:
            cert, key = ca.issue(name, groups, usages=(CLIENT,))
            config = ClientConfig(served.server.url, served.credentials.ca.cert_pem, cert + ca.cert_pem, key)
            review = b'{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}'
            async with Transport(config) as transport:
                path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
                answer = await transport.request("POST", path, body=review, headers=headers)
            tree: Tree = msgspec.json.decode(answer.body)
            return tree["status"]["userInfo"] if answer.status == 201 else tree

        said = [("X-Remote-User", "alice"), ("X-Remote-Group", "team"), ("X-Remote-Group", "people"), ("X-Remote-Uid", "7"),
                ("X-Remote-Extra-acme.com%2Fproject", "p1")]  # fmt: skip
        alice = await whoami("front-proxy-client", headers=said)
        assert (alice["username"], alice["uid"]) == ("alice", "7")
        assert alice["groups"] == ["team", "people", "system:authenticated"]
        assert alice["extra"] == {"acme.com/project": ["p1"]}
        assert (await whoami("front-proxy-client", headers=[]))["code"] == 401, "who names nobody is nobody"
        other = await whoami("somebody", "system:masters", headers=said)
        assert other["code"] == 401, "of the proxies' authority, but no proxy"
        below = _intermediate(proxies)
        root = await whoami("front-proxy-client", "system:masters", headers=said, ca=below)
        assert root["code"] == 401, "what an authority of the proxies' lets issue makes neither proxies nor users"
        bob = await whoami("bob", headers=said, ca=served.credentials.ca)
        assert bob["username"] == "bob", "a user's headers are nobody's word"

    api(body, requestheader_client_ca_pem=proxies.cert_pem, requestheader_allowed_names=("front-proxy-client",))

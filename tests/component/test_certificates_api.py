"""Signing requests over HTTP: who asks, who decides, who signs."""

from __future__ import annotations

import base64
from typing import Any

from sampan.client.transport import Transport
from tests.component.conftest import Answer, Api, Served
from tests.unit.groups.requests import request_pem

Tree = dict[str, Any]
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGNER = "example.com/clients"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def request(name: str = "alice", *, signer: str = SIGNER, organization: str = "", **spec: Any) -> Tree:
    encoded = base64.b64encode(request_pem("alice", organization)).decode()
    return {"metadata": {"name": name}, "spec": {"request": encoded, "signerName": signer, "usages": ["client auth"]} | spec}


async def grant(server: Served, user: str, *rules: Tree) -> None:
    """Make the user one who may do so, everywhere."""
    name, group = f"for-{user}", "/apis/rbac.authorization.k8s.io/v1"
    role = {"metadata": {"name": name}, "rules": list(rules)}
    assert (await server.request("POST", f"{group}/clusterroles", role)).status == 201
    subjects = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    bound = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding = {"metadata": {"name": name}, "roleRef": bound, "subjects": subjects}
    assert (await server.request("POST", f"{group}/clusterrolebindings", binding)).status == 201


def rule(verbs: list[str], *resources: str, names: list[str] | None = None) -> Tree:
    found: Tree = {"verbs": verbs, "apiGroups": ["certificates.k8s.io"], "resources": list(resources)}
    return found | ({"resourceNames": names} if names else {})


async def decide(server: Served, by: Transport | None = None, type_: str = "Approved") -> Answer:
    tree = (await server.get(f"{REQUESTS}/alice")).tree
    condition = {"type": type_, "status": "True", "reason": "Test", "message": "by a test"}
    tree["status"] = {"conditions": [condition], "certificate": "bm90IG1pbmU="}
    return await server.request("PUT", f"{REQUESTS}/alice/approval", tree, by=by)


def test_a_request_says_who_made_it_whatever_it_claims(api: Api) -> None:
    async def scenario(server: Served) -> None:
        alice = server.connect("alice", "developers")
        await grant(server, "alice", rule(["create"], "certificatesigningrequests"))
        claimed = request(username="root", uid="0", groups=["system:masters"], extra={"a": ["b"]}) | {
            "status": {"conditions": [{"type": "Approved", "status": "True"}]}
        }
        made = await server.request("POST", REQUESTS, claimed, by=alice)
        assert made.status == 201, made.tree
        spec = made.tree["spec"]
        assert spec["username"] == "alice"
        assert spec["groups"] == ["developers", "system:authenticated"]
        assert "uid" not in spec
        assert not set(spec.get("extra", {})) - {"authentication.kubernetes.io/credential-id"}
        assert not made.tree.get("status", {}).get("conditions")

    api(scenario)


def test_only_who_may_approve_for_the_signer_decides(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.request("POST", REQUESTS, request())
        update = rule(["update", "patch"], "certificatesigningrequests/approval")
        clerk, officer, boss = (server.connect(user) for user in ("clerk", "officer", "boss"))
        await grant(server, "clerk", update)
        await grant(server, "officer", update, rule(["approve"], "signers", names=["example.com/*"]))
        await grant(server, "boss", update, rule(["approve"], "signers", names=["other.example.com/*"]))
        for user, connection in (("clerk", clerk), ("boss", boss)):
            refused = await decide(server, connection)
            assert refused.status == 403, user
            assert refused.message == (
                'certificatesigningrequests.certificates.k8s.io "alice" is forbidden: '
                f'user not permitted to approve requests with signerName "{SIGNER}"'
            )
        decided = await decide(server, officer)
        assert decided.status == 200, decided.tree
        [condition] = decided.tree["status"]["conditions"]
        assert condition["type"] == "Approved"
        assert condition["lastUpdateTime"] and condition["lastTransitionTime"]
        assert "certificate" not in decided.tree["status"]
        contrary = await decide(server, officer, "Denied")
        assert contrary.status == 422
        assert 'updates may not remove a condition of type "Approved"' in contrary.message

    api(scenario)


def test_only_who_may_sign_for_the_signer_gives_the_certificate(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.request("POST", REQUESTS, request())
        await decide(server)
        update = rule(["update", "patch"], "certificatesigningrequests/status")
        clerk, signer = server.connect("clerk"), server.connect("signer")
        await grant(server, "clerk", update)
        await grant(server, "signer", update, rule(["sign"], "signers", names=[SIGNER]))
        issued = base64.b64encode(server.credentials.ca.cert_pem).decode()
        patch: Tree = {"status": {"certificate": issued}}
        refused = await server.patch(f"{REQUESTS}/alice/status", patch, by=clerk)
        assert refused.status == 403
        assert f'user not permitted to sign requests with signerName "{SIGNER}"' in refused.message
        signed = await server.patch(f"{REQUESTS}/alice/status", patch, by=signer)
        assert signed.status == 200, signed.tree
        assert signed.tree["status"]["certificate"] == issued
        assert signed.tree["status"]["conditions"][0]["type"] == "Approved"
        again = {"status": {"certificate": base64.b64encode(b"-----BEGIN X-----\n-----END X-----\n").decode()}}
        changed = await server.patch(f"{REQUESTS}/alice/status", again, by=signer)
        assert changed.status == 422
        assert "updates may not modify existing certificate content" in changed.message
        labelled = await server.patch(f"{REQUESTS}/alice/status", {"metadata": {"labels": {"seen": "true"}}}, by=clerk)
        assert labelled.status == 200

    api(scenario)


def test_nobody_asks_to_become_a_master(api: Api) -> None:
    async def scenario(server: Served) -> None:
        refused = await server.request("POST", REQUESTS, request(signer=CLIENT_SIGNER, organization="system:masters"))
        assert refused.status == 403
        assert refused.message.endswith(f"use of {CLIENT_SIGNER} signer with system:masters group is not allowed")
        fine = await server.request("POST", REQUESTS, request(signer=CLIENT_SIGNER, organization="developers"))
        assert fine.status == 201
        elsewhere = await server.request("POST", REQUESTS, request("bob", organization="system:masters"))
        assert elsewhere.status == 201

    api(scenario)


def test_requests_are_found_by_their_signer_and_stay_as_they_were_made(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.request("POST", REQUESTS, request())
        await server.request("POST", REQUESTS, request("other", signer=CLIENT_SIGNER))
        found = await server.get(REQUESTS, query={"fieldSelector": f"spec.signerName={SIGNER}"})
        assert [item["metadata"]["name"] for item in found.tree["items"]] == ["alice"]
        patch = {"spec": {"usages": ["any"]}, "metadata": {"labels": {"a": "b"}}}
        patched = await server.patch(f"{REQUESTS}/alice", patch)
        assert patched.status == 200
        assert patched.tree["spec"]["usages"] == ["client auth"]
        assert patched.tree["metadata"]["labels"] == {"a": "b"}
        assert (await server.get(f"{REQUESTS}/alice/approval")).tree["metadata"]["name"] == "alice"
        assert (await server.delete(f"{REQUESTS}/alice/approval")).status == 405

    api(scenario)

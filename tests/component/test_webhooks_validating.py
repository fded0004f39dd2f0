"""Webhooks that judge: refusals, failures, warnings, and that all are asked at once."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from sampan.lib.http import Response
from tests.component.admission import GROUP, add, configure, create, entry, respond, warnings
from tests.component.conftest import Api, Served, core
from tests.component.webhooks import authority, bundle, put_service, webhook

Tree = dict[str, Any]


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        ({"message": "not today"}, 400, {"message": "not today"}),
        ({"code": 403, "reason": "Forbidden", "message": "nobody may", "details": {"kind": "x"}}, 403,
         {"message": "nobody may", "reason": "Forbidden", "details": {"kind": "x"}}),
    ],
)  # fmt: skip
def test_a_refusal_reaches_the_client_as_the_webhook_words_it(api: Api, status: Tree, code: int, body: Tree) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, allowed=False, status=status)) as hook:
            await configure(served, "validating", "v", entry(hook, failurePolicy="Ignore"))
            answer = await create(served, "a")
            message = f'admission webhook "h.example.com" denied the request: {body["message"]}'
            expected = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
            assert (answer.status, answer.tree) == (code, {**expected, **body, "message": message})
            assert (await served.get(core("configmaps", "default", "a"))).status == 404

    api(scenario)


def test_warnings_reach_the_client_also_with_a_refusal(api: Api) -> None:
    async def scenario(served: Served) -> None:
        def reply(review: Tree) -> Tree:
            said = review["request"]["object"]["data"].get("say", "")
            return respond(review, allowed=said != "no", warnings=["careful", 'with "quotes"', "careful"])

        async with webhook(reply) as hook:
            await configure(served, "validating", "v", entry(hook))
            expected = '299 - "careful", 299 - "with \\"quotes\\""'
            made = await create(served, "a", data={"say": "yes"})
            assert (made.status, warnings(made)) == (201, expected)
            refused = await create(served, "b", data={"say": "no"})
            assert (refused.status, warnings(refused)) == (400, expected)

    api(scenario)


def test_all_are_asked_at_once_and_the_first_refusal_in_their_order_counts(api: Api) -> None:
    """Each answers only when all were asked."""

    async def scenario(served: Served) -> None:
        names = ("one", "two", "three")
        arrived = asyncio.Barrier(len(names))

        async def reply(review: Tree) -> Tree:
            async with arrived:
                return respond(review, allowed=False, status={"message": "me"})

        async with webhook(reply) as hook:
            hooks = [entry(hook, f"{name}.example.com", path=f"/{name}") for name in names]
            await configure(served, "validating", "v", *hooks)
            answer = await create(served, "a")
            assert answer.message == 'admission webhook "one.example.com" denied the request: me'
            assert sorted(request.path for request in hook.requests) == ["/one", "/three", "/two"]

    api(scenario)


def test_one_that_does_not_answer_in_time_is_given_up(api: Api) -> None:
    async def scenario(served: Served) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
            config = {"url": url, "caBundle": bundle(authority())}
            async with webhook(lambda review: respond(review)) as hook:
                slow = entry(hook, "slow.example.com", timeoutSeconds=1) | {"clientConfig": config}
                await configure(served, "validating", "v", slow)
                answer = await create(served, "a")
                assert answer.message == (
                    'Internal error occurred: failed calling webhook "slow.example.com": failed to call webhook: '
                    f'Post "{url}?timeout=1s": context deadline exceeded'
                )

    api(scenario)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Response(404, b"x"), "failed to call webhook: the server could not find the requested resource"),
        (Response(200, b"<"), "failed to call webhook: couldn't get version/kind; json parse error"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": {"uid": "x", "allowed": True}},
         "received invalid webhook response: expected response.uid="),
    ],
)  # fmt: skip
def test_nonsense_is_a_failure_of_the_webhook(api: Api, reply: Response | Tree, why: str) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: reply) as hook:
            await configure(served, "validating", "v", entry(hook))
            answer = await create(served, "a")
            assert answer.status == 500
            assert f'Internal error occurred: failed calling webhook "h.example.com": {why}' in answer.message

    api(scenario)


def test_an_unreachable_one_is_passed_over_if_it_may_be(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            gone = entry(hook, "gone.example.com", failurePolicy="Ignore")
            gone["clientConfig"] = {"service": {"namespace": "default", "name": "nowhere"}, "caBundle": bundle(hook.ca)}
            await configure(served, "validating", "v", gone, entry(hook))
            assert (await create(served, "a")).status == 201
            assert len(hook.asked) == 1, "the others are asked all the same"
            gone["failurePolicy"] = "Fail"
            changed = await served.patch(f"{GROUP}/validatingwebhookconfigurations/v", {"webhooks": [gone]})
            assert changed.status == 200
            assert 'service "nowhere" not found' in (await create(served, "b")).message

    api(scenario)


def test_a_service_is_called_under_its_own_name(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review), dns_names=("hooks.default.svc",)) as hook:
            await put_service(served.server, "hooks", hook.port)
            service = {"namespace": "default", "name": "hooks", "path": "/judge"}
            own = entry(hook) | {"clientConfig": {"service": service, "caBundle": bundle(hook.ca)}}
            await configure(served, "validating", "v", own)
            assert (await create(served, "a")).status == 201
            assert (hook.requests[0].path, hook.requests[0].headers["host"]) == ("/judge", "hooks.default.svc:443")

    api(scenario)


def test_both_versions_of_reviews_are_spoken(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            old = entry(hook, "old.example.com", admissionReviewVersions=["v2", "v1beta1"])
            await configure(served, "validating", "v", old, entry(hook))
            assert (await create(served, "a")).status == 201
            assert sorted(review["apiVersion"] for review in hook.asked) == ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"]

    api(scenario)


def test_it_judges_what_others_have_made_of_the_object(api: Api) -> None:
    async def scenario(served: Served) -> None:
        patch = [add("/data", {"by": "hook"})]
        async with webhook(lambda r: respond(r, patch=patch)) as changes, webhook(lambda r: respond(r)) as judges:
            await configure(served, "mutating", "m", entry(changes))
            await configure(served, "validating", "v", entry(judges))
            assert (await create(served, "a")).status == 201
            assert judges.asked[0]["request"]["object"]["data"] == {"by": "hook"}

    api(scenario)


@pytest.mark.parametrize("kind", ["mutating", "validating"])
def test_a_webhook_may_write_the_object_that_it_is_asked_about(api: Api, kind: str) -> None:
    """Nobody waits for anybody: the request takes what was written meanwhile, and asks again."""

    async def scenario(served: Served) -> None:
        path = core("configmaps", "default", "a")
        await create(served, "a")

        async def reply(review: Tree) -> Tree:
            data = review["request"]["object"].get("data", {})
            if "client" in data and "hook" not in data:
                assert (await served.patch(path, {"data": {"hook": "1"}})).status == 200
            return respond(review)

        async with webhook(reply) as hook:
            await configure(served, kind, "c", entry(hook))
            patched = await served.patch(path, {"data": {"client": "1"}})
            assert patched.tree["data"] == {"client": "1", "hook": "1"}
            assert [sorted(review["request"]["object"]["data"]) for review in hook.asked] == [
                ["client"], ["hook"], ["client", "hook"],
            ]  # fmt: skip

    api(scenario)


def test_a_webhook_may_write_the_object_whose_deletion_it_judges(api: Api) -> None:
    async def scenario(served: Served) -> None:
        path = core("configmaps", "default", "a")
        await create(served, "a")

        async def reply(review: Tree) -> Tree:
            request = review["request"]
            if request["operation"] == "DELETE" and "hook" not in request["oldObject"].get("data", {}):
                assert (await served.patch(path, {"data": {"hook": "1"}})).status == 200
            return respond(review)

        async with webhook(reply) as hook:
            await configure(served, "validating", "v", entry(hook))
            assert (await served.delete(path)).status == 200
            assert [review["request"]["operation"] for review in hook.asked] == ["DELETE", "UPDATE", "DELETE"]
            assert (await served.get(path)).status == 404

    api(scenario)

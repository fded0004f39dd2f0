"""Webhooks that change objects: in what order, how often, by what patches, and what becomes of what they did."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.lib.http import Response
from tests.component.admission import GROUP, add, configure, create, entry, respond, warnings
from tests.component.conftest import Api, Served, core
from tests.component.definitions import DEFINITIONS, crd, cron, crons, define
from tests.component.webhooks import webhook

Tree = dict[str, Any]
LABELS = add("/metadata/labels", {"hooked": "yes"})


def test_a_patch_changes_what_is_stored_and_managed_fields_say_nothing_of_it(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, patch=[LABELS, add("/data/b", "2")])) as hook:
            await configure(served, "mutating", "m", entry(hook, path="/mutate"))
            made = await create(served, "a", data={"a": "1"})
            assert (made.status, made.tree["data"]) == (201, {"a": "1", "b": "2"})
            stored = (await served.get(core("configmaps", "default", "a"))).tree
            assert stored["metadata"]["labels"] == {"hooked": "yes"}
            assert "f:b" not in str(stored["metadata"]["managedFields"])
            request = hook.asked[0]["request"]
            assert (request["operation"], request["name"], request["namespace"]) == ("CREATE", "a", "default")
            assert (hook.requests[0].path, hook.requests[0].query) == ("/mutate", "timeout=10s")

    api(scenario)


def test_a_new_object_has_neither_uid_nor_a_generated_name_when_it_is_changed(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, patch=[LABELS])) as hook:
            await configure(served, "mutating", "m", entry(hook))
            await configure(served, "validating", "v", entry(hook, path="/v"))
            hook.asked.clear()
            made = await served.create("configmaps", {"metadata": {"generateName": "gen-"}})
            assert made.status == 500, "a validating webhook may not patch"
            [changed, judged] = [review["request"] for review in hook.asked]
            assert "name" not in changed and "name" not in changed["object"]["metadata"]
            assert "uid" not in changed["object"]["metadata"] and changed["object"]["metadata"]["creationTimestamp"] is None
            assert judged["name"] == judged["object"]["metadata"]["name"] != ""
            assert judged["object"]["metadata"]["uid"] and judged["object"]["metadata"]["creationTimestamp"]

    api(scenario)


def test_configurations_are_asked_by_name_and_webhooks_in_their_order(api: Api) -> None:
    async def scenario(served: Served) -> None:
        def reply(review: Tree) -> Tree:
            seen = review["request"]["object"].get("data", {}).get("seen", "")
            return respond(review, patch=[add("/data", {"seen": seen + "x"})])

        async with webhook(reply) as hook:
            await configure(served, "mutating", "b", entry(hook, "one.example.com", path="/b1"))
            first = entry(hook, "one.example.com", path="/a1"), entry(hook, "two.example.com", path="/a2")
            await configure(served, "mutating", "a", *first)
            made = await create(served, "a")
            assert [request.path for request in hook.requests] == ["/a1", "/a2", "/b1"]
            assert made.tree["data"] == {"seen": "xxx"}, "each sees what those before it did"

    api(scenario)


def test_a_webhook_is_called_again_when_another_changed_what_it_saw(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review)) as looks, webhook(lambda r: respond(r, patch=[LABELS])) as changes:
            await configure(served, "mutating", "a", entry(looks, reinvocationPolicy="IfNeeded"))
            await configure(served, "mutating", "b", entry(looks, "never.example.com", path="/never"))
            await configure(served, "mutating", "c", entry(changes, reinvocationPolicy="IfNeeded"))
            assert (await create(served, "a")).status == 201
            assert [request.path for request in looks.requests] == ["/", "/never", "/"]
            assert len(changes.requests) == 1, "nobody changed the object after it"
            shown = looks.asked[-1]["request"]["object"]["metadata"]["labels"]
            assert shown == {"hooked": "yes"}

    api(scenario)


def test_what_built_in_plugins_make_of_a_change_is_shown_in_a_second_round(api: Api) -> None:
    """A sidecar that a webhook puts in gets its token mounted, and the webhook that asks for it sees that."""

    async def scenario(served: Served) -> None:
        def reply(review: Tree) -> Tree:
            pod = review["request"]["object"]
            if len(pod["spec"]["containers"]) > 1:
                return respond(review)
            return respond(review, patch=[add("/spec/containers/-", {"name": "side", "image": "side"})])

        async with webhook(reply) as hook:
            rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
            await configure(served, "mutating", "m", entry(hook, rule=rule, reinvocationPolicy="IfNeeded"))
            assert (await served.create("serviceaccounts", {"metadata": {"name": "default"}})).status == 201
            made = await served.create(
                "pods", {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
            )
            assert made.status == 201, made.body
            mounts = [container["volumeMounts"][0]["mountPath"] for container in made.tree["spec"]["containers"]]
            assert mounts == ["/var/run/secrets/kubernetes.io/serviceaccount"] * 2
            assert made.tree["spec"]["containers"][1]["imagePullPolicy"] == "Always", "defaults are set in what it adds"
            assert [len(review["request"]["object"]["spec"]["containers"]) for review in hook.asked] == [1, 2]

    api(scenario)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ([add("/nothing/here", 1)], 'add operation does not apply: doc is missing path: "/nothing/here": missing value'),
        ([{"op": "remove", "path": "/data/x"}],
         'remove operation does not apply: doc is missing path: "/data/x": missing value'),
        ([{"op": "test", "path": "/data/a", "value": "9"}], "testing value /data/a failed: test failed"),
        ([add("/data/a", 1)], "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ([{"op": "replace", "path": "/kind", "value": "Secret"}],
         "converting (v1.Secret) to (v1.ConfigMap): unknown conversion"),
        (b"{}", "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
    ],
)  # fmt: skip
def test_a_patch_that_cannot_be_done_is_an_internal_error(api: Api, patch: list[Tree] | bytes, message: str) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, patch=patch)) as hook:
            await configure(served, "mutating", "m", entry(hook, failurePolicy="Ignore"))
            answer = await create(served, "a", data={"a": "1"})
            assert (answer.status, answer.tree["reason"]) == (500, "InternalError")
            assert answer.message == f"Internal error occurred: {message}"

    api(scenario)


def test_a_patch_cannot_move_an_object(api: Api) -> None:
    async def scenario(served: Served) -> None:
        wanted: list[Tree] = []
        async with webhook(lambda review: respond(review, patch=wanted)) as hook:
            await configure(served, "mutating", "m", entry(hook))
            wanted[:] = [add("/metadata/namespace", "kube-system")]
            elsewhere = await create(served, "a")
            assert elsewhere.status == 400 and "does not match the namespace sent on the request" in elsewhere.message
            wanted[:] = [add("/metadata/name", "other")]
            made = await create(served, "a")
            assert (made.status, made.tree["metadata"]["name"]) == (201, "other"), "a new one may be called otherwise"
            assert (await served.get(core("configmaps", "default", "other"))).status == 200
            wanted[:] = [add("/metadata/name", "third")]
            renamed = await served.patch(core("configmaps", "default", "other"), {"data": {"a": "1"}})
            assert renamed.status == 422 and "metadata.name" in renamed.message

    api(scenario)


def test_updates_are_changed_too_and_a_delete_cannot_be(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, patch=[add("/data/by", review["request"]["operation"])])) as hook:
            made = await create(served, "a", data={"a": "1"})
            await configure(served, "mutating", "m", entry(hook))
            path = core("configmaps", "default", "a")
            patched = await served.patch(path, {"data": {"a": "2"}}, query={"fieldManager": "me", "fieldValidation": "Strict"})
            assert patched.tree["data"] == {"a": "2", "by": "UPDATE"}
            request = hook.asked[-1]["request"]
            assert request["oldObject"]["data"] == made.tree["data"]
            options = {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"}
            assert request["options"] == {**options, "fieldManager": "me", "fieldValidation": "Strict"}
            refused = await served.delete(path)
            assert refused.message == (
                'Internal error occurred: admission webhook "h.example.com" attempted to modify the object, which is not '
                "supported for this operation"
            )

    api(scenario)


def test_custom_objects_are_defaulted_and_pruned_after_a_patch(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        operations = [{"op": "remove", "path": "/spec/replicas"}, add("/spec/unknown", 1), add("/spec/image", "by-hook")]
        async with webhook(lambda review: respond(review, patch=operations)) as hook:
            rule = {"operations": ["*"], "apiGroups": ["stable.example.com"], "apiVersions": ["v1"], "resources": ["*"]}
            await configure(served, "mutating", "m", entry(hook, rule=rule))
            made = await served.request("POST", crons(), cron("a", replicas=5))
            assert (made.status, made.tree["spec"]) == (201, {"replicas": 1, "image": "by-hook"})
            assert (await served.get(f"{DEFINITIONS}/crontabs.stable.example.com")).status == 200

    api(scenario)


def test_a_dry_run_goes_only_to_webhooks_without_side_effects(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: respond(review, patch=[LABELS])) as hook:
            await configure(served, "mutating", "m", entry(hook, sideEffects="NoneOnDryRun"))
            made = await create(served, "a", query={"dryRun": "All"})
            assert (made.status, made.tree["metadata"]["labels"]) == (201, {"hooked": "yes"})
            request = hook.asked[0]["request"]
            assert request["dryRun"] is True and request["options"]["dryRun"] == ["All"]
            registry = served.server.registry("admissionregistration.k8s.io", "mutatingwebhookconfigurations")
            current = registry.get("", "m")
            old = current.tree()
            old["webhooks"][0]["sideEffects"] = "Some"  # as nobody may write it any more
            await registry.write(current, old)
            refused = await create(served, "a", query={"dryRun": "All"})
            assert (refused.status, refused.message) == (
                400, 'admission webhook "h.example.com" does not support dry run',
            )  # fmt: skip

    api(scenario)


def test_a_broken_webhook_fails_the_request_or_is_passed_over(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(lambda review: Response(500, b"boom", "text/plain")) as hook:
            await configure(served, "mutating", "m", entry(hook))
            answer = await create(served, "a")
            assert (answer.status, answer.tree["reason"]) == (500, "InternalError")
            assert answer.message == (
                'Internal error occurred: failed calling webhook "h.example.com": failed to call webhook: an error on the '
                'server ("boom") has prevented the request from succeeding'
            )
            changed = await served.request(
                "PATCH", f"{GROUP}/mutatingwebhookconfigurations/m", {"webhooks": [entry(hook, failurePolicy="Ignore")]},
                content_type="application/merge-patch+json",
            )  # fmt: skip
            assert changed.status == 200, "configurations themselves are never asked about"
            assert (await create(served, "a")).status == 201

    api(scenario)


def test_managed_fields_that_a_webhook_breaks_are_as_they_were(api: Api) -> None:
    async def scenario(served: Served) -> None:
        broken = [{"op": "replace", "path": "/metadata/managedFields", "value": [{"manager": "x", "operation": "Update"}]}]
        async with webhook(lambda review: respond(review, patch=[*broken, LABELS])) as hook:
            await configure(served, "mutating", "m", entry(hook))
            made = await create(served, "a", data={"a": "1"})
            assert ".metadata.managedFields was in an invalid state after admission" in warnings(made)
            metadata = made.tree["metadata"]
            assert metadata["managedFields"][0]["fieldsV1"]["f:data"] and metadata["labels"] == {"hooked": "yes"}

    api(scenario)

"""Verbs and subresources of custom resources: the generic code, and where it differs from built-in kinds."""

from __future__ import annotations

import msgspec

from tests.component.applying import apply
from tests.component.conftest import Api, Served
from tests.component.definitions import GROUP, Tree, crd, cron, crons, define, redefine, version
from tests.component.test_custom_versions import answer, both, conversion
from tests.component.webhooks import webhook

SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.labelSelector",
}

OPEN: Tree = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def scaled(name: str = "v1", *, storage: bool = True) -> Tree:
    return version(name, storage=storage, subresources={"status": {}, "scale": SCALE})


def test_the_status_is_written_by_its_subresource_only(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd("CronTab", scaled()))
        made = (await served.request("POST", crons(), {**cron("a"), "status": {"replicas": 9}})).tree
        assert "status" not in made
        changed = {**made, "spec": {"replicas": 5}, "status": {"replicas": 3}}
        shown = (await served.request("PUT", crons(name="a", subresource="status"), changed)).tree
        assert (shown["spec"], shown["status"], shown["metadata"]["generation"]) == ({"replicas": 1}, {"replicas": 3}, 1)
        shown = (await served.patch(crons(name="a"), {"spec": {"replicas": 2}, "status": {"replicas": 7}})).tree
        assert (shown["spec"], shown["status"], shown["metadata"]["generation"]) == ({"replicas": 2}, {"replicas": 3}, 2)

    api(scenario)


def test_the_scale_is_read_and_written_in_every_version(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd("CronTab", scaled(), scaled("v2", storage=False)))
        await served.request("POST", crons(), cron("a", replicas=2))
        await served.patch(crons(name="a", subresource="status"), {"status": {"replicas": 1, "labelSelector": "a=b"}})
        for shown in ("v1", "v2"):
            scale = (await served.get(crons(shown, "a", "scale"))).tree
            assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "a=b"})
        written = await served.patch(crons("v2", "a", "scale"), {"spec": {"replicas": 4}})
        assert written.tree["spec"] == {"replicas": 4}
        assert (await served.get(crons(name="a"))).tree["spec"]["replicas"] == 4
        refused = await served.patch(crons(name="a", subresource="scale"), {"spec": {"replicas": 11}})
        assert refused.status == 422
        assert "spec.replicas" in refused.message

    api(scenario)


def test_a_version_that_a_webhook_makes_has_all_verbs_from_the_first_request_on(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(answer) as hook:
            for verb in ("delete", "patch", "apply", "collection", "table"):
                kind = verb.capitalize()
                plural = f"{verb}s"
                await define(served, crd(kind, *both(), conversion=conversion(hook)))
                first = f"/apis/{GROUP}/v1/namespaces/default/{plural}"
                second = f"/apis/{GROUP}/v2/namespaces/default/{plural}"
                assert (await served.request("POST", first, cron("a", kind=kind, at="h:1"))).status == 201
                if verb == "delete":
                    assert (await served.delete(f"{second}/a")).status == 200
                elif verb == "patch":
                    patched = await served.patch(f"{second}/a", {"spec": {"port": "2"}})
                    assert patched.tree["spec"] == {"host": "h", "port": "2"}
                    assert (await served.get(f"{first}/a")).tree["spec"] == {"at": "h:2"}
                elif verb == "apply":
                    tree = cron("a", "v2", kind, host="h", port="1")
                    applied = await served.patch(
                        f"{second}/a", tree, "application/apply-patch+yaml", query={"fieldManager": "me", "force": "true"}
                    )
                    assert applied.status == 200, applied.body
                elif verb == "collection":
                    assert len((await served.delete(second)).tree["items"]) == 1
                else:
                    table = await served.get(second, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
                    assert [row["cells"][0] for row in table.tree["rows"]] == ["a"]

    api(scenario)


def test_what_only_compiled_kinds_understand_is_refused_by_its_media_type(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        await served.request("POST", crons(), cron("a"))
        patched = await served.patch(crons(name="a"), {}, "application/strategic-merge-patch+json")
        assert patched.status == 415
        assert patched.message.endswith(
            "accepted media types include: application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml"
        )
        posted = await served.request("POST", crons(), b"k8s\0", content_type="application/vnd.kubernetes.protobuf")
        assert posted.status == 415

    api(scenario)


_NO_KIND = "Object 'Kind' is missing in '{\"apiVersion\":\"stable.example.com/v1\"}'"
_REFUSED: list[tuple[Tree, str, int, str]] = [
    ({**cron("a"), "spec": "x"}, "Strict", 422,
     'CronTab.stable.example.com "a" is invalid: spec: Invalid value: "string": spec in body must be of type object: "string"'),
    ({**cron("a"), "kind": "Other"}, "Strict", 422,
     'Other.stable.example.com "a" is invalid: kind: Invalid value: "Other": must be CronTab'),
    ({"apiVersion": "stable.example.com/v1"}, "Warn", 400,
     f'the object provided is unrecognized (must be of type CronTab): {_NO_KIND} ({{"apiVersion":"stable.example. ...)'),
    ({"apiVersion": "stable.example.com/v1"}, "Ignore", 400,
     f'CronTab in version "v1" cannot be handled as a CronTab: {_NO_KIND}'),
]  # fmt: skip


def test_what_is_no_object_of_the_kind_is_refused_in_upstreams_words(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        for tree, validation, status, message in _REFUSED:
            body = msgspec.json.encode(tree)
            refused = await served.request("POST", crons(), body, query={"fieldValidation": validation})
            assert (refused.status, refused.message) == (status, message)

    api(scenario)


def test_selectors_pages_tables_and_collections_work_as_for_any_kind(api: Api) -> None:
    async def scenario(served: Served) -> None:
        columns = [{"name": "Image", "type": "string", "jsonPath": ".spec.image"}]
        one = version(selectableFields=[{"jsonPath": ".spec.image"}], additionalPrinterColumns=columns)
        await define(served, crd("CronTab", one))
        for number in range(6):
            tree = cron(f"a{number}", image="odd" if number % 2 else "even")
            tree["metadata"]["labels"] = {"n": str(number)}
            await served.request("POST", crons(), tree)
        for query, count in (
            ({"fieldSelector": "spec.image=odd"}, 3),
            ({"labelSelector": "n in (1,2)"}, 2),
            ({"fieldSelector": "metadata.name=a1"}, 1),
            ({"limit": "4"}, 4),
        ):
            assert len((await served.get(crons(), query=query)).tree["items"]) == count
        unknown = await served.get(crons(), query={"fieldSelector": "spec.replicas=1"})
        assert (unknown.status, unknown.message) == (400, "field label not supported: spec.replicas")
        table = await served.get(crons(), accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert [column["name"] for column in table.tree["columnDefinitions"]] == ["Name", "Image"]
        assert table.tree["rows"][1]["cells"] == ["a1", "odd"]
        async with served.watch(crons(), {"fieldSelector": "spec.image=odd", "resourceVersion": "0"}) as events:
            assert [name for _, name in await events.names(3)] == ["a1", "a3", "a5"]
            await served.patch(crons(name="a1"), {"spec": {"image": "even"}})
            assert (await events.next())[0] == "DELETED"
        deleted = await served.delete(crons(), query={"fieldSelector": "spec.image=odd"})
        assert [item["metadata"]["name"] for item in deleted.tree["items"]] == ["a3", "a5"]

    api(scenario)


def test_who_may_do_what_with_a_custom_resource_is_the_roles_to_say(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        user = served.connect("reader")
        assert (await served.get(crons(), by=user)).status == 403
        rules = [{"apiGroups": [GROUP], "resources": ["crontabs"], "verbs": ["list"]}]
        role = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        await served.request("POST", role, {"metadata": {"name": "cron-reader"}, "rules": rules})
        subject = {"kind": "User", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cron-reader"}
        binding = {"metadata": {"name": "cron-reader"}, "roleRef": reference, "subjects": [subject]}
        await served.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
        assert (await served.get(crons(), by=user)).status == 200
        refused = await served.request("POST", crons(), cron("a"), by=user)
        assert refused.message == (
            'crontabs.stable.example.com is forbidden: User "reader" cannot create resource "crontabs" in API group '
            '"stable.example.com" in the namespace "default"'
        )

    api(scenario)


def test_an_old_version_warns_on_every_answer(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd("CronTab", version("v1beta1", storage=False, deprecated=True), version()))
        found = await served.get(crons("v1beta1"))
        assert found.header("warning") == [
            '299 - "stable.example.com/v1beta1 CronTab is deprecated; use stable.example.com/v1 CronTab"'
        ]
        assert (await served.get(crons())).header("warning") == []

    api(scenario)


def test_a_rule_made_stricter_warns_of_what_stood_before_it(api: Api) -> None:
    def ruled(most: int) -> Tree:
        replicas = {"type": "integer", "x-kubernetes-validations": [{"rule": f"self <= {most}", "message": f"at most {most}"}]}
        spec = {"type": "object", "properties": {"replicas": replicas, "image": {"type": "string"}}}
        return version(schema={"type": "object", "properties": {"spec": spec}})

    async def scenario(served: Served) -> None:
        definition = await define(served, crd("CronTab", ruled(9)))
        await served.request("POST", crons(), cron("a", replicas=5))
        await redefine(served, definition, versions=[ruled(3)])
        kept = await served.patch(crons(name="a"), {"spec": {"image": "x:1"}})
        assert (kept.status, kept.tree["spec"]["image"]) == (200, "x:1")
        assert kept.header("warning") == ['299 - "spec.replicas: Invalid value: \\"integer\\": at most 3"']
        refused = await served.patch(crons(name="a"), {"spec": {"replicas": 6}})
        assert (refused.status, refused.header("warning")) == (422, [])

    api(scenario)


def test_an_applied_null_is_refused_where_another_writers_is_taken_out(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        made = await served.request("POST", crons(), cron("a", image=None))
        assert (made.status, made.tree["spec"]) == (201, {"replicas": 1})
        refused = await apply(served, crons(name="a"), cron("a", image=None))
        assert (refused.status, refused.message) == (
            422,
            'CronTab.stable.example.com "a" is invalid: spec.image: Invalid value: "null": spec.image in body must be of type '
            'string: "null"',
        )

    api(scenario)


def test_owners_are_forgotten_for_an_empty_entry_but_not_for_an_empty_list(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        made = (await served.request("POST", crons(), cron("a"))).tree
        for entries, stay in (([], True), ([{}], False)):
            made["metadata"]["managedFields"] = entries
            changed = await served.request("PUT", crons(name="a"), made)
            assert (changed.status, "managedFields" in changed.tree["metadata"]) == (200, stay)
            made = changed.tree

    api(scenario)


def test_a_scale_below_zero_is_refused_at_the_field_of_the_object(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd("CronTab", version(schema=OPEN, subresources={"scale": SCALE})))
        await served.request("POST", crons(), cron("a", replicas=1))
        refused = await served.patch(crons(name="a", subresource="scale"), {"spec": {"replicas": -1}})
        assert (refused.status, refused.message) == (
            422,
            'CronTab.stable.example.com "a" is invalid: .spec.replicas: Invalid value: -1: should be a non-negative integer',
        )

    api(scenario)


def test_an_object_without_replicas_has_no_scale_to_read_but_one_to_write(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd("CronTab", version(schema=OPEN, subresources={"scale": SCALE})))
        await served.request("POST", crons(), cron("a", image="x"))
        path = crons(name="a", subresource="scale")
        for reply, code, message in (
            (await served.get(path), 500, 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist'),
            (await served.patch(path, {}), 400, 'the spec replicas field ".spec.replicas" cannot be empty'),
        ):
            assert (reply.status, reply.message) == (code, message)
        assert (await served.patch(path, {"spec": {"replicas": 2}})).tree["spec"] == {"replicas": 2}
        assert (await served.get(path)).tree["spec"] == {"replicas": 2}

    api(scenario)


_CHANGED: list[tuple[Tree, int, str]] = [
    ({"kind": "X"}, 422, 'X.stable.example.com "a" is invalid: kind: Invalid value: "X": must be CronTab'),
    ({"apiVersion": "v1"}, 422,
     'CronTab "a" is invalid: apiVersion: Invalid value: "v1": must be stable.example.com/v1'),
    ({"metadata": None}, 400, "the name of the object (a based on URL) was undeterminable: name must be provided"),
]  # fmt: skip


def test_a_patch_that_makes_something_else_of_an_object_is_refused_in_upstreams_words(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        await served.request("POST", crons(), cron("a"))
        for patch, status, message in _CHANGED:
            refused = await served.patch(crons(name="a"), patch)
            assert (refused.status, refused.message) == (status, message)

    api(scenario)


def test_what_is_not_there_is_told_after_how_it_would_be_shown(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        assert (await served.get(crons(name="none"), accept="text/plain")).status == 406
        for path in (crons(name="none"), crons(name="none", subresource="nothing")):
            missing = await served.get(path)
            assert (missing.status, missing.message) == (404, 'crontabs.stable.example.com "none" not found')

    api(scenario)

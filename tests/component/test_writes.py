"""What creates and updates make of metadata, of dry runs and of fields that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.conftest import Api, Served, core

CONFIG_MAPS = core("configmaps", "default")
A = f"{CONFIG_MAPS}/a"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
DRY = {"dryRun": "All"}
Tree = dict[str, Any]


def owner(uid: str = "u", **more: Any) -> Tree:
    return {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, **more}


def service(name: str, **spec: Any) -> Tree:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


METADATA: list[tuple[Tree, str]] = [
    ({"labels": {"a b": "c"}}, 'metadata.labels: Invalid value: "a b": '),
    ({"labels": {"a": "b c"}}, 'metadata.labels: Invalid value: "b c": '),
    ({"annotations": {"A/b/c": "x"}}, 'metadata.annotations: Invalid value: "A/b/c": '),
    ({"annotations": {"a": "x" * 300_000}}, "metadata.annotations: Too long: may not be more than 262144 bytes"),
    ({"finalizers": ["x"]}, 'metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor '),
    ({"finalizers": ["orphan", "foregroundDeletion"]}, "finalizer orphan and foregroundDeletion cannot be both set"),
    ({"ownerReferences": [owner("")]}, 'metadata.ownerReferences.uid: Invalid value: "": uid must not be empty'),
    (
        {"ownerReferences": [owner("u", controller=True), owner("v", controller=True)]},
        "Only one reference can have Controller set to true. ",
    ),
    ({"generation": -1}, "metadata.generation: Invalid value: -1: must be greater than or equal to 0"),
    ({"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of'),
    ({"name": "", "generateName": "A"}, 'metadata.generateName: Invalid value: "A": '),
]  # fmt: skip


def test_metadata_must_make_sense(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for change, message in METADATA:
            refused = await server.create("configmaps", {"metadata": {"name": "a", **change}})
            assert refused.status == 422 and message in refused.message, (change, refused.tree)

    api(scenario)


def test_the_server_has_the_last_word_on_its_own_fields(api: Api) -> None:
    async def scenario(server: Served) -> None:
        stamp = "2001-01-01T00:00:00Z"
        mine = {
            "uid": "x",
            "creationTimestamp": stamp,
            "deletionTimestamp": stamp,
            "deletionGracePeriodSeconds": 5,
            "selfLink": "/x",
        }
        made = (await server.create("configmaps", {"metadata": {"name": "a", "generation": 7, **mine}})).tree["metadata"]
        assert made["uid"] != "x" and made["creationTimestamp"] != stamp
        assert not {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} & set(made)
        changed = {**made, "creationTimestamp": stamp, "generation": 9, "selfLink": "/x"}
        put = (await server.update("configmaps", {"metadata": changed})).tree["metadata"]
        assert {field: put[field] for field in ("creationTimestamp", "generation")} == {
            "creationTimestamp": made["creationTimestamp"], "generation": 7,
        }  # fmt: skip
        assert put["resourceVersion"] == made["resourceVersion"], "nothing has changed"

    api(scenario)


def test_what_an_update_may_not_change_is_refused(api: Api) -> None:
    async def scenario(server: Served) -> None:
        meta = (await server.create("configmaps", {"metadata": {"name": "a"}})).tree["metadata"]
        stamp = "2001-01-01T00:00:00Z"
        for field, value, shown in (
            ("deletionTimestamp", stamp, "2001-01-01 00:00:00 +0000 UTC"),
            ("deletionGracePeriodSeconds", 5, "5"),
        ):
            refused = await server.update("configmaps", {"metadata": {**meta, field: value}})
            assert refused.status == 422
            assert f"metadata.{field}: Invalid value: {shown}: field is immutable" in refused.message
        other = await server.update("configmaps", {"metadata": {"name": "a", "uid": "x"}})
        assert (other.status, other.message) == (
            409,
            'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, '
            "Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
            f"UID in precondition: x, UID in object meta: {meta['uid']}",
        )
        patched = await server.patch(A, {"metadata": {"uid": "x"}})
        assert patched.status == 422 and 'metadata.uid: Invalid value: "x": field is immutable' in patched.message

    api(scenario)


def test_owners_that_come_twice_stand_once_and_the_client_is_told(api: Api) -> None:
    async def scenario(server: Served) -> None:
        tree = {"metadata": {"name": "a", "ownerReferences": [owner(), owner(), owner("v"), owner(blockOwnerDeletion=True)]}}
        warning = (
            '299 - ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may '
            'reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: u"'
        )
        for write in (server.create, server.update):
            answer = await write("configmaps", tree)
            assert answer.header("Warning") == [warning]
            assert [each["uid"] for each in answer.tree["metadata"]["ownerReferences"]] == ["u", "v", "u"]

    api(scenario)


def test_a_kind_may_insist_on_a_revision_or_be_made_by_an_update(api: Api) -> None:
    async def scenario(server: Served) -> None:
        lease = {"metadata": {"name": "l", "resourceVersion": "7"}}
        made = await server.request("PUT", f"{LEASES}/l", lease)
        assert made.status == 201, "there is none, so the revision is of no importance"
        bygone = await server.request("PUT", f"{LEASES}/gone", {"metadata": {"name": "gone", "uid": "u"}})
        assert (bygone.status, bygone.tree["reason"]) == (409, "Conflict"), "an object that was deleted does not rise again"
        assert bygone.message.endswith("Precondition failed: UID in precondition: u, UID in object meta: ")
        blind = await server.request("PUT", f"{LEASES}/l", {"metadata": {"name": "l"}})
        assert (blind.status, blind.message) == (
            422,
            'leases.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0x0: '
            "must be specified for an update",
        )
        assert blind.tree["details"]["kind"] == "leases"
        assert (await server.request("PUT", f"{LEASES}/l", made.tree)).status == 200
        absent = await server.update("configmaps", {"metadata": {"name": "a"}})
        assert (absent.status, absent.message) == (404, 'configmaps "a" not found')
        assert (await server.update("services", service("s"))).status == 201
        assert (await server.request("POST", core("limitranges", "default"), {"metadata": {}})).status == 201

    api(scenario)


def test_names_are_made_of_prefixes_and_tried_again_when_they_are_taken(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(server: Served) -> None:
        long = (await server.create("configmaps", {"metadata": {"generateName": "x" * 100}})).tree["metadata"]
        assert len(long["name"]) == 63
        names = iter(["a", "a", "b", *["a"] * 8])
        monkeypatch.setattr("sampan.apiserver.registry.generic.generate_name", lambda prefix: next(names))
        tree = {"metadata": {"generateName": "a"}}
        assert [(await server.create("configmaps", tree)).tree["metadata"]["name"] for _ in range(2)] == ["a", "b"]
        failed = await server.create("configmaps", tree)
        assert (failed.status, failed.tree["reason"], failed.header("Retry-After")) == (409, "AlreadyExists", ["1"])
        assert failed.message == (
            'configmaps "a" already exists, the server was not able to generate a unique name for the object'
        )
        assert failed.tree["details"] == {"name": "a", "kind": "configmaps", "retryAfterSeconds": 1}
        assert list(names) == []

    api(scenario)


async def everything(server: Served) -> list[Tree]:
    paths = [core(plural) for plural in ("configmaps", "secrets", "services", "events", "resourcequotas")]
    paths.append("/apis/coordination.k8s.io/v1/namespaces/default/leases")
    return [item for path in paths for item in (await server.get(path)).tree["items"]]


def test_a_dry_run_of_any_verb_changes_nothing(api: Api) -> None:
    async def scenario(server: Served) -> None:
        hard = {"count/configmaps": "1", "services.nodeports": "1"}
        quota = {"metadata": {"name": "q"}, "spec": {"hard": hard}}
        assert (await server.create("resourcequotas", quota)).status == 201
        counted = {"hard": hard, "used": dict.fromkeys(hard, "0")}
        assert (await server.update("resourcequotas", {**quota, "status": counted}, subresource="status")).status == 200
        await server.create("configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/x"]}, "data": {"x": "1"}})
        await server.create("services", service("s", type="NodePort", clusterIP="10.96.0.77"))
        before = await everything(server)
        changes = [
            await server.create("secrets", {"metadata": {"name": "b"}}, query=DRY),
            await server.create("secrets", {"metadata": {"generateName": "b"}}, query=DRY),
            await server.create("services", service("t", clusterIP="10.96.0.78"), query=DRY),
            await server.create("services", service("t"), query=DRY),
            await server.update("configmaps", {"metadata": {"name": "a"}, "data": {"x": "2"}}, query=DRY),
            await server.update("services", service("s", type="ClusterIP", clusterIP="10.96.0.77"), query=DRY),
            await server.patch(A, {"data": {"x": "3"}}, query=DRY),
            await server.patch(A, {"metadata": {"name": "a"}, "apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "4"}},
                               "application/apply-patch+yaml", query={**DRY, "fieldManager": "m", "force": "true"}),
            await server.request("PUT", f"{LEASES}/l", {"metadata": {"name": "l"}}, query=DRY),
            await server.delete(A, query=DRY),
            await server.delete(A, {"dryRun": ["All"]}),
            await server.delete(core("services", "default", "s"), query=DRY),
            await server.delete(CONFIG_MAPS, query=DRY),
        ]  # fmt: skip
        assert [answer.status for answer in changes] == [201] * 4 + [200] * 4 + [201] + [200] * 4
        assert changes[2].tree["spec"]["clusterIP"] == "10.96.0.78"
        assert changes[4].tree["data"] == {"x": "2"}
        assert changes[9].tree["metadata"]["deletionTimestamp"]
        assert await everything(server) == before
        real = await server.create("services", service("t", clusterIP="10.96.0.78"))
        assert real.status == 201, "the dry run did not take the address"
        taken = await server.create("services", service("u", clusterIP="10.96.0.77"), query=DRY)
        assert taken.status == 422 and "provided IP is already allocated" in taken.message
        over = await server.create("configmaps", {"metadata": {"name": "c"}}, query=DRY)
        assert over.status == 403 and "exceeded quota" in over.message, "a dry run is refused as the real one would be"

    api(scenario)

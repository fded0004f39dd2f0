"""PodSecurity over HTTP: what is refused, what is only warned of, what namespaces may be labelled."""

from __future__ import annotations

from typing import Any

from sampan.api.podsecurity import LevelVersion, Policy
from sampan.apiserver.admission.configuration import AdmissionSettings, PodSecuritySettings
from tests.component.conftest import Api, Served, core

Tree = dict[str, Any]
PREFIX = "pod-security.kubernetes.io/"
CONTAINER: Tree = {"name": "c", "image": "x:1"}
RUNTIME: Tree = {"metadata": {"name": "gvisor"}, "handler": "runsc"}
MISSING = (
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)
SAFE: Tree = {
    "containers": [
        CONTAINER | {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
    ],
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}


def pod(name: str, spec: Tree | None = None, **fields: Any) -> Tree:
    return {"metadata": {"name": name}, "spec": (spec or {"containers": [CONTAINER]}) | fields}


def deployment(name: str) -> Tree:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}


async def namespace(server: Served, name: str, **labels: str) -> None:
    given = {PREFIX + label.replace("_", "-"): value for label, value in labels.items()}
    assert (await server.create("namespaces", {"metadata": {"name": name, "labels": given}}, "")).status == 201
    assert (await server.create("serviceaccounts", {"metadata": {"name": "default"}}, name)).status == 201


def warned(text: str) -> str:
    quoted = text.replace('"', '\\"')
    return f'299 - "{quoted}"'


def test_a_restricted_namespace_takes_only_hardened_pods(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await namespace(server, "strict", enforce="restricted")
        answer = await server.create("pods", pod("p"), "strict")
        assert (answer.status, answer.tree["reason"]) == (403, "Forbidden")
        assert answer.message == f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {MISSING}'
        assert answer.header("warning") == []
        answer = await server.create("pods", pod("p", SAFE), "strict")
        assert answer.status == 201
        assert answer.header("warning") == []
        assert (await server.create("pods", pod("p"), "strict", query={"dryRun": "All"})).status == 403

    api(scenario)


def test_what_makes_pods_is_only_warned(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await namespace(server, "strict", enforce="restricted", enforce_version="v1.25")
        path = "/apis/apps/v1/namespaces/strict/deployments"
        answer = await server.request("POST", path, deployment("d"))
        assert answer.status == 201
        assert answer.header("warning") == [warned(f'would violate PodSecurity "restricted:v1.25": {MISSING}')]
        answer = await server.patch(f"{path}/d/scale", {"spec": {"replicas": 2}})
        assert answer.header("warning") == []
        template = {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}
        scheduled = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}
        for plural, spec in (("jobs", {"template": template}), ("cronjobs", scheduled)):
            tree = {"metadata": {"name": "j"}, "spec": spec}
            answer = await server.request("POST", f"/apis/batch/v1/namespaces/strict/{plural}", tree)
            assert answer.status == 201, answer.message
            assert answer.header("warning") == [warned(f'would violate PodSecurity "restricted:v1.25": {MISSING}')]
        bare = {"metadata": {"name": "t"}, "template": {"spec": {"containers": [CONTAINER]}}}
        assert (await server.create("podtemplates", bare, "strict")).header("warning")

    api(scenario)


def test_a_namespace_can_ask_for_warnings_alone(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await namespace(server, "soft", enforce="baseline", warn="restricted")
        answer = await server.create("pods", pod("p"), "soft")
        assert answer.status == 201
        assert answer.header("warning") == [warned(f'would violate PodSecurity "restricted:latest": {MISSING}')]
        answer = await server.create("pods", pod("q", hostNetwork=True), "soft")
        assert answer.message == (
            'pods "q" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
        )

    api(scenario)


def test_an_update_is_judged_where_it_changes_what_runs(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await namespace(server, "later")
        assert (await server.create("pods", pod("p"), "later")).status == 201
        labels = {"metadata": {"labels": {f"{PREFIX}enforce": "restricted"}}}
        assert (await server.patch(core("namespaces", "", "later"), labels)).status == 200
        path = core("pods", "later", "p")
        assert (await server.patch(path, {"metadata": {"labels": {"a": "b"}}})).status == 200
        image = {"spec": {"containers": [{"name": "c", "image": "y:1"}]}}
        answer = await server.patch(path, image, "application/strategic-merge-patch+json")
        assert answer.status == 403
        added = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "y:1"}]}}
        answer = await server.patch(f"{path}/ephemeralcontainers", added, "application/strategic-merge-patch+json")
        assert answer.status == 403

    api(scenario)


def test_bad_labels_are_refused_and_may_stay_where_they_are(api: Api) -> None:
    async def scenario(server: Served) -> None:
        labels = {f"{PREFIX}enforce": "strict", f"{PREFIX}warn-version": "1.2"}
        answer = await server.create("namespaces", {"metadata": {"name": "bad", "labels": labels}}, "")
        assert (answer.status, answer.tree["reason"]) == (422, "Invalid")
        assert answer.message == (
            f'Namespace "bad" is invalid: [metadata.labels[{PREFIX}enforce]: Invalid value: "strict": must be one of '
            f'privileged, baseline, restricted, metadata.labels[{PREFIX}warn-version]: Invalid value: "1.2": must be '
            '"latest" or "v1.x"]'
        )
        assert [cause["field"] for cause in answer.tree["details"]["causes"]] == [
            f"metadata.labels[{PREFIX}enforce]",
            f"metadata.labels[{PREFIX}warn-version]",
        ]

    api(scenario)


def test_raising_the_level_tells_of_the_pods_that_are_there(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await namespace(server, "grown")
        for name in ("web-2", "web-1", "web-3"):
            tree = pod(name)
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
            tree["metadata"]["ownerReferences"] = [owner]
            assert (await server.create("pods", tree, "grown")).status == 201
        assert (await server.create("pods", pod("fine", SAFE), "grown")).status == 201
        assert (await server.create("pods", pod("host", SAFE, hostPID=True), "grown")).status == 201
        path = core("namespaces", "", "grown")
        answer = await server.patch(path, {"metadata": {"labels": {f"{PREFIX}enforce": "restricted"}}})
        assert answer.status == 200
        reasons = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
        assert ", ".join(answer.header("warning")).split(", 299") == [
            warned('existing pods in namespace "grown" violate the new PodSecurity enforce level "restricted:latest"'),
            warned("host: host namespaces").removeprefix("299"),
            warned(f"web-1 (and 2 other pods): {reasons}").removeprefix("299"),
        ]
        for label, level in (("warn", "baseline"), ("enforce", "baseline")):  # no more than before
            answer = await server.patch(path, {"metadata": {"labels": {PREFIX + label: level}}})
            assert (answer.status, answer.header("warning")) == (200, [])

    api(scenario)


def test_defaults_and_exemptions_come_from_the_servers_configuration(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await namespace(server, "plain")
        refused = await server.create("pods", pod("p"), "plain")
        assert (refused.status, "violates PodSecurity" in refused.message) == (403, True)
        await namespace(server, "open", enforce="privileged", warn="privileged")
        assert (await server.create("pods", pod("p"), "open")).status == 201
        made = await server.create("namespaces", {"metadata": {"name": "free", "labels": {PREFIX + "enforce": "baseline"}}}, "")
        ignored = 'namespace "free" is exempt from Pod Security, and the policy (enforce=baseline:latest) will be ignored'
        assert made.header("warning") == [warned(ignored)]
        assert (await server.create("serviceaccounts", {"metadata": {"name": "default"}}, "free")).status == 201
        assert (await server.create("pods", pod("p"), "free")).status == 201
        assert (await server.request("POST", "/apis/node.k8s.io/v1/runtimeclasses", RUNTIME)).status == 201
        assert (await server.create("pods", pod("q", runtimeClassName="gvisor"), "plain")).status == 201

    strictest = Policy(LevelVersion("restricted"), LevelVersion("restricted"))
    exempt = PodSecuritySettings(strictest, runtime_classes=frozenset({"gvisor"}), namespaces=frozenset({"free"}))
    api(scenario, admission=AdmissionSettings(pod_security=exempt))


def test_a_plugin_can_be_turned_off(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await namespace(server, "strict", enforce="restricted")
        assert (await server.create("pods", pod("p"), "strict")).status == 201

    api(scenario, admission=AdmissionSettings(off=frozenset({"PodSecurity"})))

"""What only the served API shows of Jobs, autoscalers and their kin: two versions of one object, warnings, selections."""

from __future__ import annotations

from tests.component.conftest import Api, Served, Tree

BATCH = "/apis/batch/v1/namespaces/default"
AUTOSCALING = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
V1, V2 = AUTOSCALING.format("v1"), AUTOSCALING.format("v2")
POD: Tree = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}
PODS_METRIC: Tree = {
    "type": "Pods",
    "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "5"}},
}
HPA: Tree = {"metadata": {"name": "web"}, "spec": {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}


def with_spec(**spec: object) -> Tree:
    return HPA | {"spec": HPA["spec"] | spec}


def test_an_autoscaler_is_one_object_in_two_versions(api: Api) -> None:
    async def scenario(server: Served) -> None:
        made = await server.request("POST", V1, with_spec(targetCPUUtilizationPercentage=60))
        assert (made.status, made.tree["apiVersion"], made.tree["spec"]["minReplicas"]) == (201, "autoscaling/v1", 1)
        shown = (await server.get(f"{V2}/web")).tree
        assert shown["metadata"]["uid"] == made.tree["metadata"]["uid"]
        assert shown["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
        metrics = [*shown["spec"]["metrics"], PODS_METRIC]
        assert (await server.patch(f"{V2}/web", {"spec": {"metrics": metrics, "behavior": {"scaleUp": {}}}})).status == 200
        async with server.watch(V1, {"resourceVersion": "0"}) as events:
            type_, old = await events.next()
            assert (type_, old["apiVersion"]) == ("ADDED", "autoscaling/v1")
            changed = await server.patch(f"{V1}/web", {"spec": {"targetCPUUtilizationPercentage": 70}})
            type_, old = await events.next()
            assert (type_, old["spec"]["targetCPUUtilizationPercentage"]) == ("MODIFIED", 70)
        assert changed.status == 200 and "hits" in old["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]
        shown = (await server.get(f"{V2}/web")).tree
        found = {metric["type"]: metric for metric in shown["spec"]["metrics"]}
        assert found["Resource"]["resource"]["target"]["averageUtilization"] == 70 and found["Pods"] == PODS_METRIC
        assert shown["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Max"
        assert "annotations" not in shown["metadata"]

    api(scenario)


def test_the_status_of_an_autoscaler_is_written_in_either_version(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.request("POST", V2, HPA)
        condition = {"type": "AbleToScale", "status": "True"}
        status = {"status": {"currentReplicas": 1, "desiredReplicas": 3, "conditions": [condition]}}
        assert (await server.patch(f"{V2}/web/status", status)).status == 200
        patched = await server.patch(f"{V1}/web/status", {"status": {"desiredReplicas": 4}})
        assert patched.tree["status"] == {"currentReplicas": 1, "desiredReplicas": 4}
        assert (await server.get(f"{V2}/web")).tree["status"] == {
            "currentReplicas": 1, "desiredReplicas": 4, "conditions": [condition | {"lastTransitionTime": None}],
            "currentMetrics": None,
        }  # fmt: skip
        refused = await server.request("PUT", f"{V1}/web", with_spec(maxReplicas=0))
        assert refused.status == 422
        assert {cause["field"] for cause in refused.tree["details"]["causes"]} == {"spec.maxReplicas"}

    api(scenario)


def test_an_autoscaler_named_by_the_server_finds_a_name_in_v1(api: Api) -> None:
    async def scenario(server: Served) -> None:
        bodies = [HPA | {"metadata": {"generateName": "web-"}} for _ in range(3)]
        names = {(await server.request("POST", V1, body)).tree["metadata"]["name"] for body in bodies}
        assert len(names) == 3 and all(name.startswith("web-") and len(name) == 9 for name in names)

    api(scenario)


def test_a_job_says_what_becomes_of_its_pods(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for name in ("a", "b"):
            job = {"metadata": {"name": name}, "spec": {"template": {"spec": POD}}}
            assert (await server.request("POST", f"{BATCH}/jobs", job)).status == 201
        left = await server.delete(f"{BATCH}/jobs/a")
        (warning,) = left.header("warning")
        assert warning.startswith('299 - "child pods are preserved by default when jobs are deleted;')
        assert left.tree["metadata"]["finalizers"] == ["orphan"]
        told = await server.delete(f"{BATCH}/jobs/b", {"propagationPolicy": "Background"})
        assert (told.status, told.header("warning")) == (200, [])

    api(scenario)


def test_jobs_are_selected_by_their_successes(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for name in ("a", "b"):
            await server.request("POST", f"{BATCH}/jobs", {"metadata": {"name": name}, "spec": {"template": {"spec": POD}}})
        await server.patch(f"{BATCH}/jobs/a/status", {"status": {"succeeded": 1}})
        found = await server.get(f"{BATCH}/jobs", query={"fieldSelector": "status.successful=1"})
        assert [item["metadata"]["name"] for item in found.tree["items"]] == ["a"]
        refused = await server.patch(f"{BATCH}/jobs/a/status", {"status": {"succeeded": None}})
        assert (refused.status, refused.message) == (
            422, 'Job.batch "a" is invalid: status.succeeded: Invalid value: 0: cannot decrease the succeeded counter',
        )  # fmt: skip

    api(scenario)


def test_a_cron_job_with_an_awkward_name_is_made_with_a_warning(api: Api) -> None:
    async def scenario(server: Served) -> None:
        spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": POD}}}}
        made = await server.request("POST", f"{BATCH}/cronjobs", {"metadata": {"name": "a.b"}, "spec": spec})
        (warning,) = made.header("warning")
        assert made.status == 201 and "a DNS label is recommended: [must not contain dots]" in warning
        gone = await server.get("/apis/batch/v1beta1/cronjobs")
        assert gone.status == 404

    api(scenario)


def test_a_stateful_set_is_scaled_and_counted(api: Api) -> None:
    async def scenario(server: Served) -> None:
        path = "/apis/apps/v1/namespaces/default/statefulsets"
        template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
        body = {"metadata": {"name": "db"}, "spec": {"selector": {"matchLabels": {"app": "db"}}, "template": template}}
        made = await server.request("POST", path, body)
        assert (made.status, made.tree["status"]) == (201, {"replicas": 0, "availableReplicas": 0})
        scale = (await server.get(f"{path}/db/scale")).tree
        refused = await server.request("PUT", f"{path}/db/scale", {**scale, "spec": {"replicas": -1}})
        assert refused.message.startswith('Scale.autoscaling "db" is invalid: spec.replicas: ')
        assert (await server.get(f"{path}/nope/scale")).message == 'statefulsets/scale.apps "nope" not found'
        assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 0, "selector": "app=db"})
        assert (await server.patch(f"{path}/db/scale", {"spec": {"replicas": 4}})).status == 200
        found = (await server.get(f"{path}/db")).tree
        assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (4, 2)

    api(scenario)

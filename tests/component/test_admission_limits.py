"""LimitRange, default classes, runtime classes and protected storage, as clients meet them."""

from __future__ import annotations

from typing import Any

from tests.component.conftest import Answer, Api, Served, core

Tree = dict[str, Any]
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
INGRESSES = "/apis/networking.k8s.io/v1"


def pod(name: str, **spec: Any) -> Tree:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x:1"}], **spec}}


def claim(name: str, size: str = "1Gi", **spec: Any) -> Tree:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"metadata": {"name": name}, "spec": spec}


async def account(server: Served) -> None:
    await made(server.create("serviceaccounts", {"metadata": {"name": "default"}}))


async def made(asked: Any) -> Tree:
    answer: Answer = await asked
    assert answer.status in (200, 201), answer.message
    tree: Tree = answer.tree
    return tree


async def refused(asked: Any) -> str:
    answer: Answer = await asked
    assert (answer.status, answer.tree["reason"]) == (403, "Forbidden"), answer.tree
    return answer.message


def test_pods_get_the_defaults_of_a_limit_range_and_keep_within_it(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await account(server)
        limits = [
            {"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"}},
            {"type": "Pod", "max": {"cpu": "1500m"}},
        ]
        await made(server.create("limitranges", {"metadata": {"name": "range"}, "spec": {"limits": limits}}))
        first = await made(server.create("pods", pod("first")))
        resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}
        assert first["spec"]["containers"][0]["resources"] == resources
        assert first["status"]["qosClass"] == "Burstable"
        note = "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
        assert first["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == note
        greedy = pod("greedy")
        greedy["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}}
        assert await refused(server.create("pods", greedy)) == (
            'pods "greedy" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, '
            "maximum cpu usage per Pod is 1500m, but limit is 2]"
        )
        # Elsewhere, and on updates, nothing is asked.
        await made(server.create("namespaces", {"metadata": {"name": "other"}}, ""))
        await made(server.create("serviceaccounts", {"metadata": {"name": "default"}}, "other"))
        assert (await made(server.create("pods", greedy, "other")))["spec"]["containers"][0]["resources"]["limits"]
        await made(server.delete(core("limitranges", "default", "range")))
        await made(server.create("pods", greedy))

    api(scenario)


def test_a_resize_keeps_within_a_limit_range(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await account(server)
        limits = [{"type": "Container", "max": {"cpu": "1"}}]
        await made(server.create("limitranges", {"metadata": {"name": "range"}, "spec": {"limits": limits}}))
        small = pod("p")
        small["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}}
        await made(server.create("pods", small))

        def to(cpu: str) -> Tree:
            return {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": cpu}}}]}}

        path, kind = core("pods", "default", "p", "resize"), "application/strategic-merge-patch+json"
        await made(server.patch(path, to("800m"), kind))
        why = await refused(server.patch(path, to("3"), kind))
        assert why == 'pods "p" is forbidden: maximum cpu usage per Container is 1, but limit is 3'

    api(scenario)


def test_claims_keep_within_a_limit_range(api: Api) -> None:
    async def scenario(server: Served) -> None:
        limits = [{"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}]
        await made(server.create("limitranges", {"metadata": {"name": "range"}, "spec": {"limits": limits}}))
        await made(server.create("persistentvolumeclaims", claim("good", "2Gi")))
        why = await refused(server.create("persistentvolumeclaims", claim("big", "3Gi")))
        assert why == (
            'persistentvolumeclaims "big" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, '
            "but request is 3Gi"
        )

    api(scenario)


def test_a_claim_of_no_class_is_of_the_newest_default_class(api: Api) -> None:
    async def scenario(server: Served) -> None:
        assert "storageClassName" not in (await made(server.create("persistentvolumeclaims", claim("early"))))["spec"]
        for name, mark in (("b", "storageclass.kubernetes.io"), ("a", "storageclass.beta.kubernetes.io"), ("c", "example.com")):
            meta = {"name": name, "annotations": {f"{mark}/is-default-class": "true"}}
            await made(server.request("POST", STORAGE, {"metadata": meta, "provisioner": "example.com/p"}))
        late = await made(server.create("persistentvolumeclaims", claim("late")))
        times = {name: (await made(server.get(f"{STORAGE}/{name}")))["metadata"]["creationTimestamp"] for name in "ab"}
        assert late["spec"]["storageClassName"] == ("b" if times["b"] > times["a"] else "a")
        for name, spec in (("none", {"storageClassName": ""}), ("own", {"storageClassName": "c"})):
            chosen = await made(server.create("persistentvolumeclaims", claim(name, **spec)))
            assert chosen["spec"]["storageClassName"] == spec["storageClassName"]
        old = claim("old")
        old["metadata"]["annotations"] = {"volume.beta.kubernetes.io/storage-class": "c"}
        assert "storageClassName" not in (await made(server.create("persistentvolumeclaims", old)))["spec"]

    api(scenario)


def test_an_ingress_of_no_class_is_of_the_default_class(api: Api) -> None:
    async def scenario(server: Served) -> None:
        meta = {"name": "web", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
        spec = {"controller": "example.com/c"}
        await made(server.request("POST", f"{INGRESSES}/ingressclasses", {"metadata": meta, "spec": spec}))
        backend = {"service": {"name": "s", "port": {"number": 80}}}
        path = f"{INGRESSES}/namespaces/default/ingresses"
        for name, given, expected in (("a", {}, "web"), ("b", {"ingressClassName": "mine"}, "mine")):
            tree = {"metadata": {"name": name}, "spec": {"defaultBackend": backend, **given}}
            assert (await made(server.request("POST", path, tree)))["spec"]["ingressClassName"] == expected

    api(scenario)


def test_volumes_and_claims_are_born_protected(api: Api) -> None:
    async def scenario(server: Served) -> None:
        volume = {
            "metadata": {"name": "v", "finalizers": ["example.com/mine"]},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}},
        }
        created = await made(server.create("persistentvolumes", volume, ""))
        assert created["metadata"]["finalizers"] == ["example.com/mine", "kubernetes.io/pv-protection"]
        created = await made(server.create("persistentvolumeclaims", claim("c")))
        assert created["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

    api(scenario)


def test_a_claim_grows_only_if_it_is_bound_and_its_class_lets_it(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for name, grows in (("fixed", False), ("elastic", True)):
            tree = {"metadata": {"name": name}, "provisioner": "example.com/p", "allowVolumeExpansion": grows}
            await made(server.request("POST", STORAGE, tree))
        bigger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        for name in ("fixed", "elastic"):
            await made(server.create("persistentvolumeclaims", claim(name, storageClassName=name, volumeName="v")))
            await made(
                server.patch(
                    core("persistentvolumeclaims", "default", name, "status"),
                    {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}},
                )
            )
        why = await refused(server.patch(core("persistentvolumeclaims", "default", "fixed"), bigger))
        assert why == (
            'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and the '
            "storageclass that provisions the pvc must support resize"
        )
        await made(server.patch(core("persistentvolumeclaims", "default", "elastic"), bigger))

    api(scenario)


def test_a_pod_gets_the_overhead_and_the_place_of_its_runtime_class(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await account(server)
        runtime = {
            "metadata": {"name": "sandboxed"},
            "handler": "kata",
            "overhead": {"podFixed": {"cpu": "250m"}},
            "scheduling": {"nodeSelector": {"kata": "yes"}, "tolerations": [{"key": "kata", "operator": "Exists"}]},
        }
        await made(server.request("POST", "/apis/node.k8s.io/v1/runtimeclasses", runtime))
        spec = (await made(server.create("pods", pod("p", runtimeClassName="sandboxed", nodeSelector={"disk": "ssd"}))))["spec"]
        assert spec["overhead"] == {"cpu": "250m"}
        assert spec["nodeSelector"] == {"disk": "ssd", "kata": "yes"}
        assert {"key": "kata", "operator": "Exists"} in spec["tolerations"]

        async def why(**fields: Any) -> str:
            return await refused(server.create("pods", pod("q", **fields)))

        start = 'pods "q" is forbidden: '
        assert await why(runtimeClassName="none") == f'{start}pod rejected: RuntimeClass "none" not found'
        assert await why(runtimeClassName="sandboxed", nodeSelector={"kata": "no"}) == (
            f"{start}conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no"
        )
        assert await why(runtimeClassName="sandboxed", overhead={"cpu": "1"}) == (
            f"{start}pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        )
        assert await why(overhead={"cpu": "1"}) == (
            f"{start}pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        )

    api(scenario)

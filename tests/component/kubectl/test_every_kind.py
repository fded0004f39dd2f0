"""Every kind that can be made, through every command that takes files: one file has an object of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sampan.api import definitions
from sampan.api.resource import Resource
from sampan.api.scheme import builtin
from tests.component.kubectl.conftest import Kubectl
from tests.samples import sample

Tree = dict[str, Any]

KINDS = [resource for resource in builtin() if "delete" in resource.verbs and resource.stored_as is None]
# kubectl finds something to patch in these whatever the server says: fields that only go in, lists that are taken whole and
# have defaults in them, and a selector that is always replaced.
_ALWAYS_PATCHED = {
    "Endpoints",
    "EndpointSlice",
    "MutatingWebhookConfiguration",
    "PodDisruptionBudget",
    "Secret",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
}
# What a manifest leaves open is chosen by the server and then stands: a Pod's node, a Job's selector.
_NOT_REPLACED = ("Pod", "Job")
# kubectls before 1.33 describe them by the versions that these kinds had then.
_NOT_DESCRIBED = ("IPAddress", "ServiceCIDR")


def made(resource: Resource, namespace: str) -> Tree:
    tree = sample(resource, namespace)
    if resource.kind == "Event":
        tree["involvedObject"]["namespace"] = namespace
    if resource.kind in ("Namespace", "Endpoints"):  # the test's own, and those of the Service, are the cluster's
        tree["metadata"]["name"] = f"{namespace}-more"
    return tree


def without(kubectl: Kubectl, kinds: Sequence[str]) -> list[Tree]:
    return [made(resource, kubectl.namespace) for resource in KINDS if resource.kind not in kinds]


def written(path: Path, trees: list[Tree]) -> str:
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": trees}))
    return str(path)


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def revisions(kubectl: Kubectl, path: str) -> dict[str, str]:
    """The revisions of what no controller writes to."""
    calm = {resource.kind for resource in KINDS if not resource.status}
    items = json.loads(kubectl.ok("get", "-f", path, "-o", "json"))["items"]
    return {item["kind"]: item["metadata"]["resourceVersion"] for item in items if item["kind"] in calm}


@pytest.fixture
def manifest(every_kubectl: Kubectl, tmp_path: Path) -> str:
    return written(tmp_path / "all.json", without(every_kubectl, ()))


def test_every_kind_goes_through_every_command(every_kubectl: Kubectl, manifest: str, tmp_path: Path) -> None:
    kubectl = every_kubectl
    every = ("-f", manifest)
    assert [line for line in lines(kubectl.ok("apply", *every)) if not line.endswith(" created")] == []
    patched = [
        line.split("/")[0].split(".")[0] for line in lines(kubectl.ok("apply", *every)) if not line.endswith(" unchanged")
    ]
    assert set(patched) == {kind.lower() for kind in _ALWAYS_PATCHED}
    compared = kubectl("diff", *every)
    assert (compared.code, compared.out) == (0, "")
    applied = kubectl.ok("apply", "--server-side", "--force-conflicts", *every)
    assert len(lines(applied)) == applied.count(" serverside-applied\n") == len(KINDS)
    before = revisions(kubectl, manifest)
    kubectl.ok("apply", "--server-side", *every)
    assert revisions(kubectl, manifest) == before
    names = lines(kubectl.ok("get", *every, "-o", "name"))
    assert len(names) == len(KINDS)
    for form in ("", "wide"):
        assert len(kubectl.ok("get", *every, "-o", form).split("\n\n")) == len(KINDS), "a table of each"
    assert kubectl.ok("get", *every, "-o", "yaml").count("\n    uid: ") == len(KINDS)
    known = without(kubectl, () if kubectl.minor >= 33 else _NOT_DESCRIBED)
    assert kubectl.ok("describe", "-f", written(tmp_path / "known.json", known)).count("Name:") >= len(known)
    kept = without(kubectl, _NOT_REPLACED)
    replaced = kubectl.ok("replace", "-f", written(tmp_path / "kept.json", kept))
    assert replaced.count(" replaced\n") == len(kept)
    for command, *words in (
        ("annotate", "note=a"),
        ("label", "mark=a"),
        ("patch", "--type=merge", '--patch={"metadata":{"labels":{"mark":"b"}}}'),
        ("patch", "--type=strategic", '--patch={"metadata":{"labels":{"mark":"c"}}}'),
        ("patch", "--type=json", '--patch=[{"op":"remove","path":"/metadata/labels/mark"}]'),
    ):
        changed = lines(kubectl.ok(command, *every, *words))
        assert len(changed) == len(KINDS) and "no change" not in str(changed), (command, *words)
    # To wait for them, kubectl would ask five times a second.
    assert kubectl.ok("delete", *every, "--wait=false").count(" deleted") == len(KINDS)
    for resource in KINDS:
        name = made(resource, kubectl.namespace)["metadata"]["name"]
        what = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        kubectl.cluster.wait_for(f"{what}/{name}", "delete", namespace=kubectl.namespace)


def fields(name: str, above: frozenset[str] = frozenset()) -> int:
    """How many fields a definition has, with those in them, as `explain --recursive` tells them: none of itself again."""
    count = 0
    for raw in definitions.definition(name).get("properties", {}).values():
        count += 1
        inner = raw
        while "items" in inner or isinstance(inner.get("additionalProperties"), dict):
            inner = inner.get("items") or inner["additionalProperties"]
        reference = definitions.referenced(inner)
        if reference and reference not in above:
            count += fields(reference, above | {reference})
    return count


def test_every_field_of_every_kind_is_explained(kubectl: Kubectl) -> None:
    for resource in builtin():
        told = kubectl.ok("explain", resource.plural, "--recursive", f"--api-version={resource.group_version}")
        assert f"KIND:       {resource.kind}\nVERSION:    {resource.version}\n" in told
        count = sum("\t<" in line for line in told.splitlines())
        assert count == fields(resource.definition, frozenset((resource.definition,))), resource.definition


def test_every_kind_is_discovered_with_its_names_and_verbs(every_kubectl: Kubectl) -> None:
    wanted = {
        (
            resource.plural,
            ",".join(resource.short),
            resource.group_version,
            str(resource.namespaced).lower(),
            resource.kind,
            ",".join(sorted(resource.verbs)),
            ",".join(resource.categories),
        )
        for resource in builtin()
        if resource.stored_as is None or resource.stored_as[0] != resource.group  # the preferred of several versions
    }
    header, *rows = every_kubectl.ok("api-resources", "-o", "wide").splitlines()
    starts = [header.index(name) for name in ("NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "VERBS", "CATEGORIES")]
    ends = [*starts[1:], None]
    found = {tuple(row[start:end].strip() for start, end in zip(starts, ends, strict=True)) for row in rows}
    assert {(*row[:5], ",".join(sorted(row[5].split(","))), row[6]) for row in found} >= wanted
    versions = set(every_kubectl.ok("api-versions").split())
    assert versions >= {resource.group_version for resource in builtin()}

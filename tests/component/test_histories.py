"""Random requests of many clients for few objects, with a store that fails and clients that go away, told as one story."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop

from sampan.lib.clock import RealClock
from sampan.store.base import Expected, Handed, StoreUnavailable
from sampan.store.sqlite import SQLiteStore
from tests.component.admission import configure, entry, respond
from tests.component.conftest import Answer, Api, Credentials, Served, core
from tests.component.histories import Call, Effect, Refused, Story, Tree, View, revision, view
from tests.component.test_drain import Running, bounded, running
from tests.component.webhooks import webhook

CLIENTS = 14
STEPS = 110
_UNTOLD = (503, 504)


class Kind(NamedTuple):
    paths: tuple[str, ...]
    """Of the collection, by version; the first is watched."""
    spec: Tree
    parts: tuple[str, ...] = ()

    def tree(self, name: str, version: int) -> Tree:
        _, *group, api_version = self.paths[version].split("/namespaces")[0].split("/")[1:]
        kinds = {"configmaps": "ConfigMap", "deployments": "Deployment", "horizontalpodautoscalers": "HorizontalPodAutoscaler"}
        kind = kinds[self.paths[version].rsplit("/", 1)[1]]
        return {"apiVersion": "/".join([*group, api_version]), "kind": kind, "metadata": {"name": name}, **self.spec}


LABELS = {"matchLabels": {"a": "b"}}
POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
KINDS = (
    Kind((core("configmaps", "default"),), {}),
    Kind(
        ("/apis/apps/v1/namespaces/default/deployments",),
        {"spec": {"replicas": 1, "selector": LABELS, "template": POD}},
        ("status", "scale"),
    ),
    Kind(
        tuple(f"/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers" for version in ("v2", "v1")),
        {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}},
        ("status",),
    ),
)
NAMES = ("a", "b")


class UnsteadyStore(SQLiteStore):
    """Fails writes before and after it makes them, lets them lose, and takes its time."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        super().__init__(path)
        self.chance = chance
        self.failing = 0.0

    async def update(
        self, key: str, value: bytes, expected: Expected, *, ttl_seconds: int = 0, handed: Handed | None = None
    ) -> int:
        fate = self.chance.random() / self.failing if self.failing else 9.0
        if fate < 1:
            raise StoreUnavailable("database or disk is full")
        if fate < 3:
            expected = 1
        elif fate < 4:
            await asyncio.sleep(0.001)
        made = await super().update(key, value, expected, ttl_seconds=ttl_seconds, handed=handed)
        if fate < 5 and fate >= 4:
            raise StoreUnavailable("the answer was lost")
        return made


def upon(effect: Callable[[View], View]) -> Effect:
    """Of what there is; it goes if it was to, and nothing holds it any more."""

    def of(before: View | None, _: int) -> View | None:
        if before is None:
            raise Refused
        after = effect(before)
        if before.leaves and set(after.finalizers) - set(before.finalizers):
            raise Refused
        return None if after.leaves and not after.finalizers else after

    return of


def noted(**notes: str | None) -> Effect:
    return upon(lambda v: v._replace(notes={k: text for k, text in {**v.notes, **notes}.items() if text is not None}))


def at(expected: int, effect: Effect) -> Effect:
    """If `expected` is what stands, or 0."""

    def of(before: View | None, number: int) -> View | None:
        if before is None or expected not in (0, number):
            raise Refused
        return effect(before, number)

    return of


class Client:
    def __init__(self, number: int, seed: int, served: Served, calls: list[Call]) -> None:
        self.number = number
        self.chance = random.Random(seed * 1000 + number)
        self.served = served
        self.calls = calls
        self.known: dict[str, Tree] = {}
        """What it saw last."""
        self.done = 0
        served_as = served.credentials.client(served.server.url, "kubernetes-admin", "system:masters")
        self.transport = type(served.transport)(served_as)
        self.acts = [
            self.get, self.note, self.note, self.toggle, self.toggle, self.test, self.put, self.put, self.apply, self.hold,
            self.hold, self.part, self.part, self.create, self.delete,
        ]  # fmt: skip

    async def run(self) -> None:
        for self.done in range(STEPS):
            kind = self.chance.choice(KINDS)
            await self.chance.choice(self.acts)(kind, self.chance.choice(NAMES))
        await self.transport.close()

    async def get(self, kind: Kind, name: str) -> None:
        await self.send(kind, name, "GET", None, upon(lambda v: v))

    async def note(self, kind: Kind, name: str) -> None:
        notes = {f"c{self.number}": str(self.done)}
        await self.merge(kind, name, {"metadata": {"annotations": notes}}, noted(**notes))

    async def toggle(self, kind: Kind, name: str) -> None:
        notes = {"t": self.chance.choice(("0", "1", None))}
        await self.merge(kind, name, {"metadata": {"annotations": notes}}, noted(**notes))

    async def test(self, kind: Kind, name: str) -> None:
        path = "/metadata/annotations/t"
        operations = [{"op": "test", "path": path, "value": "0"}, {"op": "replace", "path": path, "value": f"{self.number}"}]

        def tested(before: View) -> View:
            if before.notes.get("t") != "0":
                raise Refused
            return before._replace(notes={**before.notes, "t": f"{self.number}"})

        await self.send(kind, name, "PATCH", operations, upon(tested), content_type="application/json-patch+json")

    async def put(self, kind: Kind, name: str) -> None:
        known = self.known.get(f"{kind.paths[0]}/{name}")
        if known is None:
            return
        notes = {**known["metadata"].get("annotations", {}), f"p{self.number}": str(self.done)}
        tree = {**known, "metadata": {"name": name, "annotations": notes}}
        if held := known["metadata"].get("finalizers"):
            tree["metadata"]["finalizers"] = held
        expected = revision(known) if self.chance.random() < 0.7 else 0
        if expected:
            tree["metadata"]["resourceVersion"] = str(expected)
        sent = view(tree)

        def replaced(before: View) -> View:
            return sent._replace(leaves=before.leaves, observed=before.observed)

        await self.send(kind, name, "PUT", tree, at(expected, upon(replaced)))

    async def apply(self, kind: Kind, name: str) -> None:
        kind, text = KINDS[0], self.chance.choice(("x", "y"))
        tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": {"shared": text}}}
        query = {"fieldManager": f"m{self.number}"} | ({"force": "true"} if self.chance.random() < 0.5 else {})

        def applied(before: View | None, number: int) -> View | None:
            return View({"shared": text}) if before is None else noted(shared=text)(before, number)

        await self.send(kind, name, "PATCH", tree, applied, query, True, content_type="application/apply-patch+yaml")

    async def hold(self, kind: Kind, name: str) -> None:
        """Or let go: then what is deleted goes."""
        held = self.chance.choice(([], [], ["example.com/a"], ["example.com/b"]))
        await self.merge(kind, name, {"metadata": {"finalizers": held}}, upon(lambda v: v._replace(finalizers=tuple(held))))

    async def part(self, kind: Kind, name: str) -> None:
        if not kind.parts:
            return
        part, number = self.chance.choice(kind.parts), self.chance.randrange(1, 4)
        if part == "scale":
            patch, effect = {"spec": {"replicas": number}}, upon(lambda v: v._replace(replicas=number))
        else:
            patch, effect = {"status": {"observedGeneration": number}}, upon(lambda v: v._replace(observed=number))
        await self.merge(kind, name, patch, effect, part)

    async def create(self, kind: Kind, name: str) -> None:
        version = self.chance.randrange(len(kind.paths))
        tree = kind.tree(name, version)
        notes = {f"n{self.number}": str(self.done)}
        tree["metadata"]["annotations"] = notes

        def created(before: View | None, _: int) -> View | None:
            if before is not None:
                raise Refused
            return View(notes, replicas=tree.get("spec", {}).get("replicas"))

        await self.send(kind, name, "POST", tree, created, version=version)

    async def delete(self, kind: Kind, name: str) -> None:
        known = self.known.get(f"{kind.paths[0]}/{name}")
        expected = revision(known) if known is not None and self.chance.random() < 0.5 else 0
        options = {"preconditions": {"resourceVersion": str(expected)}} if expected else None
        await self.send(kind, name, "DELETE", options, at(expected, upon(lambda v: v._replace(leaves=True))))

    async def merge(self, kind: Kind, name: str, patch: Tree, effect: Effect, part: str = "") -> None:
        content_type = "application/merge-patch+json"
        await self.send(kind, name, "PATCH", patch, effect, part=part, content_type=content_type)

    async def send(
        self,
        kind: Kind,
        name: str,
        method: str,
        body: Any,
        effect: Effect,
        query: Tree | None = None,
        may_be_refused: bool = False,
        *,
        part: str = "",
        version: int = -1,
        **options: Any,
    ) -> None:
        """At any version that the kind has, unless one is given."""
        place = f"{kind.paths[0]}/{name}"
        if method == "PUT":
            version = next(i for i in range(len(kind.paths)) if kind.tree(name, i)["apiVersion"] == body["apiVersion"])
        version = version if version >= 0 else self.chance.randrange(len(kind.paths))
        path = kind.paths[version] if method == "POST" else "/".join(filter(None, (kind.paths[version], name, part)))
        query = dict(query or {})
        dry_run = method in ("PATCH", "PUT") and self.chance.random() < 0.1
        if dry_run:
            query["dryRun"] = "All"
        if self.chance.random() < 0.08:
            query["timeout"] = f"{self.chance.randrange(1, 8)}ms"
        feed = self.served.server.context.feed
        what = f"{self.number} {method} {path} {body} {query}"
        call = Call(what, place, effect, feed.revision, dry_run, may_be_refused)
        self.calls.append(call)
        try:
            async with asyncio.timeout(self.chance.random() * 0.02 if self.chance.random() < 0.08 else None):
                answer: Answer = await self.served.request(method, path, body, by=self.transport, query=query, **options)
        except (TimeoutError, OSError):
            return
        if answer.status in _UNTOLD:
            return
        assert answer.status < 429, (what, answer.body)
        call.status, call.tree, call.ended = answer.status, answer.tree, feed.revision
        if answer.status < 300 and not dry_run and answer.tree["kind"] not in ("Scale", "Status"):
            self.known[place] = answer.tree


async def follow(served: Served, kind: Kind, since: int, until: int) -> list[tuple[str, Tree]]:
    """Every event up to that of revision `until`."""
    found: list[tuple[str, Tree]] = []
    async with served.watch(kind.paths[0], {"resourceVersion": str(since)}) as events:
        while not found or revision(found[-1][1]) < until:
            found.append(await events.next())
    return found


async def check(served: Served, since: int, calls: list[Call], shown: list[Tree]) -> None:
    """That clients and webhooks were told one story, and nothing is left of how."""
    by_place: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_place[call.place].append(call)
    for kind in KINDS:
        plural = kind.paths[0].rsplit("/", 1)[1]
        registry = next(found for found in served.server.context.registries if found.resource.plural == plural)
        events = await follow(served, kind, since, registry.cache.revision)
        told: dict[str, list[tuple[str, Tree]]] = defaultdict(list)
        for type_, tree in events:
            told[tree["metadata"]["name"]].append((type_, tree))
        stories = {name: Story(told[name]) for name in told}
        for name in NAMES:
            stories[name].check(by_place[f"{kind.paths[0]}/{name}"])
        listed = {item["metadata"]["name"]: item for item in (await served.get(kind.paths[0])).tree["items"]}
        last = {name: story.versions[-1] for name, story in stories.items()}
        assert {name: view(item) for name, item in listed.items()} == {n: v.view for n, v in last.items() if v.view is not None}
        assert all(revision(item) == last[name].revision for name, item in listed.items())
        assert not registry.locks.waiting and not registry.cache.underway and not registry.cache._prepared
        for tree in shown:
            if tree["kind"] == events[0][1]["kind"]:
                versions = stories[tree["metadata"]["name"]].versions
                assert any(view(tree) == found.view for found in versions if found.revision == revision(tree)), tree


@pytest.mark.parametrize(
    ("seed", "failing", "hooked"), [(1, 0.0, False), (2, 0.02, False), (3, 0.05, False), (4, 0.02, True), (5, 0.05, True)]
)
def test_what_clients_are_told_is_one_story(api: Api, tmp_path: Path, seed: int, failing: float, hooked: bool) -> None:
    async def scenario() -> None:
        store = UnsteadyStore(tmp_path / "state.db", random.Random(seed))
        async with (
            api.serve(RealClock(), store, kubelet_ca_pem=b"") as served,
            webhook(lambda review: respond(review)) as hook,
            asyncio.timeout(60),
        ):
            if hooked:
                await configure(served, "validating", "v", entry(hook))
            since = served.server.context.feed.revision
            calls: list[Call] = []
            store.failing = failing
            await asyncio.gather(*(Client(number, seed, served, calls).run() for number in range(CLIENTS)))
            store.failing = 0.0
            for kind in KINDS:  # after all that is underway
                assert (await served.request("POST", kind.paths[0], kind.tree("last", 0))).status == 201
            shown = [review["request"]["oldObject"] for review in hook.asked if review["request"].get("oldObject")]
            assert bool(shown) is hooked
            await check(served, since, calls, shown)

    uvloop.run(scenario())


def test_what_was_answered_is_there_when_the_server_was_killed_amid_writes_of_one_object(
    credentials: Credentials, tmp_path: Path
) -> None:
    """Each of many clients counts in a field of its own; so a write that is lost, or made twice, is seen."""
    clients, kill_after = 16, 400
    path = core("configmaps", "default", "hot")
    answered = dict.fromkeys(range(clients), 0)
    newest = 0

    async def count(server: Running, number: int) -> None:
        nonlocal newest
        transport = type(server.transport)(server.client)
        try:
            while True:
                patch = {"data": {f"c{number}": str(answered[number] + 1)}}
                media = "application/merge-patch+json"
                answer = await transport.request("PATCH", path, body=json.dumps(patch).encode(), content_type=media)
                tree = json.loads(answer.body)
                assert answer.status == 200 and tree["data"][f"c{number}"] == str(answered[number] + 1), tree
                answered[number] += 1
                newest = max(newest, revision(tree))
                if sum(answered.values()) == kill_after:
                    server.process.kill()
        except OSError:
            return
        finally:
            await transport.close()

    async def scenario() -> None:
        async with running(credentials, tmp_path) as server:
            await server.write("hot")
            await asyncio.gather(*(count(server, number) for number in range(clients)))
        assert sum(answered.values()) >= kill_after
        async with running(credentials, tmp_path) as server:
            tree = json.loads((await server.transport.request("GET", path)).body)
        assert revision(tree) >= newest
        for number, counted in answered.items():
            assert int(tree["data"].get(f"c{number}", 0)) - counted in (0, 1)

    bounded(scenario())

"""Two servers that are asked the same, and the account of how they answered.

def test_an_object_is_read_back(pair: Pair) -> None:
    pair.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "a"}}, keep={"rv": "metadata.resourceVersion"})
    pair.ask("GET", "/api/v1/namespaces/a?resourceVersion={rv}")
    pair.agree()
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from sampan.api.resource import Resource
from sampan.client.transport import Transport
from tests.component.conftest import Answer, Served
from tests.fuzz.arena import path_of
from tests.upstream.betas import Beta, beta_of
from tests.upstream.comparing import Difference, differences
from tests.upstream.explained import is_explained, reworded
from tests.upstream.normal import HEADERS, plain_body, plain_text

Tree = dict[str, Any]
_KEPT = re.compile(r"\{(\w+)\}")
_JSON = "application/json"


class Each(NamedTuple):
    """A body for each of the two, where it comes from what they answered before."""

    theirs: Any
    ours: Any


@dataclass
class Side:
    """One of the two: a connection, and what its answers gave for later requests."""

    transport: Transport
    kept: dict[str, str] = field(default_factory=dict)
    beta: Beta | None = None
    """The words that it knows a kind in, where they are not ours."""

    async def ask(self, method: str, path: str, body: Any, by: Transport, options: dict[str, Any]) -> Answer:
        path, _, query = self._filled(path).partition("?")
        raw = body if isinstance(body, bytes) else b"" if body is None else self._filled(json.dumps(body)).encode()
        if self.beta:
            path, raw = self.beta.path(path), self.beta.asked(raw)
        given = {name: value for name, value in options.items() if name not in ("by", "query_extra")}
        asked = [*parse_qsl(query, keep_blank_values=True), *options.get("query_extra", {}).items()]
        got = await by.request(method, path, query=asked, body=raw, **given)
        said = self.beta.answered(got.body) if self.beta else got.body
        try:
            tree = json.loads(said)
        except ValueError:
            tree = None
        return Answer(got.status, list(got.headers.items()), tree, said)

    def _filled(self, text: str) -> str:
        return _KEPT.sub(lambda found: self.kept.get(found[1], found[0]), text)

    def keep(self, answer: Answer, names: Mapping[str, str]) -> None:
        for name, path in names.items():
            value = answer.tree
            for step in path.split("."):
                value = value[int(step)] if isinstance(value, list) else (value or {}).get(step)
            self.kept[name] = str(value)


@dataclass
class Account:
    """What the comparison came to."""

    requests: int = 0
    explained: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


class Pair:
    def __init__(self, runner: asyncio.Runner, url: str, served: Served, account: Account) -> None:
        self._runner = runner
        self.url = url
        """Upstream's."""
        theirs, ours = Side(Transport(replace(served.admin, server=url))), Side(served.transport)
        self._others: dict[tuple[str, tuple[str, ...]], Each] = {}
        self.theirs, self.ours = theirs, ours
        self.served = served
        self.account = account
        self._found: list[str] = []

    def has(self, resource: Resource) -> bool:
        """Whether upstream has the kind, in whatever version: it is asked in its words from here on."""
        self.theirs.beta = beta_of(resource)
        theirs, _ = self.both("GET", path_of(resource))
        return theirs.status != 404

    def both(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[Answer, Answer]:
        """The answers of upstream and of Sampan, whatever they are."""

        each = body if isinstance(body, Each) else Each(body, body)
        by = options.get("by", Each(self.theirs.transport, self.ours.transport))

        async def asked() -> tuple[Answer, Answer]:
            async with asyncio.timeout(60):
                return await asyncio.gather(
                    self.theirs.ask(method, path, each.theirs, by.theirs, options),
                    self.ours.ask(method, path, each.ours, by.ours, options),
                )

        return self._runner.run(asked())

    def ask(
        self, method: str, path: str, body: Any = None, *, keep: Mapping[str, str] | None = None, note: str = "", **options: Any
    ) -> tuple[Answer, Answer]:
        """The answers, compared. `keep`: names for what is found in each, for `{name}` in later requests."""
        answers = self.both(method, path, body, **options)
        for side, answer in zip((self.theirs, self.ours), answers, strict=True):
            side.keep(answer, keep or {})
        theirs, ours = (shown(answer) for answer in answers)
        self.compare(f"{method} {path}", *of_one_status(reworded(theirs), ours), note=note, body=body)
        return answers

    def compare(self, request: str, theirs: Any, ours: Any, *, note: str = "", body: Any = None) -> None:
        self.account.requests += 1
        for found in differences(theirs, ours):
            reason = is_explained(f"{request} {note}", found)
            if reason:
                self.account.explained[reason] = self.account.explained.get(reason, 0) + 1
            else:
                self._found.append(_told(request, body, note, found))

    def connect(self, user: str, *groups: str) -> Each:
        """Connections to both as somebody else, in the place of `by`."""
        if (user, groups) not in self._others:
            credentials = self.served.credentials
            configs = (credentials.client(url, user, *groups) for url in (self.url, self.served.server.url))
            self._others[user, groups] = Each(*map(Transport, configs))
        return self._others[user, groups]

    async def close(self) -> None:
        for each in (*self._others.values(), Each(self.theirs.transport, self.ours.transport)):
            await each.theirs.close()
            await each.ours.close()

    def agree(self) -> None:
        """Fails with everything that differed since the last time."""
        found, self._found = self._found, []
        self.account.left += found
        assert not found, f"{len(found)} differences\n" + "\n".join(found)


def of_one_status(theirs: Tree, ours: Tree) -> tuple[Tree, Tree]:
    """Where one server took what the other refused, nothing else of the answers can be alike."""
    if theirs["status"] == ours["status"]:
        return theirs, ours
    return _verdict(theirs), _verdict(ours)


def _verdict(answer: Tree) -> Tree:
    why = body = answer["body"]
    if isinstance(body, dict):
        causes = body.get("details", {}).get("causes", ())
        why = "; ".join(f"{cause.get('field')}: {cause.get('message')}" for cause in causes) or body.get("message")
    return {"verdict": f"{answer['status']} {why}" if answer["status"] >= 400 else str(answer["status"])}


def shown(answer: Answer) -> Tree:
    """What is compared of an answer."""
    headers: dict[str, list[str]] = {}
    for name, value in answer.headers:
        if name.lower() in HEADERS:
            headers.setdefault(name.lower(), []).append(plain_text(value))
    content_type = (headers.get("content-type") or [""])[0]
    body = plain_body(answer.body, content_type)
    if isinstance(body, dict) and "causes" in body.get("details", {}):
        # The causes say the rest, one by one.
        body["message"] = body["message"].partition(" is invalid: ")[0]
    return {"status": answer.status, "headers": headers, "body": body}


def _told(request: str, body: Any, note: str, found: Difference) -> str:
    body = body.ours if isinstance(body, Each) else body
    sent = "" if body is None else f" {json.dumps(body)[:300]}" if not isinstance(body, bytes) else f" {body[:200]!r}"
    return f"  {request}{sent} {note}\n    {found}"

"""Every combination of resourceVersion, resourceVersionMatch, limit and continue that means something, and those that do not.

After the tables of https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions and ValidateListOptions.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.component.conftest import Answer, Api, Served, core

CONFIG_MAPS = core("configmaps", "default")
Query = dict[str, str]

EXACT, NOT_OLDER = {"resourceVersionMatch": "Exact"}, {"resourceVersionMatch": "NotOlderThan"}
THEN = {"resourceVersion": "then"}
"""The revision at which there were a and b; by now there are a, c and d."""
ANY = {"resourceVersion": "0"}

LISTED: list[tuple[Query, str, str]] = [
    # Query, names, "then" or "now": the revision of the list.
    ({}, "a c d", "now"),
    ({"resourceVersion": ""}, "a c d", "now"),
    ({"limit": "2"}, "a c …", "now"),
    ({"limit": "3"}, "a c d", "now"),
    ({"limit": "0"}, "a c d", "now"),
    ({"limit": "-1"}, "a c d", "now"),
    (ANY, "a c d", "now"),
    (ANY | {"limit": "1"}, "a c d", "now"),
    (ANY | NOT_OLDER, "a c d", "now"),
    (ANY | NOT_OLDER | {"limit": "1"}, "a c d", "now"),
    (THEN, "a c d", "now"),
    (THEN | {"limit": "1"}, "a …", "then"),
    (THEN | {"limit": "5"}, "a b", "then"),
    (THEN | NOT_OLDER, "a c d", "now"),
    (THEN | NOT_OLDER | {"limit": "2"}, "a c …", "now"),
    (THEN | EXACT, "a b", "then"),
    (THEN | EXACT | {"limit": "1"}, "a …", "then"),
    (THEN | EXACT | {"labelSelector": "odd=1"}, "b", "then"),
    (THEN | {"limit": "1", "labelSelector": "odd"}, "a …", "then"),
    ({"labelSelector": "odd=0", "limit": "1"}, "a …", "now"),
    ({"labelSelector": "odd=0", "limit": "2"}, "a c …", "now"),  # what is left is not looked at
    ({"labelSelector": "odd=1", "limit": "1"}, "d", "now"),
    ({"fieldSelector": "metadata.name=c", "limit": "1"}, "c", "now"),
]  # fmt: skip


def shown(answer: Answer) -> str:
    names = [item["metadata"]["name"] for item in answer.tree["items"]]
    return " ".join([*names, "…"] if answer.tree["metadata"].get("continue") else names)


async def fill(server: Served) -> str:
    """Returns the revision of THEN."""
    for name, odd in (("a", "0"), ("b", "1")):
        assert (await server.create("configmaps", {"metadata": {"name": name, "labels": {"odd": odd}}})).status == 201
    then = str((await server.get(CONFIG_MAPS)).tree["metadata"]["resourceVersion"])
    await server.delete(f"{CONFIG_MAPS}/b")
    for name, odd in (("c", "0"), ("d", "1")):
        await server.create("configmaps", {"metadata": {"name": name, "labels": {"odd": odd}}})
    return then


def test_a_list_is_of_the_moment_that_was_asked_for(api: Api) -> None:
    async def scenario(server: Served) -> None:
        then = await fill(server)
        for query, names, moment in LISTED:
            real = {key: then if value == "then" else value for key, value in query.items()}
            answer = await server.get(CONFIG_MAPS, query=real)
            assert answer.status == 200, (query, answer.tree)
            revision = answer.tree["metadata"]["resourceVersion"]
            assert (shown(answer), "then" if revision == then else "now") == (names, moment), query

    api(scenario)


@pytest.mark.parametrize("query", [EXACT, {"limit": "1"}])
def test_who_wants_one_revision_of_the_future_is_not_made_to_wait(api: Api, query: Query) -> None:
    async def scenario(server: Served) -> None:
        refused = await server.get(CONFIG_MAPS, query=query | {"resourceVersion": "999999"})
        assert (refused.status, refused.header("retry-after")) == (504, [])
        assert "retryAfterSeconds" not in refused.tree["details"]

    api(scenario)


def test_an_object_or_a_watch_at_no_revision_is_an_error_without_a_name(api: Api) -> None:
    async def scenario(server: Served) -> None:
        query = {"resourceVersion": "abc"}
        for path, more in ((core("configmaps", "default", "a"), {}), (CONFIG_MAPS, {"watch": "true"})):
            refused = await server.get(path, query=query | more)
            assert (refused.status, refused.tree.get("reason")) == (500, None)
            assert refused.message == f'resourceVersion: Invalid value: "abc": {NO_NUMBER}'

    api(scenario)


def test_a_collection_of_no_revision_is_not_deleted(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await fill(server)
        for revision, status in (("abc", 400), ("999999", 504)):
            assert (await server.delete(CONFIG_MAPS, query={"resourceVersion": revision})).status == status
        assert len((await server.get(CONFIG_MAPS)).tree["items"]) == 3

    api(scenario)


def token(**fields: Any) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": 5, "start": "default/a\0"} | fields)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


BAD_KEY = "invalid continue token: continue key is not valid: "
NO_NUMBER = 'strconv.ParseUint: parsing "abc": invalid syntax'

REFUSED: list[tuple[Query, int, str]] = [
    (EXACT, 422, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"),
    (
        ANY | EXACT,
        422,
        'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    ),
    (
        THEN | {"resourceVersionMatch": "Newest"},
        422,
        'resourceVersionMatch: Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""',
    ),
    (
        THEN | EXACT | {"continue": token()},
        422,
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
    ),
    (
        {"resourceVersionMatch": "Newest", "sendInitialEvents": "false"},
        422,
        "[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, "
        'resourceVersionMatch: Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", "", '
        "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]",
    ),
    ({"resourceVersion": "abc"}, 400, f'invalid resource version: resourceVersion: Invalid value: "abc": {NO_NUMBER}'),
    (THEN | {"continue": token()}, 400, "specifying resource version is not allowed when using continue"),
    ({"continue": "a!"}, 400, BAD_KEY + "illegal base64 data at input byte 1"),
    ({"continue": "a"}, 400, BAD_KEY + "illegal base64 data at input byte 0"),
    ({"continue": "bm8"}, 400, BAD_KEY + "invalid character 'o' in literal null (expecting 'u')"),
    ({"continue": token(v="v2")}, 400, BAD_KEY + "server does not recognize this encoded version v2"),
    ({"continue": token(rv=0)}, 400, BAD_KEY + "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
    ({"continue": token(start="")}, 400, BAD_KEY + "encoded start key empty (version meta.k8s.io/v1)"),
    ({"continue": token(start="../secrets/a")}, 400, BAD_KEY + "../secrets/a"),
    ({"continue": token(start="a//b")}, 400, BAD_KEY + "a//b"),
    ({"limit": "many"}, 400, 'strconv.ParseInt: parsing "many": invalid syntax'),
    ({"limit": ""}, 400, 'strconv.ParseInt: parsing "": invalid syntax'),
    ({"timeoutSeconds": "1s"}, 400, 'strconv.ParseInt: parsing "1s": invalid syntax'),
    ({"labelSelector": "a=b=c"}, 400, "found '=', expected: ',' or 'end of string'"),
    ({"fieldSelector": "a"}, 400, "invalid selector: 'a'; can't understand 'a'"),
    (
        {"fieldSelector": "data.x=1"},
        400,
        '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ),
]  # fmt: skip

REFUSED_WATCHES: list[tuple[Query, str]] = [
    (
        NOT_OLDER,
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    ),
    (
        {"sendInitialEvents": "true"},
        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    ),
    (
        {"sendInitialEvents": "false"} | EXACT,
        "[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, "
        'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]',
    ),
    (
        {"sendInitialEvents": "1", "continue": "x"} | NOT_OLDER,
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
    ),
]  # fmt: skip


def test_options_that_contradict_each_other_are_refused_in_upstreams_words(api: Api) -> None:
    async def scenario(server: Served) -> None:
        then = await fill(server)
        head = 'ListOptions.meta.k8s.io "" is invalid: '
        watches = [(query | {"watch": "true"}, 422, message) for query, message in REFUSED_WATCHES]
        for query, status, message in [*REFUSED, *watches]:
            real = {key: then if value == "then" else value for key, value in query.items()}
            answer = await server.get(CONFIG_MAPS, query=real)
            assert (answer.status, answer.message) == (status, head + message if status == 422 else message), query
            if status == 422:
                assert answer.tree["details"]["kind"] == "ListOptions" and answer.tree["details"]["causes"]

    api(scenario)


def test_what_is_forgotten_is_gone_and_can_be_continued_inconsistently(api: Api) -> None:
    async def scenario(server: Served) -> None:
        then = await fill(server)
        page = await server.get(CONFIG_MAPS, query={"resourceVersion": then, "limit": "1"})
        assert page.tree["metadata"]["remainingItemCount"] == 1
        await server.store.compact(server.store.revision)
        for query in (THEN | EXACT, THEN | {"limit": "1"}):
            gone = await server.get(CONFIG_MAPS, query=query | {"resourceVersion": then})
            assert (gone.status, gone.tree["reason"]) == (410, "Expired")
            assert gone.message == "The resourceVersion for the provided list is too old."
        late = await server.get(CONFIG_MAPS, query={"continue": page.tree["metadata"]["continue"], "limit": "1"})
        assert (late.status, late.tree["reason"]) == (410, "Expired")
        rest = await server.get(CONFIG_MAPS, query={"continue": late.tree["metadata"]["continue"]})
        assert shown(rest) == "c d"

    api(scenario)


def test_a_page_may_be_continued_with_other_selectors(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await fill(server)
        page = await server.get(CONFIG_MAPS, query={"limit": "1"})
        follow = {"continue": page.tree["metadata"]["continue"], "resourceVersion": "0", "limit": "1"}
        assert shown(await server.get(CONFIG_MAPS, query=follow | {"labelSelector": "odd=1"})) == "d"
        assert shown(await server.get(CONFIG_MAPS, query=follow)) == "c …"

    api(scenario)

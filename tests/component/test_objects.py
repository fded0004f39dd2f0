"""Objects over the API: create, read, replace, patch, and what happens when clients disagree."""

from __future__ import annotations

from tests.component.conftest import Api, Served, core


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"metadata": {"name": name}, "data": data}


def test_what_was_created_can_be_read_back(api: Api) -> None:
    async def scenario(server: Served) -> None:
        created = await server.create("configmaps", config_map("a", x="1"))
        assert created.status == 201
        read = await server.get(core("configmaps", "default", "a"))
        assert (read.status, read.body) == (200, created.body)
        meta = read.tree["metadata"]
        assert (meta["name"], meta["namespace"]) == ("a", "default")
        assert meta["uid"] and meta["creationTimestamp"] and int(meta["resourceVersion"]) > 0

    api(scenario)


def test_a_name_can_be_taken_once(api: Api) -> None:
    async def scenario(server: Served) -> None:
        assert (await server.create("configmaps", config_map("a"))).status == 201
        again = await server.create("configmaps", config_map("a"))
        assert (again.status, again.tree["reason"]) == (409, "AlreadyExists")
        assert again.message == 'configmaps "a" already exists'

    api(scenario)

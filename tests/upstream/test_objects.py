"""The smallest object of each kind, as it comes back: defaulted, stored, read, listed, shown in tables."""

from __future__ import annotations

import pytest

from sampan.api.resource import Resource
from sampan.api.scheme import builtin
from tests.fuzz.arena import path_of
from tests.samples import sample
from tests.upstream.generic_server import wait_until
from tests.upstream.pair import Pair

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
KINDS = [resource for resource in builtin() if "create" in resource.verbs and not resource.virtual]


@pytest.mark.parametrize("resource", KINDS, ids=lambda resource: f"{resource.group_version}-{resource.plural}")
def test_an_object_is_defaulted_stored_and_shown_alike(pair: Pair, resource: Resource) -> None:
    tree = sample(resource)
    name = tree["metadata"]["name"]
    one, all_ = path_of(resource, name), path_of(resource)
    if not pair.has(resource):
        pytest.skip("not in the reference's version")
    pair.ask("POST", all_ + "?fieldManager=m", tree)
    if resource.kind == "CustomResourceDefinition":
        wait_until(
            "both serve what is defined", lambda: all("InitialNamesAccepted" in str(got.tree) for got in pair.both("GET", one))
        )
    pair.ask("GET", one)
    pair.ask("GET", one, accept=TABLE)
    pair.ask("POST", all_ + "?fieldManager=m", tree)
    pair.ask("DELETE", one, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
    pair.agree()

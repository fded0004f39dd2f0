"""Tolerations of a pod and of its runtime class become one list, in which none is covered by another."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.apiserver.admission.runtimeclass import merge_tolerations
from tests.unit.admission.pods import Tree


def equal(key: str = "k", value: str = "v", **fields: Any) -> Tree:
    return {"key": key, "operator": "Equal", "value": value, **fields}


def exists(**fields: Any) -> Tree:
    return {"operator": "Exists", **fields}


NO_EXECUTE = {"effect": "NoExecute"}
FOR_EVER = exists(key="k", **NO_EXECUTE)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([], [], []),
        ([equal()], [equal()], [equal()]),
        ([equal()], [equal("other")], [equal(), equal("other")]),
        ([equal()], [exists(key="k")], [exists(key="k")]),
        ([exists(key="k")], [equal()], [exists(key="k")]),
        ([equal()], [exists()], [exists()]),
        ([equal(effect="NoSchedule")], [equal()], [equal()]),
        ([equal()], [equal(effect="NoSchedule")], [equal()]),
        ([equal(value="a")], [equal(value="b")], [equal(value="a"), equal(value="b")]),
        (
            [exists(key="k", **NO_EXECUTE, tolerationSeconds=30)],
            [exists(key="k", **NO_EXECUTE, tolerationSeconds=60)],
            [exists(key="k", **NO_EXECUTE, tolerationSeconds=60)],
        ),
        (
            [exists(key="k", **NO_EXECUTE, tolerationSeconds=30)],
            [exists(key="k", **NO_EXECUTE)],
            [exists(key="k", **NO_EXECUTE)],
        ),
        (
            [exists(key="k", **NO_EXECUTE)],
            [exists(key="k", **NO_EXECUTE, tolerationSeconds=5)],
            [exists(key="k", **NO_EXECUTE)],
        ),
        ([exists(key="k"), exists(key="j")], [exists()], [exists()]),
    ],
)
def test_the_wider_toleration_stays(first: list[Tree], second: list[Tree], expected: list[Tree]) -> None:
    assert merge_tolerations(first, second) == expected

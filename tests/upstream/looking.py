"""Where objects are, and how they are, seen by an administrator who has only the API."""

from __future__ import annotations

from typing import Any

from tests.upstream.plane import Plane, eventually

Tree = dict[str, Any]


def core(space: str, *parts: str) -> str:
    return "/".join(("/api/v1/namespaces", space, *parts))


def apps(space: str, *parts: str) -> str:
    return "/".join(("/apis/apps/v1/namespaces", space, *parts))


def names(plane: Plane, path: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in plane.items(path))


def live_pods(plane: Plane, space: str) -> list[Tree]:
    return [pod for pod in plane.items(core(space, "pods")) if "deletionTimestamp" not in pod["metadata"]]


def is_ready(tree: Tree, condition: str = "Ready") -> bool:
    return any(item["type"] == condition and item["status"] == "True" for item in tree["status"].get("conditions", ()))


def available(plane: Plane, path: str, count: int) -> Tree:
    def look() -> Tree | None:
        tree = plane.get(path)
        status = tree["status"]
        settled = status["observedGeneration"] == tree["metadata"]["generation"] and status.get("updatedReplicas") == count
        return tree if settled and status["availableReplicas"] == status["replicas"] == count else None

    found = eventually(f"{path} is available", look)
    assert found is not None
    return found

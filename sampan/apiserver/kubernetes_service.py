"""The Service `kubernetes`, by which pods find the API server, and its endpoints."""

from __future__ import annotations

from sampan.apiserver.context import Context


async def keep_kubernetes_service(context: Context, port: int) -> None:
    return None

"""Discovery and OpenAPI: documents derived from the scheme."""

from __future__ import annotations

from sampan.apiserver.context import Context
from sampan.lib.http import Handler


def document_pages(context: Context) -> dict[str, Handler]:
    return {}

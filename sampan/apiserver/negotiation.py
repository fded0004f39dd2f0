"""Which form an answer takes, by the Accept header: JSON or YAML, whole objects, metadata alone, or a table.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources. A client lists forms in
order of preference and gets the first that the server has.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sampan.api.errors import not_acceptable

JSON = "application/json"
YAML = "application/yaml"
ACCEPTED = (JSON, YAML)

_ANY = frozenset(("*/*", "application/*"))


class Form(NamedTuple):
    media_type: str = JSON
    shown_as: str = ""
    """"", "Table", "PartialObjectMetadata" or "PartialObjectMetadataList"."""
    version: str = ""
    """Of meta.k8s.io, for what is not shown as it is."""


PLAIN = Form()
_METADATA = ("PartialObjectMetadata", "PartialObjectMetadataList")


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Form:
    """Raises StatusError 406 when no form that the client takes can be had."""
    if not accept:
        return PLAIN
    for clause in accept.split(","):
        media, _, rest = clause.strip().partition(";")
        media = media.strip().lower()
        if media not in ACCEPTED and media not in _ANY:
            continue
        form = _form(JSON if media in _ANY else media, _parameters(rest))
        if form is not None:
            return form
    raise not_acceptable(ACCEPTED)


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";") if part.strip())
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _form(media: str, parameters: dict[str, str]) -> Form | None:
    shown_as = parameters.get("as", "")
    if not shown_as:
        return Form(media)
    if parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in ("v1", "v1beta1"):
        return None
    if shown_as == "Table" or shown_as in _METADATA:
        return Form(media, shown_as, parameters["v"])
    return None

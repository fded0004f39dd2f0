"""Which form an answer takes, by the Accept header: JSON or YAML, whole objects, metadata alone, or a table.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources. A client lists forms in
order of preference, or says by `q` how much it likes each, and gets the first that the server has. After apiserver's
endpoints/handlers/negotiation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from sampan.api.errors import StatusError, not_acceptable
from sampan.lib.remember import LONGEST

JSON: Final = "application/json"
YAML: Final = "application/yaml"
ACCEPTED: Final = (JSON, YAML)
STREAMED: Final = (f"{JSON};stream=watch",)
"""What a watch can be had in."""

_ANY: Final = frozenset(("*/*", "application/*"))
_CONVERSION: Final = ("as", "g", "v")
_METADATA_VERSIONS: Final = ("v1", "v1beta1")
PARTIAL, PARTIAL_LIST, TABLE = "PartialObjectMetadata", "PartialObjectMetadataList", "Table"
CONVERTED: Final = frozenset((PARTIAL, PARTIAL_LIST, TABLE))
WITHOUT_TABLES: Final = frozenset((PARTIAL, PARTIAL_LIST))
AS_IT_IS: Final[frozenset[str]] = frozenset()


class Form(NamedTuple):
    media_type: str = JSON
    shown_as: str = ""
    """"", "Table", "PartialObjectMetadata" or "PartialObjectMetadataList"."""
    version: str = ""
    """Of meta.k8s.io, for what is not shown as it is."""
    pretty: bool = False


PLAIN = Form()


def negotiate(accept: str, shown_as: frozenset[str] = CONVERTED) -> Form:
    """`shown_as` are the conversions that can be had. Raises StatusError 406 when no form that the client takes can be."""
    return _kept_form(accept, shown_as) if len(accept) <= LONGEST else _found_form(accept, shown_as)


def _found_form(accept: str, shown_as: frozenset[str]) -> Form:
    if not accept:
        return PLAIN
    for media, parameters in _preferred(accept):
        if media not in ACCEPTED and media not in _ANY:
            continue
        form = _form(JSON if media in _ANY else media, parameters, shown_as)
        if form is not None:
            return form
    raise not_acceptable(ACCEPTED)


_kept_form = lru_cache(maxsize=256)(_found_form)


def negotiate_status(accept: str) -> Form:
    """The form of what has only one, such as an error, which is shown whatever the client takes."""
    try:
        return negotiate(accept, AS_IT_IS)
    except StatusError:
        return PLAIN


def negotiate_stream(accept: str, shown_as: frozenset[str]) -> Form:
    """As `negotiate`, for a watch."""
    form = negotiate(accept, shown_as)
    if form.media_type != JSON:
        raise not_acceptable(STREAMED)
    return form


def _preferred(accept: str) -> list[tuple[str, dict[str, str]]]:
    """The clauses in order of preference, what is said exactly before what is left open."""
    found: list[tuple[tuple[float, int], str, dict[str, str]]] = []
    for clause in accept.split(","):
        media, _, rest = clause.strip().partition(";")
        media = media.strip().lower()
        parameters = _parameters(rest)
        found.append(((-_quality(parameters.pop("q", "1")), media.count("*")), media, parameters))
    return [(media, parameters) for _, media, parameters in sorted(found, key=lambda each: each[0])]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";") if part.strip())
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _form(media: str, parameters: dict[str, str], shown_as: frozenset[str]) -> Form | None:
    """None where the clause asks for what is not to be had."""
    if parameters.get("stream", "") not in (("", "watch") if media == JSON else ("",)):
        return None
    pretty = parameters.get("pretty") == "1"
    if not any(name in parameters for name in _CONVERSION):
        return Form(media, pretty=pretty)
    kind, version = parameters.get("as", ""), parameters.get("v", "")
    if kind not in shown_as or parameters.get("g") != "meta.k8s.io" or version not in _METADATA_VERSIONS:
        return None
    return Form(media, kind, version, pretty)

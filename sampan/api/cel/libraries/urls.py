"""URLs: `url('https://example.com:80/path').getHost()`.

After k8s.io/apiserver/pkg/cel/library/urls.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.libraries.gourls import Url, UrlError, parse, parse_request
from sampan.api.cel.types import object_type
from sampan.api.cel.values import Opaque, Value
from sampan.lib.remember import remember

URL: Final = object_type("kubernetes.URL")

_DECLARATIONS = """
    string_to_url           url(string) -> url
    url_get_scheme          <url>.getScheme() -> string
    url_get_host            <url>.getHost() -> string
    url_get_hostname        <url>.getHostname() -> string
    url_get_port            <url>.getPort() -> string
    url_get_escaped_path    <url>.getEscapedPath() -> string
    url_get_query           <url>.getQuery() -> map<string, list<string>>
    is_url_string           isURL(string) -> bool
"""


class UrlValue(Opaque):
    """A URL."""

    __slots__ = ("url",)
    cel_type = URL

    def __init__(self, url: Url) -> None:
        self.url = url

    def equals(self, other: Value) -> bool:
        if not isinstance(other, UrlValue):
            raise no_such_overload()
        return str(self.url) == str(other.url)


def _url(text: str) -> UrlValue:
    if not isinstance(text, str):
        raise no_such_overload()
    try:
        return _parsed(text)
    except UrlError as error:
        raise CelRuntimeError(f"URL parse error during conversion from string: {error}") from None


@remember(1024)
def _parsed(text: str) -> UrlValue:
    """Never changed. Rules read the same text for each of its parts."""
    # Only what a request could ask for will do, though a fragment may follow it.
    parse_request(text)
    return UrlValue(parse(text))


def _is_url(text: str) -> bool:
    try:
        parse_request(text)
    except UrlError:
        return False
    return True


_BINDINGS: Final[dict[str, Binding]] = {
    "string_to_url": _url,
    "url_get_scheme": lambda of: of.url.scheme,
    "url_get_host": lambda of: of.url.host,
    "url_get_hostname": lambda of: of.url.hostname,
    "url_get_port": lambda of: of.url.port,
    "url_get_escaped_path": lambda of: of.url.escaped_path,
    "url_get_query": lambda of: of.url.query,
    "is_url_string": _is_url,
}

LIBRARY: Final = Library("kubernetes.urls", declared(_DECLARATIONS, _BINDINGS, {"url": URL}))

"""URLs as Go's net/url reads them, which is neither RFC 3986 nor Python's urllib.

After Go's net/url.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sampan.api.gotext import quoted


class UrlError(ValueError):
    """Not a URL; the message is Go's."""


_UNRESERVED: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")
_IN_PATHS: Final = _UNRESERVED | frozenset(b"$&+,/:;=@")
_IN_HOSTS: Final = _UNRESERVED | frozenset(b"!$&'()*+,;=:[]<>\"")
_IN_USERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:~!$&'()*+,;=%@")
_LEFT_IN_PATHS: Final = frozenset("!$&'()*+,;=:@[]%")
_hex = re.compile("[0-9a-fA-F]{2}").match
_control = re.compile("[\x00-\x1f\x7f]").search
_scheme = re.compile("[a-zA-Z][a-zA-Z0-9+.-]*:").match
_port = re.compile("(?::[0-9]*)?").fullmatch


@dataclass(frozen=True, slots=True)
class Url:
    """`path` is what it stands for, `raw_path` how it was written if that is not how Go would write it."""

    scheme: str = ""
    opaque: str = ""
    user: str = ""
    host: str = ""
    path: str = ""
    raw_path: str = ""
    raw_query: str = ""
    fragment: str = ""
    has_authority: bool = False

    @property
    def hostname(self) -> str:
        host = self._split()[0]
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @property
    def port(self) -> str:
        return self._split()[1]

    def _split(self) -> tuple[str, str]:
        before, colon, after = self.host.rpartition(":")
        if colon and _port(colon + after):
            return before, after
        return self.host, ""

    @property
    def escaped_path(self) -> str:
        return self.raw_path or ("*" if self.path == "*" else _escape(self.path))

    @property
    def query(self) -> dict[str, list[str]]:
        """Without the pairs that are not well formed."""
        found: dict[str, list[str]] = {}
        for pair in self.raw_query.split("&"):
            if not pair or ";" in pair:
                continue
            key, _, value = pair.partition("=")
            try:
                name, content = (_unescape(part.replace("+", " "), None) for part in (key, value))
            except UrlError:
                continue
            found.setdefault(name, []).append(content)
        return found

    def __str__(self) -> str:
        """The same for the same URL."""
        start = f"{self.scheme}:" if self.scheme else ""
        if self.opaque:
            start += self.opaque
        else:
            authority = f"{self.user}@{self.host}" if self.user else self.host
            start += (f"//{authority}" if self.has_authority or authority else "") + self.escaped_path
        query = f"?{self.raw_query}" if self.raw_query else ""
        return start + query + (f"#{self.fragment}" if self.fragment else "")


def parse_request(text: str) -> Url:
    """An absolute URL or an absolute path, as url.ParseRequestURI. Raises UrlError."""
    try:
        return _parse(text, via_request=True)
    except UrlError as error:
        raise UrlError(f"parse {quoted(text)}: {error}") from None


def parse(text: str) -> Url:
    """Any URL, as url.Parse. Raises UrlError."""
    whole, _, fragment = text.partition("#")
    try:
        url = _parse(whole, via_request=False)
        _unescape(fragment, None)
    except UrlError as error:
        raise UrlError(f"parse {quoted(text)}: {error}") from None
    return Url(**{name: getattr(url, name) for name in Url.__slots__ if name != "fragment"}, fragment=fragment)


def _parse(text: str, *, via_request: bool) -> Url:
    if _control(text):
        raise UrlError("net/url: invalid control character in URL")
    if not text and via_request:
        raise UrlError("empty url")
    if text == "*":
        return Url(path="*")
    scheme, rest = _cut_scheme(text)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        return _without_path(scheme, rest, query, via_request)
    user = host = ""
    authority = rest.startswith("//") and bool(scheme or (not via_request and not rest.startswith("///")))
    if authority:
        end = rest.find("/", 2)
        whole, rest = (rest[2:], "") if end < 0 else (rest[2:end], rest[end:])
        user, host = _read_authority(whole)
    path = _unescape(rest, None)
    raw = "" if rest == _escape(path) or not _well_escaped(rest) else rest
    return Url(scheme, "", user, host, path, raw, query, "", authority)


def _without_path(scheme: str, rest: str, query: str, via_request: bool) -> Url:
    if scheme:
        return Url(scheme, opaque=rest, raw_query=query)
    if via_request:
        raise UrlError("invalid URI for request")
    if ":" in rest.partition("/")[0]:
        raise UrlError("first path segment in URL cannot contain colon")
    path = _unescape(rest, None)
    return Url(path=path, raw_path="" if rest == _escape(path) or not _well_escaped(rest) else rest, raw_query=query)


def _cut_scheme(text: str) -> tuple[str, str]:
    if text.startswith(":"):
        raise UrlError("missing protocol scheme")
    match = _scheme(text)
    return (match[0][:-1].lower(), text[match.end() :]) if match else ("", text)


def _read_authority(text: str) -> tuple[str, str]:
    user, at, host = text.rpartition("@")
    read = _read_host(host)
    if not at:
        return "", read
    if not set(user) <= _IN_USERS:
        raise UrlError("net/url: invalid userinfo")
    _unescape(user, None)
    return user, read


def _read_host(host: str) -> str:
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            raise UrlError("missing ']' in host")
        _check_port(host[end + 1 :])
    elif ":" in host:
        _check_port(host[host.rindex(":") :])
    return _unescape(host, _IN_HOSTS)


def _check_port(text: str) -> None:
    if _port(text) is None:
        raise UrlError(f"invalid port {quoted(text)} after host")


def _unescape(text: str, allowed: frozenset[int] | None) -> str:
    """`allowed`: the characters of a host, in which only others may be escaped."""
    octets = bytearray()
    data = text.encode("utf-8", "surrogatepass")
    at = 0
    while at < len(data):
        code = data[at]
        if code != ord("%"):
            if allowed is not None and code < 0x80 and code not in allowed:
                raise UrlError(f"invalid character {quoted(chr(code))} in host name")
            octets.append(code)
            at += 1
            continue
        escape = data[at : at + 3].decode("latin-1")
        if _hex(escape, 1) is None or (allowed is not None and escape[1] in "01234567" and escape != "%25"):
            raise UrlError(f"invalid URL escape {quoted(escape)}")
        octets.append(int(escape[1:], 16))
        at += 3
    return octets.decode("utf-8", "replace")


def _escape(path: str) -> str:
    octets = path.encode("utf-8", "surrogatepass")
    return "".join(chr(code) if code in _IN_PATHS else f"%{code:02X}" for code in octets)


def _well_escaped(path: str) -> bool:
    return all(character in _LEFT_IN_PATHS or (character < "\x80" and ord(character) in _IN_PATHS) for character in path)

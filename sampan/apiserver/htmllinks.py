"""Links in HTML that a proxied server answers with: those to its own paths are led through the proxy.

After rewriteHTML of k8s.io/apimachinery/pkg/util/proxy/transport.go and the tokenizer of golang.org/x/net/html: tags are
written anew, everything else stays as it is. Text is handled as bytes in Latin-1's clothes, since all that matters is ASCII.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from html import unescape
from html.entities import html5

Rewrite = Callable[[str], str]

_LINKS = {
    "a": ("href",), "applet": ("codebase",), "area": ("href",), "audio": ("src",), "base": ("href",), "blockquote": ("cite",),
    "body": ("background",), "button": ("formaction",), "command": ("icon",), "del": ("cite",), "embed": ("src",),
    "form": ("action",), "frame": ("longdesc", "src"), "head": ("profile",), "html": ("manifest",),
    "iframe": ("longdesc", "src"), "img": ("longdesc", "src", "usemap"), "input": ("src", "usemap", "formaction"),
    "ins": ("cite",), "link": ("href",), "object": ("classid", "codebase", "data", "usemap"), "q": ("cite",),
    "script": ("src",), "source": ("src",), "video": ("poster", "src"),
}  # fmt: skip
_RAW = frozenset(("iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"))
"""Elements whose content is text, whatever it looks like."""
_MAX_TOKEN = 1024 * 1024
"""A longer tag or comment is none that anybody means; what follows is passed on as it is."""

_MAX_ATTRIBUTES = 1000
_SPACE = " \n\r\t\f"
_name = re.compile(rf"[^{_SPACE}/>]*").match
_gap = re.compile(rf"[{_SPACE}/]*").match
_spaces = re.compile(rf"[{_SPACE}]*").match
_key = re.compile(rf"=?[^{_SPACE}/=>]*").match
_bare = re.compile(rf"[^{_SPACE}>]*").match
_reference = re.compile(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]*;?)(=?)")
_ESCAPES = str.maketrans({"&": "&amp;", "'": "&#39;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "\r": "&#13;"})

CODINGS = frozenset(("", "gzip", "deflate"))
"""What a body may be encoded by; another is passed on as it is."""


class LinkRewriter:
    """`feed` what comes, `finish` at the end; both return what can go out."""

    def __init__(self, rewrite: Rewrite) -> None:
        self._rewrite = rewrite
        self._held = ""
        self._within = ""
        """The element whose text is being passed."""
        self._given_up = False
        self._new: list[bytes] = []
        self._new_bytes = 0

    def feed(self, data: bytes) -> bytes:
        if self._given_up:
            return data
        self._new.append(data)
        self._new_bytes += len(data)
        # What was no whole token is read again only with a good deal more: bytes that come singly must not cost their square.
        return self._read() if self._new_bytes * 8 >= len(self._held) else b""

    def _read(self) -> bytes:
        text, self._held = self._held + b"".join(self._new).decode("latin-1"), ""
        self._new.clear()
        self._new_bytes = 0
        out: list[str] = []
        at = 0
        while at < len(text):
            end = self._token(text, at, out)
            if end < 0:
                break
            at = end
        self._held = text[at:]
        if len(self._held) > _MAX_TOKEN or self._given_up:
            self._given_up = True
            out.append(self._held)
            self._held = ""
        return "".join(out).encode("latin-1")

    def finish(self) -> bytes:
        out = self._read()
        return out + self._held.encode("latin-1")

    def _token(self, text: str, at: int, out: list[str]) -> int:
        """Write the token at `at`; returns where it ends, -1 where its end is not here yet."""
        if self._within:
            return self._raw_text(text, at, out)
        begin = text.find("<", at)
        if begin != at:
            end = len(text) if begin < 0 else begin
            out.append(text[at:end])
            return end
        if len(text) < at + 4:
            return -1
        following = text[at + 1]
        if following.isascii() and following.isalpha():
            return self._tag(text, at, out)
        if following in "!?/":
            close = "-->" if text.startswith("<!--", at) else ">"
            end = text.find(close, at + 2)
            end = end + len(close) if end >= 0 else -1
        else:
            end = at + 1
        if end > 0:
            out.append(text[at:end])
        return end

    def _raw_text(self, text: str, at: int, out: list[str]) -> int:
        if self._within == "plaintext":
            out.append(text[at:])
            return len(text)
        close = "</" + self._within
        for found in re.finditer(re.escape(close), text[at:], re.IGNORECASE):
            end = at + found.end()
            if end == len(text):
                break
            if text[end] in _SPACE + "/>":
                self._within = ""
                out.append(text[at : at + found.start()])
                return at + found.start()
        end = len(text) - len(close)  # what stays may be the beginning of the end
        if end <= at:
            return -1
        out.append(text[at:end])
        return end if end < len(text) else -1

    def _tag(self, text: str, at: int, out: list[str]) -> int:
        name = _matched(_name, text, at + 1)
        position = at + 1 + len(name)
        attributes: dict[str, str] = {}
        for _ in range(_MAX_ATTRIBUTES):
            position += len(_matched(_gap, text, position))
            if position >= len(text):
                return -1
            if text[position] == ">":
                return self._end_tag(name.lower(), attributes, text, position, out)
            key = _matched(_key, text, position)
            position += len(key)
            value, position = _value(text, position)
            if position < 0:
                return -1
            attributes.setdefault(key.lower(), value)
        self._given_up = True
        return -1

    def _end_tag(self, name: str, attributes: dict[str, str], text: str, position: int, out: list[str]) -> int:
        out.append(self._written(name, attributes, ends_itself=text[position - 1] == "/"))
        if name in _RAW:
            self._within = name
        return position + 1

    def _written(self, name: str, attributes: dict[str, str], *, ends_itself: bool) -> str:
        parts = [f"<{name}"]
        links = _LINKS.get(name, ())
        for key, raw in attributes.items():
            value = _reference.sub(_resolved, raw)
            if key in links:
                value = self._rewrite(value)
            parts.append(f' {key}="{value.translate(_ESCAPES)}"')
        parts.append("/>" if ends_itself else ">")
        return "".join(parts)


def _matched(match: Callable[[str, int], re.Match[str] | None], text: str, at: int) -> str:
    found = match(text, at)
    return found.group() if found is not None else ""


def _value(text: str, at: int) -> tuple[str, int]:
    """An attribute's value, perhaps none, and where it ends; -1 where that is not here yet."""
    begin = at + len(_matched(_spaces, text, at))
    if begin >= len(text):
        return "", -1
    if text[begin] != "=":
        return "", begin
    begin += 1
    begin += len(_matched(_spaces, text, begin))
    if begin >= len(text):
        return "", -1
    if text[begin] in "\"'":
        end = text.find(text[begin], begin + 1)
        return (text[begin + 1 : end], end + 1) if end >= 0 else ("", -1)
    value = _matched(_bare, text, begin)
    return (value, begin + len(value)) if begin + len(value) < len(text) else ("", -1)


def _resolved(found: re.Match[str]) -> str:
    """A character reference in an attribute: without its semicolon, and before "=", a name is part of a query."""
    name, equals = found.groups()
    if not name.startswith("#") and (name not in html5 or (not name.endswith(";") and equals)):
        return found.group()
    return unescape(f"&{name}").encode("utf-8", "replace").decode("latin-1") + equals


class Recoded:
    """A rewriter of what may be compressed; `coding` is one of `CODINGS`. Raises ValueError where it is not that."""

    def __init__(self, rewrite: Rewrite, coding: str) -> None:
        self._links = LinkRewriter(rewrite)
        bits = {"": 0, "gzip": 31, "deflate": -15}[coding]
        self._unpack = zlib.decompressobj(bits) if bits else None
        self._pack = zlib.compressobj(wbits=bits) if bits else None

    def feed(self, data: bytes) -> list[bytes]:
        if self._unpack is None or self._pack is None:
            return [self._links.feed(data)]
        out = []
        try:
            while data:
                out.append(self._pack.compress(self._links.feed(self._unpack.decompress(data, 65536))))
                data = self._unpack.unconsumed_tail
        except zlib.error as error:
            raise ValueError(str(error)) from None
        return out

    def finish(self) -> bytes:
        rest = self._links.finish()
        return self._pack.compress(rest) + self._pack.flush() if self._pack is not None else rest

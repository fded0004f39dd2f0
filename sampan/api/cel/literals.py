"""What literals stand for: numbers, and strings and bytes in all their quotes and escapes.

After github.com/google/cel-go/parser/unescape.go.
"""

from __future__ import annotations

import re

from sampan.api.cel import lexer
from sampan.api.cel.lexer import Token
from sampan.api.cel.values import Uint

_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_escape = re.compile(r"\\(?:([xX])(..)|u(.{4})|U(.{8})|([0-3][0-7][0-7])|(.))", re.DOTALL)


class LiteralError(ValueError):
    """The token is well formed and stands for nothing."""


def integer(text: str, negative: bool) -> int:
    """Raises LiteralError beyond 64 bits."""
    value = _digits(text) * (-1 if negative else 1)
    if not -(2**63) <= value < 2**63:
        raise LiteralError("invalid int literal")
    return value


def unsigned(text: str) -> Uint:
    """Of a token that ends with its `u`. Raises LiteralError beyond 64 bits."""
    value = _digits(text[:-1])
    if value >= 2**64:
        raise LiteralError("invalid uint literal")
    return Uint(value)


def _digits(text: str) -> int:
    if text.startswith("0x"):
        return int(text, 16)
    # Python refuses to read thousands of digits, and 64 bits have 20.
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 20 else 2**64


def double(text: str, negative: bool) -> float:
    """Raises LiteralError for what is too large."""
    value = float(text)
    if value == float("inf"):
        raise LiteralError("invalid double literal")
    return -value if negative else value


def _unquoted(text: str) -> tuple[str, bool]:
    """Without its quotes, and whether it is raw."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = text[0] in "rR"
    if raw:
        text = text[1:]
    long = len(text) >= 6 and text[:3] in ('"""', "'''")
    return (text[3:-3] if long else text[1:-1]), raw


def string(text: str) -> str:
    """Of a string token. Raises LiteralError for an escape that is no character."""
    inner, raw = _unquoted(text)
    return inner if raw or "\\" not in inner else _escape.sub(_character, inner)


def _character(match: re.Match[str]) -> str:
    code = _code(match)
    if code is None:
        return _SIMPLE.get(match[6], match[6])
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise LiteralError("invalid unicode code point")
    return chr(code)


def _code(match: re.Match[str]) -> int | None:
    if digits := match[2] or match[3] or match[4]:
        return int(digits, 16)
    return int(match[5], 8) if match[5] else None


def octets(text: str) -> bytes:
    """Of a bytes token, its `b` included. Raises LiteralError: bytes know no code points."""
    inner, raw = _unquoted(text[1:])
    if raw or "\\" not in inner:
        return inner.encode("utf-8", "surrogatepass")
    parts = []
    at = 0
    for match in _escape.finditer(inner):
        parts.append(inner[at : match.start()].encode("utf-8", "surrogatepass"))
        parts.append(_octet(match))
        at = match.end()
    return b"".join(parts) + inner[at:].encode("utf-8", "surrogatepass")


def _octet(match: re.Match[str]) -> bytes:
    if match[3] or match[4]:
        raise LiteralError("unable to unescape string")
    code = _code(match)
    return _SIMPLE.get(match[6], match[6]).encode() if code is None else bytes((code,))


def value(token: Token, negative: bool) -> object:
    """What a token stands for, a number with a minus before it if `negative`. Raises LiteralError."""
    match token.kind:
        case lexer.INT:
            return integer(token.text, negative)
        case lexer.UINT:
            return unsigned(token.text)
        case lexer.FLOAT:
            return double(token.text, negative)
        case lexer.STRING:
            return string(token.text)
        case lexer.BYTES:
            return octets(token.text)
    return {"true": True, "false": False, "null": None}[token.text]

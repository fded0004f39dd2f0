"""What is wrong with broken JSON, in the words of Go's encoding/json, which clients of Kubernetes know and tests compare.

Only run on text that a real parser has refused; it is a plain state machine over characters, without recursion.
"""

from __future__ import annotations

import json
import re
from typing import Final

MAX_DEPTH: Final = 10_000
_END: Final = "unexpected end of JSON input"
_SPACE: Final = " \t\r\n"
_ESCAPES: Final = 'bfnrt\\/"'
_LITERALS: Final = {"t": "true", "f": "false", "n": "null"}
_number = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_hexadecimal = re.compile("[0-9a-fA-F]")
_special = re.compile(r'["\\\x00-\x1f]')


class _Broken(Exception):
    """Carries the message out of the scan."""


def explain(text: str) -> str:
    """The message for the first error in `text`, or "" when its syntax is good."""
    try:
        _scan(text)
    except _Broken as broken:
        return str(broken)
    return ""


def _quoted(character: str) -> str:
    """As Go's scanner quotes a character: JSON escapes between single quotes."""
    if character == "'":
        return "'\\''"
    if character == '"':
        return "'\"'"
    return "'" + json.dumps(character, ensure_ascii=False)[1:-1] + "'"


def _invalid(text: str, at: int, context: str) -> _Broken:
    if at >= len(text):
        return _Broken(_END)
    return _Broken(f"invalid character {_quoted(text[at])} {context}")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _scan(text: str) -> None:
    open_brackets: list[str] = []
    at = _skip(text, 0)
    while True:
        # A value is expected here.
        character = text[at : at + 1]
        if character in ("{", "["):
            if len(open_brackets) >= MAX_DEPTH:
                raise _Broken("exceeded max depth")
            open_brackets.append(character)
            at = _skip(text, at + 1)
            if text[at : at + 1] == ("}" if character == "{" else "]"):
                open_brackets.pop()
                at += 1
            elif character == "{":
                at = _key(text, at, "looking for beginning of object key string")
                continue
            else:
                continue
        else:
            at = _scalar(text, at)
        next_value = _after_value(text, at, open_brackets)
        if next_value is None:
            return
        at = next_value


def _after_value(text: str, at: int, open_brackets: list[str]) -> int | None:
    """Where the next value begins; None when the text is over."""
    while True:
        at = _skip(text, at)
        if not open_brackets:
            if at < len(text):
                raise _invalid(text, at, "after top-level value")
            return None
        in_object = open_brackets[-1] == "{"
        character = text[at : at + 1]
        if character == ",":
            at = _skip(text, at + 1)
            return _key(text, at, "looking for beginning of object key string") if in_object else at
        if character != ("}" if in_object else "]"):
            raise _invalid(text, at, "after object key:value pair" if in_object else "after array element")
        open_brackets.pop()
        at += 1


def _key(text: str, at: int, context: str) -> int:
    """Past an object's key and its colon, to its value."""
    if text[at : at + 1] != '"':
        raise _invalid(text, at, context)
    at = _skip(text, _string(text, at))
    if text[at : at + 1] != ":":
        raise _invalid(text, at, "after object key")
    return _skip(text, at + 1)


def _scalar(text: str, at: int) -> int:
    character = text[at : at + 1]
    if character == '"':
        return _string(text, at)
    if character in _LITERALS and character:
        literal = _LITERALS[character]
        for offset in range(1, len(literal)):
            if text[at + offset : at + offset + 1] != literal[offset]:
                raise _invalid(text, at + offset, f"in literal {literal} (expecting {_quoted(literal[offset])})")
        return at + len(literal)
    match = _number.match(text, at)
    if match is None:
        if character == "-":
            raise _invalid(text, at + 1, "in numeric literal")
        raise _invalid(text, at, "looking for beginning of value")
    end = match.end()
    if text[end : end + 1] == "." and "." not in match[0] and "e" not in match[0].lower():
        raise _invalid(text, end + 1, "after decimal point in numeric literal")
    if text[end : end + 1] in ("e", "E") and "e" not in match[0].lower():
        signed = text[end + 1 : end + 2] in ("+", "-")
        raise _invalid(text, end + (2 if signed else 1), "in exponent of numeric literal")
    return end


def _string(text: str, at: int) -> int:
    at += 1
    while True:
        special = _special.search(text, at)
        at = special.start() if special else len(text)
        character = text[at : at + 1]
        if character == '"':
            return at + 1
        if character == "\\":
            at += 1
            if text[at : at + 1] == "u":
                for _ in range(4):
                    at += 1
                    if not _hexadecimal.match(text, at):
                        raise _invalid(text, at, "in \\u hexadecimal character escape")
            elif not text[at : at + 1] or text[at] not in _ESCAPES:
                raise _invalid(text, at, "in string escape code")
        elif not character or character < " ":
            raise _invalid(text, at, "in string literal")
        at += 1

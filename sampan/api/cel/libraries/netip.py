"""What Go's net/netip says of a text that is no IP address.

After Go's net/netip.
"""

from __future__ import annotations

import re

from sampan.api.gotext import quoted

_hexadecimal = re.compile("[0-9a-fA-F]*").match


def complaint(text: str) -> str:
    """`ParseAddr("…"): …` of a text that Python could not read either."""
    message, at = _wrong(text)
    place = f" (at {quoted(at)})" if at else ""
    return f"ParseAddr({quoted(text)}): {message}{place}"


def _wrong(text: str) -> tuple[str, str]:
    """The message, and where reading stopped."""
    mark = next((character for character in text if character in ".:%"), "")
    if mark == ".":
        return _wrong_v4(text)
    if mark == ":":
        return _wrong_v6(text)
    return ("missing IPv6 address", "") if mark else ("unable to parse IP", "")


def _wrong_v4(text: str) -> tuple[str, str]:
    fields, value, digits = 0, 0, 0
    for index, character in enumerate(text):
        if character in "0123456789":
            if digits == 1 and value == 0:
                return "IPv4 field has octet with leading zero", ""
            value, digits = value * 10 + int(character), digits + 1
            if value > 255:
                return "IPv4 field has value >255", ""
        elif character == ".":
            if index in (0, len(text) - 1) or text[index - 1] == ".":
                return "IPv4 field must have at least one digit", text[index:]
            if fields == 3:
                return "IPv4 address too long", ""
            fields, value, digits = fields + 1, 0, 0
        else:
            return "unexpected character", text[index:]
    return "IPv4 address too short", ""


def _wrong_v6(text: str) -> tuple[str, str]:
    rest, percent, zone = text.partition("%")
    if percent and not zone:
        return "zone must be a non-empty string", ""
    gap = rest.startswith("::")
    rest = rest[2:] if gap else rest
    groups = 0
    while rest and groups < 8:
        match = _hexadecimal(rest)
        digits = match.end() if match else 0
        if digits > 4:
            return "each group must have 4 or less digits", rest
        if not digits:
            return "each colon-separated field must have at least one digit", rest
        if rest[digits : digits + 1] == ".":
            if not gap and groups != 6:
                return "embedded IPv4 address must replace the final 2 fields of the address", rest
            if groups > 6:
                return "too many hex fields to fit an embedded IPv4 at the end of the address", rest
            return _wrong_v4(rest)
        groups, rest = groups + 1, rest[digits:]
        if not rest:
            break
        if rest[0] != ":":
            return "unexpected character, want colon", rest
        if len(rest) == 1:
            return "colon must be followed by more characters", rest
        rest = rest[1:]
        if rest[0] == ":":
            if gap:
                return "multiple :: in address", rest
            gap, rest = True, rest[1:]
    if rest:
        return "trailing garbage after address", rest
    return ("the :: must expand to at least one field of zeros" if gap else "address string too short"), ""

"""String formats that a schema may name. Others are ignored, as they always have been.

After k8s.io/kube-openapi/pkg/validation/strfmt; the list is that of k8s.io/apiextensions-apiserver/pkg/apiserver/validation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from typing import Final

from sampan.api import duration, names
from sampan.api.patterns import matches

Check = Callable[[str], bool]


def check_of(format_: str) -> Check | None:
    """The check of a format's name, with or without dashes; None for a format that is not known."""
    return _CHECKS.get(format_.replace("-", ""))


def _pattern(pattern: str, flags: int = 0) -> Check:
    match = re.compile(pattern, flags | re.ASCII).fullmatch
    return lambda text: match(text) is not None


_HOSTNAME: Final = (
    r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}"
    r"[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$"
)


def _is_hostname(text: str) -> bool:
    if not matches(_HOSTNAME, text) or len(text.encode()) > 255:
        return False
    return all(len(part.encode()) <= 63 for part in text.split("."))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


_zeros = re.compile(r"(?<![0-9a-fA-F])0+(?=[0-9]+(?:\.|$|/))").sub
_LONGEST_ADDRESS: Final = 400


def _without_zeros(text: str) -> str:
    """Without zeros before numbers, unless it is too long for an address: then the search for them takes its square."""
    return _zeros("", text) if "." in text and len(text) <= _LONGEST_ADDRESS else text


def _is_ipv4(text: str) -> bool:
    """As netutils.ParseIPSloppy, with leading zeros; whatever has a dot counts, as the end of an IPv6 address may be IPv4."""
    return "." in text and _is_ip(_without_zeros(text))


_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:").match
_bad_escape = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_bad_host = re.compile(r"[\s\"<>\\^`{|}]").search


def _is_uri(text: str) -> bool:
    """As url.ParseRequestURI: absolute, or a path from the root."""
    if not text or any(character < " " or character == "\x7f" for character in text):
        return False
    scheme = _scheme(text)
    rest = text[scheme.end() :] if scheme else text
    if not rest.startswith("/"):
        return text == "*" or scheme is not None
    path = rest.partition("?")[0]
    if path.startswith("//") and scheme:
        host = path[2:].partition("/")[0].rpartition("@")[2]
        port = host.rpartition("]")[2].partition(":")[2]
        if _bad_host(host) or (port and not (port.isascii() and port.isdigit())):
            return False
    return _bad_escape(path) is None


_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_ADDRESS: Final = rf"(?:{_ATOM}(?:\.{_ATOM})*|\"[^\"]*\")@(?:{_ATOM}(?:\.{_ATOM})*|\[[^\]]*\])"
_MAIL: Final = rf"{_ADDRESS}|[^<>@,;:]*<\s*{_ADDRESS}\s*>"


def _is_email(text: str) -> bool:
    """As mail.ParseAddress: with or without the name of whose it is. The pattern is large, and compiled only here."""
    return re.fullmatch(_MAIL, text.strip()) is not None


def _is_mac(text: str) -> bool:
    if re.fullmatch(r"[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4})+", text):
        return len(text) in (14, 19, 49)
    return bool(re.fullmatch(r"[0-9A-Fa-f]{2}(([:-])[0-9A-Fa-f]{2})(\2[0-9A-Fa-f]{2})+", text)) and len(text) in (17, 23, 59)


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"(?:[0-9]{9}X|[0-9]{10})", digits):
        return False
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum((index + 1) * value for index, value in enumerate(values)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return False
    return sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits)) % 10 == 0


_CARD: Final = (
    r"(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|(?:2131|1800|35[0-9]{3})[0-9]{11})"
)


def _is_credit_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not re.fullmatch(_CARD, digits):
        return False
    doubled = [int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    if text.startswith("0000"):
        text = "2000" + text[4:]  # Go has a year 0, and it is a leap year
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


_clock = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))").fullmatch


def _is_datetime(text: str) -> bool:
    parts = text.lower().split("t")
    if len(parts) < 2 or not _is_date(parts[0]):
        return False
    match = _clock(parts[1])
    return match is not None and match[1] <= "23" and match[2] <= "59" and match[3] <= "59"


def _is_duration(text: str) -> bool:
    try:
        duration.worded(text)
    except ValueError:
        return False
    return True


_UUID: Final = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}"
_BYTE: Final = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
_SHADE: Final = r"\s*(?:0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])\s*"

_CHECKS: Final[dict[str, Check]] = {
    "bsonobjectid": _pattern("[0-9a-fA-F]{24}"),
    "uri": _is_uri,
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": lambda text: _is_ip(text) and ":" in text,
    "cidr": lambda text: not names.cidr(_without_zeros(text)),
    "mac": _is_mac,
    "uuid": _pattern(_UUID % ("[0-9a-f]{4}", "[0-9a-f]{4}"), re.IGNORECASE),
    "uuid3": _pattern(_UUID % ("3[0-9a-f]{3}", "[0-9a-f]{4}"), re.IGNORECASE),
    "uuid4": _pattern(_UUID % ("4[0-9a-f]{3}", "[89ab][0-9a-f]{3}"), re.IGNORECASE),
    "uuid5": _pattern(_UUID % ("5[0-9a-f]{3}", "[89ab][0-9a-f]{3}"), re.IGNORECASE),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": lambda text: len(text) == 11 and re.fullmatch(r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}", text) is not None,
    "hexcolor": _pattern("#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _pattern(rf"rgb\({_SHADE},{_SHADE},{_SHADE}\)"),
    "byte": _pattern(_BYTE),
    "password": lambda text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_datetime,
}

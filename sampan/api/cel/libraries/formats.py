"""Named formats of strings: `format.dns1123Label().validate(name)` gives what is wrong with it, if anything is.

After k8s.io/apiserver/pkg/cel/library/format.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sampan.api import names
from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import no_such_overload
from sampan.api.cel.libraries.gourls import UrlError, parse_request
from sampan.api.cel.types import object_type
from sampan.api.cel.values import NONE, Opaque, Optional, Value
from sampan.api.crd.formats import check_of

FORMAT: Final = object_type("kubernetes.NamedFormat")

Validate = Callable[[str], list[str]]


class NamedFormat(Opaque):
    """`pattern_size`: of the regular expression that stands for it in costs."""

    __slots__ = ("name", "pattern_size", "validate")
    cel_type = FORMAT

    def __init__(self, name: str, validate: Validate, pattern_size: int) -> None:
        self.name = name
        self.validate = validate
        self.pattern_size = pattern_size

    def equals(self, other: Value) -> bool:
        if not isinstance(other, NamedFormat):
            raise no_such_overload()
        return self.name == other.name


def _uri(text: str) -> list[str]:
    try:
        parse_request(text)
    except UrlError as error:
        return [str(error)]
    return []


def _known(name: str, message: str) -> Validate:
    """One of the formats that schemas know."""
    check = check_of(name)
    assert check is not None
    return lambda text: [] if check(text) else [message]


_DATE_TIME_PATTERN: Final = 66
"""Length of the pattern of a date and time, which stands for that of a date, too."""
_FORMATS: Final = {
    "dns1123Label": NamedFormat("DNS1123Label", names.name_is_label, 30),
    "dns1123Subdomain": NamedFormat("DNS1123Subdomain", names.name_is_subdomain, 60),
    "dns1035Label": NamedFormat("DNS1035Label", names.name_is_label_1035, 30),
    "qualifiedName": NamedFormat("QualifiedName", names.qualified_name, 60),
    "dns1123LabelPrefix": NamedFormat("DNS1123LabelPrefix", lambda text: names.name_is_label(text, True), 30),
    "dns1123SubdomainPrefix": NamedFormat("DNS1123SubdomainPrefix", lambda text: names.name_is_subdomain(text, True), 60),
    "dns1035LabelPrefix": NamedFormat("DNS1035LabelPrefix", lambda text: names.name_is_label_1035(text, True), 30),
    "labelValue": NamedFormat("LabelValue", names.label_value, 40),
    "uri": NamedFormat("URI", _uri, 1103),
    "uuid": NamedFormat("uuid", _known("uuid", "does not match the UUID format"), 76),
    "byte": NamedFormat("byte", _known("byte", "invalid base64"), 84),
    "date": NamedFormat("date", _known("date", "invalid date"), _DATE_TIME_PATTERN),
    "datetime": NamedFormat("datetime", _known("datetime", "invalid datetime"), _DATE_TIME_PATTERN),
}


def _validate(of: NamedFormat, text: str) -> Optional:
    found = of.validate(text)
    return Optional(list(found)) if found else NONE


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(found)


def _constant(of: NamedFormat) -> Binding:
    return lambda: of


_LINES: Final = "\n".join(
    [
        "format-validate <format>.validate(string) -> optional<list<string>>",
        "format-named format.named(string) -> optional<format>",
        *(f"format.{name} format.{name}() -> format" for name in _FORMATS),
    ]
)
_BINDINGS: Final[dict[str, Binding]] = {
    "format-validate": _validate,
    "format-named": _named,
    **{f"format.{name}": _constant(of) for name, of in _FORMATS.items()},
}

LIBRARY: Final = Library("kubernetes.format", declared(_LINES, _BINDINGS, {"format": FORMAT}), since=31)

"""Strings: characters, parts, searches, joins and quotes. Indices are of code points.

After github.com/google/cel-go/ext/strings.go: version 0 to Kubernetes 1.28, version 2 since.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.attributes import shown
from sampan.api.cel.comparing import elements
from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.libraries.formatting import formatted
from sampan.api.cel.limits import MAX_STRING
from sampan.api.cel.values import Value

VERSION_2_SINCE: Final = 29

_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's unicode.IsSpace takes for space; Python's own strip takes more."""
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_QUOTED: Final = str.maketrans(
    {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"'}
)

_DECLARATIONS = """
    string_char_at_int                  <string>.charAt(int) -> string
    string_index_of_string              <string>.indexOf(string) -> int
    string_index_of_string_int          <string>.indexOf(string, int) -> int
    string_last_index_of_string         <string>.lastIndexOf(string) -> int
    string_last_index_of_string_int     <string>.lastIndexOf(string, int) -> int
    string_lower_ascii                  <string>.lowerAscii() -> string
    string_replace_string_string        <string>.replace(string, string) -> string
    string_replace_string_string_int    <string>.replace(string, string, int) -> string
    string_split_string                 <string>.split(string) -> list<string>
    string_split_string_int             <string>.split(string, int) -> list<string>
    string_substring_int                <string>.substring(int) -> string
    string_substring_int_int            <string>.substring(int, int) -> string
    string_trim                         <string>.trim() -> string
    string_upper_ascii                  <string>.upperAscii() -> string
    list_join                           <list<string>>.join() -> string
    list_join_string                    <list<string>>.join(string) -> string
"""
_SINCE_VERSION_1 = """
    string_format                       <string>.format(list<dyn>) -> string
    strings_quote                       strings.quote(string) -> string
"""


def _out_of_range(index: int) -> CelRuntimeError:
    return CelRuntimeError(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _out_of_range(index)
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not part:
        return start
    if start < 0:
        raise _out_of_range(start)
    return text.find(part, start) if start < len(text) else -1


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part) if part and text else (-1 if part else len(text))
    if not part:
        return start
    if start < 0:
        raise _out_of_range(start)
    return text.rfind(part, 0, start + len(part)) if start < len(text) else -1


def _bounded(length: int) -> None:
    if length > MAX_STRING:
        raise CelRuntimeError(f"string of more than {MAX_STRING} characters")


def _replace(text: str, old: str, new: str, most: int = -1) -> str:
    times = text.count(old) if most < 0 else min(text.count(old), most)
    _bounded(len(text) + times * (len(new) - len(old)))
    return text.replace(old, new, most if most >= 0 else -1)


def _split(text: str, separator: str, most: int = -1) -> list[Value]:
    if most == 0:
        return []
    if not separator:
        pieces = list(text)
        return [*pieces[: most - 1], "".join(pieces[most - 1 :])] if 0 < most < len(pieces) else [*pieces]
    return [*text.split(separator, most - 1 if most > 0 else -1)]


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is None:
        if not 0 <= start <= len(text):
            raise _out_of_range(start)
        return text[start:]
    if start > end:
        raise CelRuntimeError(f"invalid substring range. start: {start}, end: {end}")
    for bound in (start, end):
        if not 0 <= bound <= len(text):
            raise _out_of_range(bound)
    return text[start:end]


def _join(of: Value, separator: str = "") -> str:
    found = elements(of)
    for element in found:
        if not isinstance(element, str):
            raise CelRuntimeError(f"join: invalid input: {shown(element)}")
    _bounded(sum(len(element) for element in found if isinstance(element, str)) + len(separator) * len(found))
    return separator.join(map(str, found))


def _quote(text: str) -> str:
    return f'"{text.translate(_QUOTED)}"'


_BINDINGS: Final[dict[str, Binding]] = {
    "string_char_at_int": _char_at,
    "string_index_of_string": _index_of,
    "string_index_of_string_int": _index_of,
    "string_last_index_of_string": _last_index_of,
    "string_last_index_of_string_int": _last_index_of,
    "string_lower_ascii": lambda text: text.translate(_LOWER),
    "string_upper_ascii": lambda text: text.translate(_UPPER),
    "string_replace_string_string": _replace,
    "string_replace_string_string_int": _replace,
    "string_split_string": _split,
    "string_split_string_int": _split,
    "string_substring_int": _substring,
    "string_substring_int_int": _substring,
    "string_trim": lambda text: text.strip(_SPACE),
    "list_join": _join,
    "list_join_string": _join,
    "string_format": formatted,
    "strings_quote": _quote,
}

LIBRARY: Final = Library("cel.lib.ext.strings", declared(_DECLARATIONS, _BINDINGS))
FORMAT: Final = Library("cel.lib.ext.strings 2", declared(_SINCE_VERSION_1, _BINDINGS), since=VERSION_2_SINCE)

"""Parts of strings that a pattern fits: `find` and `findAll`.

After k8s.io/apiserver/pkg/cel/library/regex.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.patterns import Pattern, compiled
from sampan.api.cel.values import Value

_DECLARATIONS = """
    string_find_string            <string>.find(string) -> string
    string_find_all_string        <string>.findAll(string) -> list<string>
    string_find_all_string_int    <string>.findAll(string, int) -> list<string>
"""


def _legal(pattern: str) -> Pattern:
    try:
        return compiled(pattern)
    except CelRuntimeError as error:
        raise CelRuntimeError(f"Illegal regex: {error}") from None


def _find(text: str, pattern: str) -> str:
    return _legal(pattern).first(text)


def _find_all(text: str, pattern: str, most: int = -1) -> list[Value]:
    return [*_legal(pattern).all(text, most)]


_BINDINGS: Final[dict[str, Binding]] = {
    "string_find_string": _find,
    "string_find_all_string": _find_all,
    "string_find_all_string_int": _find_all,
}

LIBRARY: Final = Library("kubernetes.regex", declared(_DECLARATIONS, _BINDINGS))

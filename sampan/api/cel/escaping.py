"""Names of fields as expressions can write them: `__dot__` for a dot, `__namespace__` for a word that CEL keeps for itself.

After k8s.io/apiserver/pkg/cel/escaping.go.
"""

from __future__ import annotations

import re
from typing import Final

from sampan.lib.remember import remember

RESERVED: Final = frozenset(
    {
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
    }
    | {"package", "namespace", "return", "var", "void", "while"}
)
_ESCAPES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_PLAIN: Final = {escaped.strip("_"): character for character, escaped in _ESCAPES.items()}

_can_be_escaped = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*").fullmatch
_special = re.compile(r"__|[./-]")
_escaped = re.compile(r"__([^_]+)__")


@remember(4096)
def escape(name: str) -> str | None:
    """None for a name that no expression can write."""
    if name in RESERVED:
        return f"__{name}__"
    if _can_be_escaped(name) is None:
        return None
    return _special.sub(lambda match: _ESCAPES[match[0]], name)


@remember(4096)
def unescape(name: str) -> str | None:
    """None for what has escapes that are none."""
    wrong = False

    def plain(match: re.Match[str]) -> str:
        nonlocal wrong
        word = match[1]
        if word in _PLAIN:
            return _PLAIN[word]
        wrong = wrong or word not in RESERVED or match[0] != name
        return word

    result = _escaped.sub(plain, name)
    return None if wrong else result

"""The tokens of an expression, and the errors that cel-go's lexer, made by ANTLR, has for what is none.

After github.com/google/cel-go/parser/gen/CEL.g4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from sampan.api.cel.errors import Issues

EOF: Final = "<EOF>"
FLOAT: Final = "NUM_FLOAT"
INT: Final = "NUM_INT"
UINT: Final = "NUM_UINT"
STRING: Final = "STRING"
BYTES: Final = "BYTES"
IDENTIFIER: Final = "IDENTIFIER"
ESCAPED_IDENTIFIER: Final = "ESC_IDENTIFIER"

_PUNCTUATION = ("==", "!=", "in", "<", "<=", ">=", ">", "&&", "||", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":")
_WORDS = ("true", "false", "null", FLOAT, INT, UINT, STRING, BYTES, IDENTIFIER, ESCAPED_IDENTIFIER)
_ORDER: Final = {kind: rank for rank, kind in enumerate((EOF, *_PUNCTUATION, "+", "*", "/", "%", *_WORDS))}
"""In the order in which expected tokens are listed."""
_NAMED: Final = frozenset((EOF, FLOAT, INT, UINT, STRING, BYTES, IDENTIFIER, ESCAPED_IDENTIFIER))
_KEYWORDS: Final = frozenset(("in", "true", "false", "null"))


class Token(NamedTuple):
    """`kind` is the text itself for what is always written one way."""

    kind: str
    text: str
    offset: int


def expected(kinds: frozenset[str]) -> str:
    """`{'(', IDENTIFIER}`: what could have stood there."""
    shown = [kind if kind in _NAMED else f"'{kind}'" for kind in sorted(kinds, key=_ORDER.__getitem__)]
    return shown[0] if len(shown) == 1 else f"{{{', '.join(shown)}}}"


_ESCAPE = r"""\\(?:[abfnrtv"'\\?`]|[0-3][0-7][0-7]|[xX][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})"""
_STRING = rf"""(?:
    \"\"\"(?:{_ESCAPE}|[^\\])*?\"\"\" | '''(?:{_ESCAPE}|[^\\])*?'''
  | \"(?:{_ESCAPE}|[^\\\"\n\r])*\"    | '(?:{_ESCAPE}|[^\\'\n\r])*'
  | [rR](?:\"\"\".*?\"\"\" | '''.*?''' | \"[^\"\n\r]*\" | '[^'\n\r]*')
)"""
_TOKEN = rf"""
    (?P<space>[\t \r\n\f]+|//[^\n]*)
  | (?P<NUM_FLOAT>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
  | (?P<NUM_UINT>0x[0-9A-Fa-f]+[uU]|[0-9]+[uU])
  | (?P<NUM_INT>0x[0-9A-Fa-f]+|[0-9]+)
  | (?P<BYTES>[bB]{_STRING})
  | (?P<STRING>{_STRING})
  | (?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<ESC_IDENTIFIER>`[A-Za-z0-9_./ -]+`)
  | (?P<mark>==|!=|<=|>=|&&|\|\||[-<>\[\]{{}}().,!?:+*/%])
    """

_half_string = {quote: re.compile(rf"{quote}(?:{_ESCAPE}|[^\\{quote}\n\r])*", re.ASCII).match for quote in "\"'"}
_half_escape = re.compile(r"\\(?:[xX][0-9A-Fa-f]?|u[0-9A-Fa-f]{0,3}|U[0-9A-Fa-f]{0,7}|[0-3][0-7]?)?").match
_half_identifier = re.compile(r"`[A-Za-z0-9_./ -]*", re.ASCII).match


@cache
def _token() -> Callable[[str, int], re.Match[str] | None]:
    """Compiled when it is first asked for: that takes longer than the import of the whole module."""
    return re.compile(_TOKEN, re.VERBOSE | re.DOTALL | re.ASCII).match


def tokens(text: str, issues: Issues) -> list[Token]:
    """All tokens, the last one EOF. What is none is left out and told to `issues`."""
    found: list[Token] = []
    at, token = 0, _token()
    while at < len(text):
        match = token(text, at)
        if match is None:
            end = _end_of_error(text, at)
            issues.add(at, f"Syntax error: token recognition error at: '{text[at:end]}'")
            at = end
            continue
        kind = match.lastgroup or ""
        if kind != "space":
            whole = match[0]
            found.append(Token(whole if kind == "mark" or whole in _KEYWORDS else kind, whole, at))
        at = match.end()
    found.append(Token(EOF, EOF, len(text)))
    return found


def _end_of_error(text: str, at: int) -> int:
    """The lexer swallows what it had begun to take for a token, and the character that told otherwise."""
    first = text[at]
    end = at
    if first in "=&|":
        end = at + 1
    elif first in _half_string:
        half = _half_string[first](text, at)
        end = half.end() if half else at
        if escape := _half_escape(text, end):
            end = escape.end()
    elif first == "`" and (half := _half_identifier(text, at)):
        end = half.end()
    return min(end + 1, len(text))

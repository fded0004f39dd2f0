"""Reading of tokens, and what to do about a wrong one.

It repeats how ANTLR, which made cel-go's parser, words errors and gets over them, as far as one token reaches: a token too much
is skipped, one too few is imagined, else reading goes on where a surrounding rule can.

After ANTLR's DefaultErrorStrategy and github.com/google/cel-go/parser/parser.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel import lexer
from sampan.api.cel.errors import Issues
from sampan.api.cel.lexer import Token
from sampan.api.cel.limits import MAX_RECOVERIES

_AFTER: Final = frozenset(("<", "<=", ">=", ">", "==", "!=", "in", "+", "-", "*", "/", "%", "&&", "||", "?"))
"""What may follow an operand."""


class Stop(Exception):
    """No use in reading on; the issue is told."""


class TokenReader:
    """One token ahead. `_follow` has what may come after each rule that is being read."""

    def __init__(self, text: str, issues: Issues) -> None:
        self._issues = issues
        self._tokens = lexer.tokens(text, issues)
        self._at = 0
        self._token = self._tokens[0]
        self._follow: list[frozenset[str]] = [frozenset((lexer.EOF,))]
        self._recovering = False
        self._recoveries = 0

    def _advance(self) -> Token:
        token = self._token
        if token.kind != lexer.EOF:
            self._at += 1
            self._token = self._tokens[self._at]
        self._recovering = False
        return token

    def _next_kind(self, ahead: int = 1) -> str:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)].kind

    def _report(self, message: str, offset: int | None = None) -> None:
        if not self._recovering:
            self._recovering = True
            self._issues.add(self._token.offset if offset is None else offset, f"Syntax error: {message}")

    def _attempt(self) -> None:
        if self._recoveries == MAX_RECOVERIES:
            self._recovering = False
            self._report(f"error recovery attempt limit exceeded: {MAX_RECOVERIES}")
            raise Stop
        self._recoveries += 1

    def _skip_extra(self, wanted: frozenset[str]) -> bool:
        """One token too much: leave it out."""
        if self._token.kind == lexer.EOF or self._next_kind() not in wanted:
            return False
        self._report(f"extraneous input '{self._token.text}' expecting {lexer.expected(wanted)}")
        self._at += 1
        self._token = self._tokens[self._at]
        return True

    def _recover(self) -> None:
        self._attempt()
        going_on = _AFTER.union(*self._follow)
        while self._token.kind != lexer.EOF and self._token.kind not in going_on:
            self._at += 1
            self._token = self._tokens[self._at]

    def _mismatch(self, wanted: frozenset[str]) -> None:
        self._report(f"mismatched input '{self._token.text}' expecting {lexer.expected(wanted)}")
        self._recover()

    def _match(self, kind: str, then: frozenset[str] | None = None) -> Token | None:
        """The token of that kind. `then`: what may come after it, if not what follows the surrounding rule."""
        if self._token.kind == kind:
            return self._advance()
        wanted = frozenset((kind,))
        if self._skip_extra(wanted):
            return self._advance()
        after = then if then is not None else _AFTER.union({".", "["}, *self._follow)
        if kind != lexer.EOF and self._token.kind in after:
            self._report(f"missing '{kind}' at '{self._token.text}'")
            return None
        self._mismatch(wanted)
        return None

    def _no_alternative(self, begin: Token) -> None:
        read = "" if self._token.kind == lexer.EOF else self._token.text
        if begin.kind == "." and read in ("true", "false", "null"):
            self._report(f"mismatched input '{read}' expecting IDENTIFIER")
        else:
            self._report(f"no viable alternative at input '{begin.text}{read}'")
        self._follow.append(frozenset((".", "[")))
        self._recover()
        self._follow.pop()

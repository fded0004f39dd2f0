"""Text to syntax tree, with the errors of cel-go's parser, which ANTLR made.

A precedence parser by hand.

After github.com/google/cel-go/parser/parser.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel import lexer, literals, operators
from sampan.api.cel.errors import NOWHERE, Issues
from sampan.api.cel.limits import MAX_DEPTH, MAX_EXPRESSION_LENGTH
from sampan.api.cel.macros import MacroError, Macros
from sampan.api.cel.recovery import Stop, TokenReader
from sampan.api.cel.syntax import (
    Call,
    Comprehension,
    Entry,
    FieldEntry,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
)

_RESERVED: Final = frozenset(
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
_LITERALS: Final = frozenset((lexer.INT, lexer.UINT, lexer.FLOAT, lexer.STRING, lexer.BYTES, "true", "false", "null"))
_FIRST: Final = frozenset(("[", "{", "(", ".", "-", "!", lexer.IDENTIFIER)) | _LITERALS
"""What an expression may begin with."""
_COMMA_OR: Final = {close: frozenset((",", close)) for close in ")]}"}
_FIELD: Final = frozenset(("?", lexer.IDENTIFIER, lexer.ESCAPED_IDENTIFIER))


def parse(text: str, macros: Macros, issues: Issues, *, optional: bool = True) -> Node:
    """The tree of a text. What is wrong goes to `issues`, and then the tree is of no use."""
    if len(text) > MAX_EXPRESSION_LENGTH:
        issues.add(NOWHERE, f"expression code point size exceeds limit: size: {len(text)}, limit {MAX_EXPRESSION_LENGTH}")
        return Ident(NOWHERE, "")
    try:
        return _Parser(text, macros, issues, optional).parse()
    except Stop:
        return Ident(NOWHERE, "")
    except RecursionError:
        issues.add(NOWHERE, f"expression recursion limit exceeded: {MAX_DEPTH}")
        return Ident(NOWHERE, "")


class _Parser(TokenReader):
    def __init__(self, text: str, macros: Macros, issues: Issues, optional: bool) -> None:
        super().__init__(text, issues)
        self._macros = macros
        self._optional = optional
        self._depth = 0

    def parse(self) -> Node:
        node = self._expression()
        if self._token.kind != lexer.EOF:
            self._match(lexer.EOF)
        self._check_depth(node)
        return node

    def _check_depth(self, root: Node) -> None:
        stack = [(root, 1)]
        while stack:
            node, depth = stack.pop()
            if depth > MAX_DEPTH + 1:
                self._issues.add(NOWHERE, "max recursion depth exceeded")
                raise Stop
            logical = isinstance(node, Call) and node.function in ("_&&_", "_||_")
            deeper = depth + (isinstance(node, (Call, Select, Comprehension)) and not logical)
            stack.extend((child, deeper) for child in node.children())

    # Rules.

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._issues.add(NOWHERE, f"expression recursion limit exceeded: {MAX_DEPTH}")
            raise Stop
        condition = self._logical()
        if self._token.kind == "?":
            at = self._advance().offset
            self._follow.append(frozenset(":"))
            yes = self._logical()
            self._follow.pop()
            self._match(":", _FIRST)
            condition = self._call(at, "_?_:_", condition, yes, self._expression())
        self._depth -= 1
        return condition

    def _logical(self) -> Node:
        """Everything of a higher precedence than `?`, in one function, so as not to nest too deep in Python either."""
        ors: list[Node] = []
        or_at: list[int] = []
        ands: list[Node] = []
        and_at: list[int] = []
        while True:
            ands.append(self._relation())
            if self._token.kind == "&&":
                and_at.append(self._advance().offset)
                continue
            ors.append(operators.balanced("_&&_", ands, and_at))
            if self._token.kind != "||":
                return operators.balanced("_||_", ors, or_at)
            or_at.append(self._advance().offset)
            ands, and_at = [], []

    def _relation(self) -> Node:
        operands = [self._operand()]
        waiting: list[tuple[int, str, int]] = []
        while (operator := operators.BINARY.get(self._token.kind)) is not None:
            precedence, function = operator
            while waiting and waiting[-1][0] >= precedence:
                self._reduce(operands, waiting)
            waiting.append((precedence, function, self._advance().offset))
            operands.append(self._operand())
        while waiting:
            self._reduce(operands, waiting)
        return operands[0]

    def _reduce(self, operands: list[Node], waiting: list[tuple[int, str, int]]) -> None:
        _, function, at = waiting.pop()
        right = operands.pop()
        operands[-1] = self._call(at, function, operands[-1], right)

    def _operand(self) -> Node:
        """With its signs before it and what is selected of it after it."""
        if self._token.kind not in _FIRST and not self._skip_extra(_FIRST):
            self._mismatch(_FIRST)
            return Ident(self._token.offset, "")
        sign, at, times = self._token.kind, self._token.offset, 0
        negative = sign == "-" and self._next_kind() in (lexer.INT, lexer.FLOAT)
        while sign in "!-" and self._token.kind == sign:
            self._advance()
            times += 1
        if times and self._token.kind == "-" and self._next_kind() in (lexer.INT, lexer.FLOAT):
            self._advance()
            node = self._postfix(self._literal(negative=True))
        elif times and self._token.kind not in _FIRST - {"!", "-"}:
            self._mismatch(_FIRST)
            return Ident(self._token.offset, "")
        else:
            node = self._postfix(self._literal(negative=True) if negative else self._primary())
        if negative or times % 2 == 0:
            return node
        return self._call(at, "!_" if sign == "!" else "-_", node)

    def _primary(self) -> Node:
        kind = self._token.kind
        if kind in _LITERALS:
            return self._literal(negative=False)
        if kind == "(":
            self._advance()
            self._follow.append(frozenset(")"))
            node = self._expression()
            self._follow.pop()
            self._match(")")
            return node
        if kind == "[":
            return self._list()
        return self._map() if kind == "{" else self._name()

    def _literal(self, negative: bool) -> Node:
        token = self._advance()
        at = self._tokens[self._at - 2].offset if negative else token.offset
        try:
            return Literal(at, literals.value(token, negative))
        except literals.LiteralError as error:
            self._issues.add(at, str(error))
            return Literal(at, None)

    def _name(self) -> Node:
        """A variable, a function call, or the message of a name."""
        at = self._token.offset
        dot = "." if self._token.kind == "." else ""
        if dot:
            self._advance()
        if self._token.kind != lexer.IDENTIFIER:
            self._no_alternative(self._tokens[self._at - 1])
            return Ident(at, "")
        if self._message_begins():
            return self._message(dot)
        token = self._advance()
        if token.text in _RESERVED:
            self._issues.add(at, f"reserved identifier: {token.text}")
            if self._token.kind == "(":
                self._arguments()
            return Literal(at, None)
        if self._token.kind != "(":
            return Ident(token.offset, dot + token.text)
        open_at, arguments = self._arguments()
        return self._call(open_at, dot + token.text, *arguments)

    def _message_begins(self) -> bool:
        ahead = 1
        while self._next_kind(ahead) == "." and self._next_kind(ahead + 1) == lexer.IDENTIFIER:
            ahead += 2
        return self._next_kind(ahead) == "{"

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._token.kind == ".":
                node = self._selected(node)
            elif self._token.kind == "[":
                node = self._indexed(node)
            else:
                return node

    def _selected(self, operand: Node) -> Node:
        dot = self._advance()
        optional = self._token.kind == "?"
        if optional:
            self._advance()
        token = self._token
        if token.kind not in (lexer.IDENTIFIER, lexer.ESCAPED_IDENTIFIER):
            if optional:
                self._mismatch(frozenset((lexer.IDENTIFIER, lexer.ESCAPED_IDENTIFIER)))
            else:
                self._no_alternative(dot)
            return operand
        self._advance()
        if token.kind == lexer.ESCAPED_IDENTIFIER:
            self._issues.add(token.offset, "unsupported syntax: '`'")
        if optional:
            self._allow_optional(dot.offset, "unsupported syntax '.?'")
            return Call(dot.offset, "_?._", None, [operand, Literal(token.offset, token.text)])
        if self._token.kind == "(" and token.kind == lexer.IDENTIFIER:
            at, arguments = self._arguments()
            return self._expanded(Call(at, token.text, operand, arguments))
        return Select(dot.offset, operand, token.text)

    def _indexed(self, operand: Node) -> Node:
        at = self._advance().offset
        optional = self._token.kind == "?"
        if optional:
            self._advance()
            self._allow_optional(at, "unsupported syntax '[?'")
        self._follow.append(frozenset("]"))
        index = self._expression()
        self._follow.pop()
        self._match("]")
        return Call(at, "_[?_]" if optional else "_[_]", None, [operand, index])

    def _allow_optional(self, at: int, message: str) -> None:
        if not self._optional:
            self._issues.add(at, message)

    def _arguments(self) -> tuple[int, list[Node]]:
        """Where the parenthesis opens, and what is between it and its like."""
        at = self._advance().offset
        found: list[Node] = []
        if self._token.kind != ")":
            if self._token.kind not in _FIRST and not self._skip_extra(_FIRST | {")"}):
                self._mismatch(_FIRST | {")"})
            self._follow.append(_COMMA_OR[")"])
            while self._token.kind != ")":
                found.append(self._expression())
                if self._token.kind != ",":
                    break
                self._advance()
                if self._token.kind == ")":
                    self._mismatch(_FIRST)
            self._follow.pop()
        self._match(")")
        return at, found

    def _list(self) -> Node:
        at = self._advance().offset
        elements: list[Node] = []
        optional: list[int] = []
        self._follow.append(_COMMA_OR["]"])
        if self._begins(_FIRST | {"?", ",", "]"}, "]"):
            while self._token.kind != "]":
                if self._token.kind == "?":
                    self._allow_optional(self._advance().offset, "unsupported syntax '?'")
                    optional.append(len(elements))
                elements.append(self._expression())
                if not self._comma("]"):
                    break
        self._follow.pop()
        self._match("]")
        return ListLiteral(at, elements, frozenset(optional))

    def _begins(self, wanted: frozenset[str], close: str) -> bool:
        """Whether a first element is there; a lone comma may stand for none."""
        if self._token.kind not in wanted and not self._skip_extra(wanted):
            self._mismatch(wanted)
        if self._token.kind == ",":
            self._advance()
            return False
        return self._token.kind != close and self._token.kind != lexer.EOF

    def _comma(self, close: str) -> bool:
        if self._token.kind == ",":
            self._advance()
            return True
        if self._token.kind != close and not self._skip_extra(_COMMA_OR[close]):
            self._mismatch(_COMMA_OR[close])
            self._recovering = True
        return False

    def _map(self) -> Node:
        at = self._advance().offset
        entries: list[Entry] = []
        self._follow.append(frozenset(",}:"))
        if self._begins(_FIRST | {"?", ",", "}"}, "}"):
            while self._token.kind != "}":
                optional = self._token.kind == "?"
                if optional:
                    self._allow_optional(self._advance().offset, "unsupported syntax '?'")
                key = self._expression()
                colon = self._match(":", _FIRST)
                if colon is None:
                    break
                entries.append(Entry(colon.offset, key, self._expression(), optional))
                if not self._comma("}"):
                    break
        self._follow.pop()
        self._match("}")
        return MapLiteral(at, entries)

    def _message(self, dot: str) -> Node:
        name = dot + self._advance().text
        while self._token.kind == ".":
            self._advance()
            name += "." + self._advance().text
        at = self._advance().offset
        entries: list[FieldEntry] = []
        self._follow.append(frozenset(",}:"))
        if self._begins(_FIELD | {",", "}"}, "}"):
            while self._token.kind != "}":
                entry = self._field()
                if entry is None:
                    break
                entries.append(entry)
                if not self._comma("}"):
                    break
        self._follow.pop()
        self._match("}")
        return StructLiteral(at, name, entries)

    def _field(self) -> FieldEntry | None:
        optional = self._token.kind == "?"
        if optional:
            self._allow_optional(self._advance().offset, "unsupported syntax '?'")
        if self._token.kind not in _FIELD - {"?"}:
            self._mismatch(_FIELD - {"?"})
            return None
        token = self._advance()
        if token.kind == lexer.ESCAPED_IDENTIFIER:
            self._issues.add(token.offset, "unsupported syntax: '`'")
        colon = self._match(":", _FIRST)
        return None if colon is None else FieldEntry(colon.offset, token.text, self._expression(), optional)

    # Calls.

    def _call(self, at: int, function: str, *arguments: Node) -> Node:
        return self._expanded(Call(at, function, None, list(arguments)))

    def _expanded(self, call: Call) -> Node:
        macro = self._macros.get((call.function, len(call.arguments), call.target is not None))
        if macro is None:
            return call
        try:
            return macro(call.offset, call.target, call.arguments)
        except MacroError as error:
            self._issues.add(error.offset, str(error))
            return Ident(call.offset, "")

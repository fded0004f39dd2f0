"""Operators of two operands, and in which order they bind.

After github.com/google/cel-go/parser/helper.go and common/operators.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.syntax import Call, Node

_RELATION, _SUM, _PRODUCT = 1, 2, 3
BINARY: Final = {
    "<": (_RELATION, "_<_"),
    "<=": (_RELATION, "_<=_"),
    ">=": (_RELATION, "_>=_"),
    ">": (_RELATION, "_>_"),
    "==": (_RELATION, "_==_"),
    "!=": (_RELATION, "_!=_"),
    "in": (_RELATION, "@in"),
    "+": (_SUM, "_+_"),
    "-": (_SUM, "_-_"),
    "*": (_PRODUCT, "_*_"),
    "/": (_PRODUCT, "_/_"),
    "%": (_PRODUCT, "_%_"),
}
"""By token, with the function each stands for. A higher number binds closer; those of one number from the left."""


def balanced(function: str, terms: list[Node], at: list[int]) -> Node:
    """A chain of `&&` or `||` as a tree that is no deeper than it must be."""
    if not at:
        return terms[0]
    middle = len(at) // 2
    left = balanced(function, terms[: middle + 1], at[:middle])
    right = balanced(function, terms[middle + 1 :], at[middle + 1 :])
    return Call(at[middle], function, None, [left, right])

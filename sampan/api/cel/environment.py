"""Expressions of Kubernetes: what they may name, how they are compiled and run.

    environment = Environment({"self": cel_type_of(schema)})
    program = environment.compile("self.replicas <= self.maxReplicas")      # CelError
    program.evaluate({"self": schema_value(tree, schema)}, budget=PER_CALL_LIMIT)   # CelRuntimeError, CostExceeded

After k8s.io/apiserver/pkg/cel/environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from sampan.api.cel import standard
from sampan.api.cel.checker import Scope, check
from sampan.api.cel.code import COST, LIMIT, Code, Frame
from sampan.api.cel.compiler import Compiler
from sampan.api.cel.declarations import Binding, Library, Overload
from sampan.api.cel.errors import NOWHERE, CelError, CelRuntimeError, CostExceeded, Issues
from sampan.api.cel.estimate import Cost, Sizes, estimate
from sampan.api.cel.libraries import KUBERNETES
from sampan.api.cel.limits import MAX_DEPTH, PER_CALL_LIMIT
from sampan.api.cel.macros import Macro
from sampan.api.cel.parser import parse
from sampan.api.cel.syntax import Node
from sampan.api.cel.types import CelType
from sampan.api.cel.validators import validate
from sampan.api.cel.values import MISSING, Value

STORED: Final = "1.33"
NEW: Final = "1.32"
"""What is written anew may only use what the version before understands, to which a cluster may have to go back."""

OPTIONAL_SINCE: Final = 28
RESERVED_FIELDS_SINCE: Final = 31
_STANDARD: Final = (standard.LIBRARY, standard.CROSS_TYPE)


class _Language:
    """All that libraries of one version bring, put together once."""

    def __init__(self, libraries: Sequence[Library], minor: int) -> None:
        self.minor = minor
        self.functions: dict[str, list[Overload]] = {}
        self.macros: dict[tuple[str, int, bool], Macro] = {}
        self.types: dict[str, CelType] = {}
        self.dispatchers: dict[str, Binding] = {}
        for library in libraries:
            if library.serves(minor):
                self._add(library)

    def _add(self, library: Library) -> None:
        for overload in library.overloads:
            self.functions.setdefault(overload.function, []).append(overload)
        self.macros.update(library.macros)
        self.types.update({of.name: of for of in library.types})
        self.dispatchers.update(library.dispatchers)


@lru_cache(maxsize=32)
def _language(libraries: tuple[Library, ...], minor: int) -> _Language:
    return _Language((*_STANDARD, *libraries), minor)


class Environment:
    """Variables of known types, and the functions that a version of Kubernetes has."""

    def __init__(
        self, variables: Mapping[str, CelType], libraries: Iterable[Library] = KUBERNETES, version: str = STORED
    ) -> None:
        self._variables = dict(variables)
        self._language = _language(tuple(libraries), int(version.split(".")[1]))

    def compile(self, text: str) -> Program:
        """Raises CelError with all that is wrong with the text, CelProgramError if what it says can never be done."""
        try:
            root = self._checked(text)
            compiler = Compiler(self._language.functions, self._language.dispatchers)
            code = compiler.compile(root)
        except RecursionError:
            issues = Issues(text)
            issues.add(NOWHERE, f"expression recursion limit exceeded: {MAX_DEPTH}")
            raise issues.error() from None
        return Program(text, root, code, tuple(compiler.names), compiler.locals)

    def _checked(self, text: str) -> Node:
        language = self._language
        issues = Issues(text)
        root = parse(text, language.macros, issues, optional=language.minor >= OPTIONAL_SINCE)
        if issues:
            raise issues.error()
        scope = Scope(self._variables, language.functions, language.types, language.minor >= RESERVED_FIELDS_SINCE)
        check(root, scope, issues)
        if issues:
            raise issues.error()
        validate(root, language.minor, issues)
        if issues:
            raise issues.error()
        return root


_PYTHON_ERRORS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Program:
    """A compiled expression. One evaluation at a time."""

    def __init__(self, text: str, root: Node, code: Code, names: tuple[str, ...], places: int) -> None:
        self.text = text
        self.output_type: CelType = root.type
        self.spent = 0
        """By the last evaluation, also one that failed."""
        self._root = root
        self._run = code.run
        self._cost = code.cost
        self._names = names
        self._places: Frame = [None] * places

    def __repr__(self) -> str:
        return f"Program({self.text!r})"

    @property
    def variables(self) -> frozenset[str]:
        """Which variables it names, as `oldSelf`."""
        return frozenset(self._names)

    def estimate_cost(self, sizes: Sizes | None = None) -> Cost:
        """The least and the most it may cost, by how large values may be; unbounded where `sizes` does not tell."""
        return estimate(self._root, sizes)

    def evaluate(self, bindings: Mapping[str, Value], budget: int = PER_CALL_LIMIT) -> Value:
        """The value with these variables. Raises CelRuntimeError, or CostExceeded once more than the budget is spent."""
        get = bindings.get
        frame: Frame = [self._cost, budget, *[get(name, MISSING) for name in self._names], *self._places]
        try:
            value = self._run(frame)
        except CelRuntimeError:
            self._settle(frame)
            raise
        except _PYTHON_ERRORS:
            self._settle(frame)
            # Values that are not what their types say, such as a null among numbers, fail in Python's own operators.
            raise CelRuntimeError("no such overload") from None
        except RecursionError:
            self._settle(frame)
            raise CelRuntimeError("internal error: evaluation nests too deep") from None
        self._settle(frame)
        return value

    def _settle(self, frame: Frame) -> None:
        self.spent = frame[COST]
        if frame[COST] > frame[LIMIT]:
            raise CostExceeded


__all__ = ["CelError", "Environment", "Program"]

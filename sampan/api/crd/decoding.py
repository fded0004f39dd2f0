"""Decoding of custom objects: the fast pass of `fasttypes`, and where that refuses, a walk that says what is there.

As `sampan.api.decoding` for built-in kinds, of which it keeps all that is about JSON and YAML.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sampan.api.crd.embedded import BadMetadata
from sampan.api.crd.fasttypes import fast_type
from sampan.api.crd.structure import Tree, Value, copied
from sampan.api.decoding import (
    NO_FLOAT,
    Admitted,
    Decoder,
    Outcome,
    TypeProblem,
    cannot_be_handled,
    has_infinite,
    unrecognized,
)
from sampan.api.errors import StatusError, bad_request
from sampan.api.fasttypes import convert_checked
from sampan.api.slowcheck import Repeating

if TYPE_CHECKING:
    from sampan.api.crd.custom_schema import CustomSchema


_TOO_DEEP: Final = Outcome(None, ["exceeded max depth"], [])


class KindMissing(StatusError):
    """400 as strict decoding says it; `loosely` is how it is said where unknown fields are ignored."""

    def __init__(self, tree: Tree, body: bytes, kind: str, version: str) -> None:
        why = f"Object 'Kind' is missing in '{body.decode('utf-8', 'replace')}'"
        said = unrecognized(body, kind, why)
        super().__init__(said.code, said.reason, said.message)
        self.loosely = cannot_be_handled(tree, kind, version, why)


class CustomDecoder(Decoder):
    def __init__(self, schema: CustomSchema) -> None:
        super().__init__(schema)
        self.custom = schema

    def make_type(self) -> Any:
        return fast_type(self.custom)

    def judge(self, tree: Any, body: bytes, kind: str, version: str) -> Admitted:
        if tree is None or (isinstance(tree, dict) and not tree.get("kind")):
            raise KindMissing(tree or {}, body, kind, version)
        if isinstance(tree, dict) and not tree.get("apiVersion"):
            raise bad_request(f"the API version in the data () does not match the expected API version ({version})")
        if has_infinite(tree):
            raise unrecognized(body, kind, NO_FLOAT)
        return super().judge(tree, body, kind, version)

    def admit_tree(self, tree: Tree) -> Admitted:
        try:
            typed = msgspec.convert(tree, self.type, dec_hook=convert_checked)
            return Admitted(msgspec.to_builtins(typed), [])
        except (msgspec.ValidationError, RecursionError):
            pass
        walked = self._walk_copy(tree)
        if walked.problems:
            raise TypeProblem(walked.problems[0])
        return Admitted(walked.tree, walked.strict)

    def admit_applied(self, tree: Tree) -> Admitted:
        """As `admit_tree`, but a null stays, to be refused where it is not allowed: upstream's apply takes none out."""
        try:
            typed = msgspec.convert(tree, self.type, dec_hook=convert_checked)
            return Admitted(msgspec.to_builtins(typed), [])
        except (msgspec.ValidationError, RecursionError):
            pass
        walked = self.walk(copied(tree), keeps_nulls=True)
        if walked.problems:
            raise TypeProblem(walked.problems[0])
        return Admitted(walked.tree, walked.strict)

    def check(self, tree: Tree) -> list[TypeProblem]:
        return [TypeProblem(problem) for problem in self._walk_copy(tree).problems]

    def _walk_copy(self, tree: Tree) -> Outcome:
        try:
            return self.walk(copied(tree))
        except RecursionError:
            return _TOO_DEEP

    def walk(self, tree: Any, *, keeps_nulls: bool = False) -> Outcome:
        """In place."""
        try:
            strict = [f'duplicate field "{path}"' for path in _repeated(tree, "")]
            strict += [f'unknown field "{path}"' for path in self.custom.coerce(tree, keeps_nulls=keeps_nulls)]
            _make_floats_plain(tree)
        except (TypeProblem, BadMetadata) as problem:
            return Outcome(None, [str(problem)], [])
        except RecursionError:
            return _TOO_DEEP
        return Outcome(tree, [], list(dict.fromkeys(strict)))


def _repeated(value: Value, path: str) -> Iterator[str]:
    """Paths of keys that were written twice."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeated(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        repeated = value.repeated if isinstance(value, Repeating) else ()
        for key, inner in value.items():
            place = f"{path}.{key}" if path else key
            if key in repeated:
                yield place
            yield from _repeated(inner, place)


def plain_float(value: float) -> int | float:
    """1.0 is written as 1, as Go does up to 1e21."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _make_floats_plain(value: Value) -> None:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        if isinstance(inner, float):
            value[key] = plain_float(inner)
        elif isinstance(inner, (dict, list)):
            _make_floats_plain(inner)

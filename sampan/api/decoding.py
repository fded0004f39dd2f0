"""From a request's body to an object: the fast pass of `fasttypes`, and where that refuses, the words of `slowcheck`.

Reach it through `Schema.admit` and `Schema.admit_tree`.
"""

from __future__ import annotations

import json
import math
import re
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec

from sampan.api import jsonsyntax, yamltree
from sampan.api.depth import is_too_deep, may_be_too_deep
from sampan.api.errors import StatusError, bad_request
from sampan.api.fasttypes import convert_checked, type_for
from sampan.api.schema import Schema
from sampan.api.slowcheck import Repeating, Walk, kind_of, unrepeated
from sampan.lib.decoders import make_decoder

Tree = dict[str, Any]
_TOO_DEEP: Final = "exceeded max depth"
_SUMMARY_LENGTH: Final = 30
NO_FLOAT: Final = "json: cannot unmarshal number inf into Go value of type float64"
_STRICT_LIMIT: Final = 100
_MOST_DIGITS: Final = 400
_NO_KIND: Final = "couldn't get version/kind; json parse error: "
_KIND_STRUCT: Final = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
_YAML_HEADS: Final = ("", "error converting YAML to JSON: ")
_REFUSALS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class TypeProblem(ValueError):
    """An object is not of its type; the message is Go's: "json: cannot unmarshal …"."""


class Admitted(NamedTuple):
    tree: Tree
    strict: list[str]
    """What strict decoding would refuse: 'unknown field "spec.foo"', 'duplicate field "spec.bar"'."""


class BrokenBody(ValueError):
    """Not JSON (or YAML) at all; the message is Go's."""


def strict_message(strict: list[str]) -> str:
    """The pieces of `Admitted.strict` as one error."""
    return "strict decoding error: " + ", ".join(strict)


def warnings_of(strict: list[str]) -> list[str]:
    """The pieces of `Admitted.strict` as a client is warned of them: what the reader of YAML says in one, line by line."""
    found: list[str] = []
    for piece in strict:
        head, said, lines = piece.partition("yaml: unmarshal errors:\n")
        found += [line.strip() for line in lines.split("\n")] if said and head in _YAML_HEADS else [piece]
    return found


def decode_json(body: bytes) -> tuple[Any, bool]:
    """Any JSON value, and whether the body repeats keys. Raises BrokenBody."""
    try:
        tree = msgspec.json.decode(body)
    except _REFUSALS:
        tree = decode_remembering_repeats(body)
        if has_infinite(tree):
            raise BrokenBody(NO_FLOAT) from None
        return tree, False
    if may_be_too_deep(body) and is_too_deep(tree):
        raise BrokenBody(_TOO_DEEP)
    return tree, not _keys_are_unique(body, msgspec.json.encode(tree))


def decode_remembering_repeats(body: bytes) -> Any:
    """With `Repeating` where an object repeats keys; broken UTF-8 is replaced, as Go does. Raises BrokenBody."""
    text = body.decode("utf-8", "replace")
    try:
        tree = json.loads(text, object_pairs_hook=unrepeated, parse_constant=_refuse_constant, parse_int=_whole_number)
    except RecursionError:
        raise BrokenBody(_TOO_DEEP) from None
    except ValueError:
        raise BrokenBody(jsonsyntax.explain(text) or "invalid number literal") from None
    if may_be_too_deep(body) and is_too_deep(tree):
        raise BrokenBody(_TOO_DEEP)
    return _without_lone_surrogates(tree) if "\\u" in text else tree


def repeats_keys(body: bytes) -> bool:
    """Whether any object of a body that is good JSON has a key twice."""
    found: list[bool] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len(pairs) > 1 and len(dict(pairs)) != len(pairs):
            found.append(True)

    json.loads(body, object_pairs_hook=look)
    return bool(found)


def repeated_fields(body: bytes) -> list[str]:
    """'duplicate field "a.b"' for each key that is there twice, of a body that is good JSON."""
    found: list[str] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                walk(item, f"{path}[{index}]")
        elif isinstance(value, dict):
            repeated = value.repeated if isinstance(value, Repeating) else ()
            for key, inner in value.items():
                place = f"{path}.{key}" if path else key
                if key in repeated:
                    found.append(f'duplicate field "{place}"')
                walk(inner, place)

    walk(decode_remembering_repeats(body), "")
    return found[:_STRICT_LIMIT]


def _without_lone_surrogates(value: Any) -> Any:
    """Half a UTF-16 pair is no character: Go puts U+FFFD in its place."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        for key in list(value):
            inner = _without_lone_surrogates(value.pop(key))
            value[_without_lone_surrogates(key)] = inner
    elif isinstance(value, list):
        value[:] = [_without_lone_surrogates(item) for item in value]
    return value


def _whole_number(text: str) -> int | float:
    """Python refuses to read some thousand digits: it would take the square of their number."""
    return int(text) if len(text) <= _MOST_DIGITS else float(text)


def has_infinite(value: Any) -> bool:
    """Whether there is a number that no float can hold, which would be written as null."""
    if isinstance(value, dict):
        return any(map(has_infinite, value.values()))
    if isinstance(value, list):
        return any(map(has_infinite, value))
    return isinstance(value, float) and math.isinf(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_escaped_colon = re.compile(rb"\\u003[aA]").search


def _keys_are_unique(body: bytes, encoded: bytes) -> bool:
    """Every pair that decoding dropped took its colon along. False may be a false alarm, but True is certain.

    The nulls that every Go client sends for creationTimestamp are dropped, too, and would make the alarm the rule."""
    dropped = body.count(b":") - encoded.count(b":")
    if dropped and dropped != body.count(b'"creationTimestamp":null'):
        return False
    return b"\\u003" not in body or not _escaped_colon(body)


class Decoder:
    """Decodes what stands at one place, usually a whole object."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @cached_property
    def type(self) -> Any:
        """The msgspec type of what needs no second look, as `msgspec.convert` takes it from any thread."""
        return self._typed[0]

    def make_type(self) -> Any:
        return type_for(self.schema)

    @cached_property
    def _fast(self) -> msgspec.json.Decoder[Any]:
        return self._typed[1]

    @cached_property
    def _typed(self) -> tuple[Any, msgspec.json.Decoder[Any]]:
        made = self.make_type()
        return made, make_decoder(made, convert_checked)

    def admit(self, body: bytes, *, yaml: bool, kind: str, version: str) -> Admitted:
        """See `Schema.admit`."""
        if yaml:
            return self._admit_yaml(body, kind, version)
        tree = self._taken_fast(body)
        if tree is None:
            return self._admit_slowly(body, kind, version)
        if not _keys_are_unique(body, msgspec.json.encode(tree)):
            return Admitted(tree, self.walk(decode_remembering_repeats(body)).strict if repeats_keys(body) else [])
        return Admitted(tree, [])

    def admit_at_once(self, body: bytes) -> Admitted | None:
        """What `admit` gives for JSON that the fast pass takes; None for what may take long."""
        tree = self._taken_fast(body)
        return None if tree is None or not _keys_are_unique(body, msgspec.json.encode(tree)) else Admitted(tree, [])

    def _taken_fast(self, body: bytes) -> Tree | None:
        try:
            typed = self._fast.decode(body)
        except _REFUSALS:
            return None
        tree: Tree = msgspec.to_builtins(typed)
        return None if may_be_too_deep(body) and is_too_deep(tree) else tree

    def _admit_slowly(self, body: bytes, kind: str, version: str) -> Admitted:
        try:
            tree = decode_remembering_repeats(body)
        except BrokenBody as broken:
            raise unrecognized(body, kind, _NO_KIND + str(broken)) from None
        return self.judge(tree, body, kind, version)

    def _admit_yaml(self, body: bytes, kind: str, version: str) -> Admitted:
        try:
            tree, repeated = yamltree.load(body)
        except yamltree.YAMLError as error:
            raise unrecognized(body, kind, str(error)) from None
        admitted = self.judge(tree, body, kind, version)
        return Admitted(admitted.tree, repeated + admitted.strict)

    def judge(self, tree: Any, body: bytes, kind: str, version: str) -> Admitted:
        """What is to be said of a body that the fast pass refused or that was YAML. Raises StatusError 400."""
        if tree is None:
            return Admitted({}, [])  # as Go decodes null into a struct: nothing is set
        if not isinstance(tree, dict):
            found = f"json: cannot unmarshal {kind_of(tree)} into Go value of type {_KIND_STRUCT}"
            raise unrecognized(body, kind, _NO_KIND + found)
        for field in ("apiVersion", "kind"):
            if not isinstance(tree.get(field), (str, type(None))):
                found = f"json: cannot unmarshal {kind_of(tree[field])} into Go struct field .{field} of type string"
                raise unrecognized(body, kind, _NO_KIND + found)
        walk = self.walk(tree)
        if walk.problems:
            raise cannot_be_handled(tree, kind, version, walk.problems[0])
        return Admitted(walk.tree, walk.strict)

    def admit_tree(self, tree: Tree) -> Admitted:
        """See `Schema.admit_tree`."""
        try:
            typed = msgspec.convert(tree, self.type, dec_hook=convert_checked)
            return Admitted(msgspec.to_builtins(typed), [])
        except (msgspec.ValidationError, RecursionError):
            pass
        walk = self.walk(tree)
        if walk.problems:
            raise TypeProblem(walk.problems[0])
        return Admitted(msgspec.to_builtins(walk.tree), walk.strict)  # the walk lets free-form fields be the ones it was given

    def check(self, tree: Tree) -> list[TypeProblem]:
        """See `Schema.check`."""
        try:
            msgspec.convert(tree, self.type, dec_hook=convert_checked)
        except (msgspec.ValidationError, RecursionError):
            return [TypeProblem(message) for message in self.walk(tree).problems]
        return []

    def walk(self, tree: Any) -> Outcome:
        """The slow pass over a decoded object."""
        walk = Walk()
        try:
            converted = walk.value(self.schema, tree)
        except RecursionError:
            return Outcome(None, [_TOO_DEEP], [])
        return Outcome(converted, walk.problems, list(dict.fromkeys(walk.strict))[:_STRICT_LIMIT])


class Outcome(NamedTuple):
    tree: Any
    problems: list[str]
    strict: list[str]


def unrecognized(body: bytes, kind: str, why: str) -> StatusError:
    """400 for a body whose kind cannot be told."""
    if not body:
        summary = "<empty>"
    elif body[:1] == b"{":
        summary = body[:_SUMMARY_LENGTH].decode("utf-8", "replace")
        summary += " ..." if len(body) > _SUMMARY_LENGTH else ""
    else:
        summary = body[:_SUMMARY_LENGTH].hex() + (" ..." if len(body) > _SUMMARY_LENGTH else "")
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({summary})")


def cannot_be_handled(tree: Tree, kind: str, version: str, why: str) -> StatusError:
    """400 for a body that is not of its kind. What the body does not say of itself is the endpoint's."""
    said_kind = tree.get("kind") or kind
    said_version = (tree.get("apiVersion") or version).rpartition("/")[2]
    return bad_request(f'{said_kind} in version "{said_version}" cannot be handled as a {kind}: {why}')

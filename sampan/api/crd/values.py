"""Validation of a value by the keywords of its schema, with every word that upstream has to say.

After k8s.io/kube-openapi/pkg/validation/validate. This is the patient walk, for values that the fast pass of `judging` has
refused and for keywords that it does not know.
"""

from __future__ import annotations

from typing import Final

from sampan.api.crd.correlation import Pair
from sampan.api.crd.formats import check_of
from sampan.api.crd.structure import Tree, Value
from sampan.api.crd.verdict import Place, Verdict
from sampan.api.gotext import go_plain
from sampan.api.patterns import PatternError, matches

_KINDS: Final[dict[type, str]] = {
    bool: "boolean",
    str: "string",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
}


def kind_of(value: Value) -> str:
    return _KINDS[bool if isinstance(value, bool) else dict if isinstance(value, dict) else type(value)]


def types_of(raw: Tree) -> tuple[str, ...]:
    """The types that a schema allows; none: any."""
    if raw.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    return (raw["type"],) if raw.get("type") else ()


def judge(raw: Tree, value: Value, place: Place, pair: Pair | None = None, *, forgives: bool = True) -> Verdict:
    """The verdict on a value. Where it equals the old value of `pair`, errors in it are forgiven."""
    verdict = Verdict()
    if value is None:
        if types_of(raw) and not raw.get("nullable"):
            verdict.merge(place.of_wrong_type(",".join(types_of(raw)), "null"))
        verdict.merge(_judge_enum(raw, value, place))
    else:
        _judge(raw, value, place, pair, verdict)
    if verdict.errors and forgives and pair is not None and pair.is_equal:
        verdict.errors.clear()
    return verdict


def _judge(raw: Tree, value: Value, place: Place, pair: Pair | None, verdict: Verdict) -> None:
    kind, types = kind_of(value), types_of(raw)
    format_ = raw.get("format") or ""
    check = check_of(format_)
    if types or check:
        verdict.merge(_judge_type(kind, types, format_ if check else "", value, place))
        verdict.matched += 1
    verdict.merge(_judge_combinations(raw, value, place, pair))
    verdict.matched += 1
    if kind == "string":
        verdict.merge(_judge_string(raw, value, place))
        verdict.matched += 1
        if check is not None:
            if not check(value):
                verdict.merge(place.of_wrong_type(format_, value))
            verdict.matched += 1
    elif kind in ("integer", "number"):
        verdict.merge(_judge_number(raw, value, place))
        verdict.matched += 1
    elif kind == "array":
        verdict.merge(_judge_list(raw, value, place, pair))
        verdict.matched += 1
    verdict.merge(_judge_enum(raw, value, place))
    verdict.matched += 1
    if kind == "object":
        verdict.merge(_judge_object(raw, value, place, pair))
        verdict.matched += 1
    verdict.matched += 1


def _judge_type(kind: str, types: tuple[str, ...], format_: str, value: Value, place: Place) -> Verdict:
    good = Verdict()
    good.matched = 1
    fits = kind in types or (kind == "integer" and "number" in types)
    fits = fits or (kind == "number" and "integer" in types and value.is_integer())
    if kind not in ("string", "array"):
        if format_ and not fits:
            return place.of_wrong_type(format_, {"integer": "int64", "number": "float64"}.get(kind, ""))
    elif format_ and not {"number", "integer"} & set(types):
        return good
    return good if fits else place.of_wrong_type(",".join(types), kind)


def _judge_enum(raw: Tree, value: Value, place: Place) -> Verdict | None:
    choices = raw.get("enum")
    if not choices or any(_is_same(value, choice) for choice in choices):
        return None
    return place.not_one_of(value, choices)


def _is_same(value: Value, choice: Value) -> bool:
    """As Go compares them once the value is converted to the choice's type; no choice is null."""
    if value is None or choice is None or isinstance(value, bool) is not isinstance(choice, bool):
        return False
    if isinstance(choice, int) and not isinstance(choice, bool) and isinstance(value, float):
        return int(value) == choice
    return bool(value == choice)


def _judge_string(raw: Tree, value: str, place: Place) -> Verdict | None:
    longest, shortest, pattern = raw.get("maxLength"), raw.get("minLength"), raw.get("pattern")
    if longest is not None and len(value) > longest:
        return place.too_long(longest)
    if shortest is not None and len(value) < shortest:
        return place.fails(f"should be at least {shortest} chars long", value)
    if pattern:
        try:
            found = matches(pattern, value)
        except PatternError as error:
            return place.fails(f"should match '{pattern}, but pattern is invalid: {error}'", value)
        if not found:
            return place.fails(f"should match '{pattern}'", value)
    return None


def _judge_number(raw: Tree, value: float, place: Place) -> Verdict:
    verdict = Verdict()
    verdict.merge(_judge_multiple(raw.get("multipleOf"), value, place))
    for key, exclusive_key, inclusive, exclusive, sign in (
        ("minimum", "exclusiveMinimum", "greater than or equal to", "greater than", -1),
        ("maximum", "exclusiveMaximum", "less than or equal to", "less than", 1),
    ):
        bound = raw.get(key)
        if bound is None:
            continue
        # An integer is held to the whole part of a bound, as upstream does.
        bound = int(bound) if isinstance(value, int) else float(bound)
        is_exclusive = bool(raw.get(exclusive_key))
        if (value - bound) * sign > 0 or (is_exclusive and value == bound):
            verdict.merge(place.fails(f"should be {exclusive if is_exclusive else inclusive} {go_plain(bound)}", value))
    verdict.matched += 1
    return verdict


def _judge_multiple(factor: float | None, value: float, place: Place) -> Verdict | None:
    if factor is None:
        return None
    factor = int(factor) if isinstance(value, int) else float(factor)
    if factor < 0:
        return place.fails_alone(f"factor MultipleOf declared for {place.path} must be positive: {go_plain(factor)}", factor)
    if factor == 0:
        return None
    good = value % factor == 0 if isinstance(value, int) else _is_whole(1 / factor * value if factor < 1 else value / factor)
    return None if good else place.fails(f"should be a multiple of {go_plain(factor)}", value)


def _is_whole(value: float) -> bool:
    """swag.IsFloat64AJSONInteger: near enough, and no more than JavaScript can count."""
    if abs(value) > 2**53 - 1 or value != value:
        return False
    rounded, difference = float(int(value)), abs(value - float(int(value)))
    if value == rounded:
        return True
    total = abs(value) + abs(rounded)
    return difference / total < 1e-9 if value and rounded else difference < 1e-9 * 2.2250738585072014e-308


def _judge_list(raw: Tree, value: list[Value], place: Place, pair: Pair | None) -> Verdict:
    verdict, items = Verdict(), raw.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            verdict.merge(judge(items, item, place.item(index), pair.item(index) if pair else None))
    fewest, most = raw.get("minItems"), raw.get("maxItems")
    if fewest is not None and len(value) < fewest:
        verdict.merge(place.fails(f"should have at least {fewest} items", len(value)))
    if most is not None and len(value) > most:
        verdict.merge(place.too_many("items", len(value), most))
    if raw.get("uniqueItems") and any(item in value[:index] for index, item in enumerate(value)):
        verdict.merge(place.fails("shouldn't contain duplicates", None))
    verdict.matched += 1
    return verdict


def _judge_object(raw: Tree, value: dict[str, Value], place: Place, pair: Pair | None) -> Verdict:
    fewest, most = raw.get("minProperties"), raw.get("maxProperties")
    verdict, properties = Verdict(), raw.get("properties") or {}
    if fewest is not None and len(value) < fewest:
        verdict.merge(place.fails(f"should have at least {fewest} properties", len(value)))
    if most is not None and len(value) > most:
        verdict.merge(place.too_many("properties", len(value), most))
    additional = raw.get("additionalProperties")
    for key in value:
        if key in properties:
            continue
        if additional is False:
            verdict.merge(place.fails_alone(f"{place.path}.{key} in body is a forbidden property", key))
        elif isinstance(additional, dict):
            verdict.merge(judge(additional, value[key], place.value(key), pair.key(key) if pair else None))
    for key in sorted(properties.keys() & value.keys()):
        verdict.merge(judge(properties[key], value[key], place.child(key), pair.key(key) if pair else None))
    for key in raw.get("required") or ():
        if key not in value:
            verdict.merge(place.lacks(key))
    return verdict


def _judge_combinations(raw: Tree, value: Value, place: Place, pair: Pair | None) -> Verdict:
    verdict = Verdict()
    verdict.matched = 1
    if raw.get("anyOf"):
        _judge_any([_judge_part(part, value, place, pair) for part in raw["anyOf"]], place, verdict)
    if raw.get("oneOf"):
        _judge_one([_judge_part(part, value, place, pair) for part in raw["oneOf"]], place, verdict)
    if raw.get("allOf"):
        _judge_all([_judge_part(part, value, place, pair) for part in raw["allOf"]], place, verdict)
    if isinstance(raw.get("not"), dict) and _judge_part(raw["not"], value, place, pair).is_good:
        verdict.merge(place.breaks("must not validate the schema (not)"))
    return verdict


def _judge_part(raw: Tree, value: Value, place: Place, pair: Pair | None) -> Verdict:
    """Of a combination. That the value is the old one is for the combination to weigh."""
    return judge(raw, value, place, pair, forgives=False)


def _farthest(verdicts: list[Verdict]) -> Verdict:
    return max(verdicts, key=lambda verdict: verdict.matched)


def _judge_any(verdicts: list[Verdict], place: Place, verdict: Verdict) -> None:
    good = next((found for found in verdicts if found.is_good), None)
    if good is None:
        verdict.merge(place.breaks("must validate at least one schema (anyOf)"))
    verdict.merge(good or _farthest(verdicts))


def _judge_one(verdicts: list[Verdict], place: Place, verdict: Verdict) -> None:
    good = [found for found in verdicts if found.is_good]
    if len(good) == 1:
        verdict.merge(good[0])
        return
    count = f"Found {len(good)} valid alternatives" if good else "Found none valid"
    verdict.merge(place.breaks(f"must validate one and only one schema (oneOf). {count}"))
    if not good:
        verdict.merge(_farthest(verdicts))


def _judge_all(verdicts: list[Verdict], place: Place, verdict: Verdict) -> None:
    for found in verdicts:
        verdict.merge(found)
    bad = sum(not found.is_good for found in verdicts)
    if bad:
        none = ". None validated" if bad == len(verdicts) else ""
        verdict.merge(place.breaks(f"must validate all the schemas (allOf){none}"))

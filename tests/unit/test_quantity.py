"""Quantities: canonical forms, rounding and refusals of k8s.io/apimachinery/pkg/api/resource."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.api import quantity

CANONICAL = [
    ("0", "0"),
    ("0Gi", "0"),
    ("-0", "0"),
    ("1", "1"),
    ("+1", "1"),
    ("01", "1"),
    ("0.1", "100m"),
    (".1", "100m"),
    ("1.", "1"),
    ("0.5", "500m"),
    ("1000m", "1"),
    ("1500m", "1500m"),
    ("100m", "100m"),
    ("1000", "1k"),
    ("1024", "1024"),
    ("1500", "1500"),
    ("1000000", "1M"),
    ("1k", "1k"),
    ("1000k", "1M"),
    ("0.5k", "500"),
    ("1.5Gi", "1536Mi"),
    ("1024Mi", "1Gi"),
    ("1024Ki", "1Mi"),
    ("1Ki", "1Ki"),
    ("0.5Ki", "512"),
    ("0.5Mi", "512Ki"),
    ("1000Ki", "1000Ki"),
    ("128974848", "128974848"),
    ("129e6", "129e6"),
    ("129M", "129M"),
    ("123Mi", "123Mi"),
    ("1e3", "1e3"),
    ("1E3", "1e3"),
    ("1e1", "10"),
    ("10e2", "1e3"),
    ("1e-3", "1e-3"),
    ("1E", "1E"),
    ("1Ei", "1Ei"),
    ("8Ei", "9223372036854775807"),
    ("1n", "1n"),
    ("0.1n", "1n"),
    ("1.1n", "2n"),
    ("-1.1n", "-2n"),
    ("-1Gi", "-1Gi"),
    ("0.0001Ki", "102400u"),
]


@pytest.mark.parametrize(("given_text", "expected"), CANONICAL)
def test_a_quantity_has_one_canonical_form(given_text: str, expected: str) -> None:
    assert quantity.canonical(given_text) == expected
    assert quantity.canonical(expected) == expected or given_text == "8Ei"


@pytest.mark.parametrize(("number", "expected"), [(1, "1"), (1000, "1k"), (0.5, "500m"), (0.1, "100m"), (2.0, "2")])
def test_json_numbers_are_quantities(number: float, expected: str) -> None:
    assert quantity.canonical(number) == expected


REFUSED = [
    ("", quantity.FORMAT_MESSAGE),
    ("a", quantity.FORMAT_MESSAGE),
    ("1 Gi", quantity.FORMAT_MESSAGE),
    ("1..2", quantity.FORMAT_MESSAGE),
    ("1,5", quantity.FORMAT_MESSAGE),
    ("１", quantity.FORMAT_MESSAGE),
    ("1Gib", quantity.FORMAT_MESSAGE),
    ("1ki", quantity.SUFFIX_MESSAGE),
    ("1K", quantity.SUFFIX_MESSAGE),
    ("1e", quantity.SUFFIX_MESSAGE),
    ("1mi", quantity.SUFFIX_MESSAGE),
    ("1e999999999999", quantity.SUFFIX_MESSAGE),
    ("1e100000", quantity.SUFFIX_MESSAGE),
    (".", quantity.NUMERIC_MESSAGE),
    ("9" * 100_000, quantity.FORMAT_MESSAGE),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=lambda x: x[:20])
def test_what_is_no_quantity_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(quantity.QuantityError) as refused:
        quantity.parse(text)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("text", "whole", "milli"),
    [
        ("1", 1, 1000),
        ("100m", 1, 100),
        ("0.0001", 1, 1),
        ("1Ki", 1024, 1024000),
        ("-1500m", -2, -1500),
        ("0", 0, 0),
        ("1.5", 2, 1500),
    ],
)
def test_values_are_rounded_up(text: str, whole: int, milli: int) -> None:
    assert (quantity.value(text), quantity.milli_value(text)) == (whole, milli)


def test_sums_and_differences_keep_the_first_ones_way_of_writing() -> None:
    parse = quantity.parse
    assert str(parse("1Gi") + parse("512Mi")) == "1536Mi"
    assert str(parse("0") + parse("1Gi")) == "1Gi"
    assert str(parse("1") - parse("250m")) == "750m"
    assert parse("1024Mi") == parse("1Gi") and parse("1Gi") > parse("1G") and hash(parse("1024Mi")) == hash(parse("1Gi"))
    assert sorted([parse("1"), parse("10m"), parse("1Ki")]) == [parse("10m"), parse("1"), parse("1Ki")]


SUFFIXES = {
    "n": Fraction(1, 10**9),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(1000),
    "Ki": Fraction(1024),
    "Gi": Fraction(2**30),
}


@given(st.integers(0, 10**12), st.integers(0, 3), st.sampled_from(sorted(SUFFIXES)))
def test_the_canonical_form_is_the_same_amount(digits: int, places: int, suffix: str) -> None:
    text = f"{digits // 10**places}.{digits % 10**places:0{max(places, 1)}d}{suffix}"
    exact = Fraction(text.removesuffix(suffix) if suffix else text) * SUFFIXES[suffix] * 10**9
    expected = min(-(-exact.numerator // exact.denominator), (2**63 - 1) * 10**9)
    assert quantity.parse(text).nanos == expected
    assert quantity.parse(quantity.canonical(text)).nanos == expected

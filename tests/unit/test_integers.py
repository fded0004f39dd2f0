"""Integers in queries, by table."""

from __future__ import annotations

import pytest

from sampan.api.errors import StatusError
from sampan.api.integers import parse_int64, parse_uint64
from sampan.apiserver.registry.options import list_options, revision_of
from sampan.apiserver.subresources.log import log_options


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("-7", -7), ("+7", 7), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
def test_a_decimal_is_a_number(text: str, number: int) -> None:
    assert parse_int64(text) == number


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1_000", "٣", "²", "0x10", "1e3", "1.0", "--1"])
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    for parse, name in ((parse_int64, "ParseInt"), (parse_uint64, "ParseUint")):
        with pytest.raises(ValueError, match=f"strconv.{name}: .*invalid syntax"):
            parse(text)


@pytest.mark.parametrize("text", [str(2**64), "9" * 5000])
def test_what_has_no_room_in_64_bits_is_out_of_range(text: str) -> None:
    for parse in (parse_int64, parse_uint64):
        with pytest.raises(ValueError, match="value out of range"):
            parse(text)


@pytest.mark.parametrize("text", ["1_000", "٣", "9" * 5000])
def test_a_query_with_such_a_number_is_a_bad_request(text: str) -> None:
    for read in (
        lambda: list_options({"limit": text}),
        lambda: list_options({"timeoutSeconds": text}),
        lambda: log_options({"tailLines": text}, "web"),
        lambda: revision_of(text),
    ):
        with pytest.raises(StatusError) as caught:
            read()
        assert caught.value.code == 400

"""The name rules of k8s.io/apimachinery/pkg/util/validation, good and bad, with upstream's words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sampan.api import names

GOOD = [
    (names.dns_label, ["a", "0", "a-b", "a" * 63, "123-abc"]),
    (names.dns_subdomain, ["a", "a.b.c", "a-b.0", "a" * 253]),
    (names.dns_label_1035, ["a", "a-1", "a" * 63]),
    (names.wildcard_dns_subdomain, ["*.example.com", "*.a"]),
    (
        names.qualified_name,
        ["simple", "now-with-dashes", "1-starts", "example.com/MyName", "A_b.c", "a" * 63, "a" * 253 + "/a"],
    ),
    (names.label_value, ["", "a", "MyValue", "my_value", "12345", "a" * 63]),
    (names.c_identifier, ["a", "_", "A1_b"]),
    (names.environment_name, ["A", "1", "a b", "my.env-name", "~"]),
    (names.strict_environment_name, ["A", "my.env-name"]),
    (names.config_map_key, ["a", "key.name", "...a"[3:], ".a", "A_B-c"]),
    (names.port_name, ["http", "a-1", "1a"]),
    (names.ip_address, ["10.0.0.1", "::", "2001:db8::ffff"]),
    (names.cidr, ["10.0.0.0/8", "10.0.0.1/8", "::/0"]),
    (names.percent, ["1%", "100%"]),
    (names.http_header_name, ["X-Header", "a"]),
    (names.path_segment, ["system:node", "Admin", "..."]),
]

BAD = [
    (names.dns_label, ["", "A", "-a", "a-", "a_b", "a" * 64, "a\n", "é"]),
    (names.dns_subdomain, ["", "A", ".a", "a.", "a..b", "a_b", "a" * 254, "a\n"]),
    (names.dns_label_1035, ["", "1a", "a.b", "a-", "a" * 64]),
    (names.wildcard_dns_subdomain, ["*", "*.*.a", "a.b", "*a.b"]),
    (names.qualified_name, ["", "/a", "a/", "a/b/c", "-a", "A.com/b", "a" * 64, "a b"]),
    (names.label_value, ["-a", "a-", "a b", "a" * 64, "a/b", "a\n"]),
    (names.c_identifier, ["", "1a", "a-b"]),
    (names.environment_name, ["", "a=b", "a\tb", "é"]),
    (names.strict_environment_name, ["", "1a", "a b", ".."]),
    (names.config_map_key, ["", ".", "..", "..a", "a/b", "a" * 254]),
    (names.port_name, ["", "1", "a--b", "-a", "a-", "A", "a" * 16]),
    (names.ip_address, ["", "10.0.0", "10.0.0.256", "010.0.0.1", "fe80::1%eth0", "a"]),
    (names.cidr, ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "a/8", "10.0.0.0/"]),
    (names.percent, ["", "1", "%", "1.5%", "-1%"]),
    (names.http_header_name, ["", "a b", "a_b"]),
    (names.path_segment, [".", "..", "a/b", "a%b"]),
]


@pytest.mark.parametrize(("check", "values"), GOOD, ids=lambda x: getattr(x, "__name__", ""))
def test_good_values_pass(check: Callable[[str], list[str]], values: list[str]) -> None:
    assert {value: check(value) for value in values} == {value: [] for value in values}


@pytest.mark.parametrize(("check", "values"), BAD, ids=lambda x: getattr(x, "__name__", ""))
def test_bad_values_do_not(check: Callable[[str], list[str]], values: list[str]) -> None:
    assert [value for value in values if not check(value)] == []


WORDS = [
    (names.dns_label("a.b"), ["must not contain dots"]),
    (
        names.dns_label("Bad"),
        [
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
            "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ],
    ),
    (
        names.dns_subdomain("Bad_Name"),
        [
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
            "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ],
    ),
    (
        names.label_value("a b"),
        [
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
            "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        ],
    ),
    (names.qualified_name("/a")[:1], ["prefix part must be non-empty"]),
    (names.qualified_name("a" * 64), ["name part must be no more than 63 characters"]),
    (names.port_number(0), ["must be between 1 and 65535, inclusive"]),
    (names.user_id(2**31), ["must be between 0 and 2147483647, inclusive"]),
    (names.config_map_key(".."), ["must not be '..'"]),
    (names.path_segment("a/b"), ["may not contain '/'"]),
]


@pytest.mark.parametrize(("said", "expected"), WORDS)
def test_the_words_are_upstreams(said: list[str], expected: list[str]) -> None:
    assert said == expected


def test_a_generate_name_may_end_in_a_dash() -> None:
    assert names.name_is_subdomain("web-", is_prefix=True) == []
    assert names.name_is_subdomain("web-") != []
    assert names.name_is_label_1035("web-", is_prefix=True) == []


def test_a_length_is_counted_in_bytes() -> None:
    assert names.max_length_message(63) in names.dns_label("é" * 32)

"""String formats of schemas: what each takes and what it does not."""

from __future__ import annotations

import pytest

from sampan.api.crd.formats import check_of

FORMATS: dict[str, tuple[list[str], list[str]]] = {
    "bsonobjectid": (["507f1f77bcf86cd799439011"], ["507f1f77bcf86cd79943901", "z07f1f77bcf86cd799439011"]),
    "uri": (["http://a.example/b?c=d", "/path", "urn:x:y", "*"], ["", "a/b", "http://a b/", "/%zz", "://x", "http://h:x/"]),
    "email": (["a@b.example", "Ann <ann@b.example>"], ["", "a", "a@", "@b", "a b@c.example"]),
    "hostname": (["a.example", "a", "1.a.example"], ["-a.example", "a_b.example", "a.c9", "a" * 64 + ".example"]),
    "ipv4": (["10.0.0.1", "010.0.00.1", "::ffff:1.2.3.4"], ["0010.0.0.256", "10.0.0", "::1", "10.0.0.256"]),
    "ipv6": (["::1", "fe80::1"], ["10.0.0.1", "::g", "fe80::1%eth0"]),
    "cidr": (["10.0.0.0/8", "10.00.0.01/8", "fd00::/64"], ["10.0.0.0", "10.0.0.0/33"]),
    "mac": (["01:23:45:67:89:ab", "01-23-45-67-89-ab", "0123.4567.89ab"], ["01:23:45:67:89", "01:23-45:67:89:ab", ""]),
    "uuid": (["123E4567-e89b-12d3-a456-426614174000"], ["123e4567"]),
    "uuid3": (["123e4567-e89b-32d3-a456-426614174000"], ["123e4567-e89b-42d3-a456-426614174000"]),
    "uuid4": (["123e4567-e89b-42d3-a456-426614174000"], ["123e4567-e89b-42d3-c456-426614174000"]),
    "uuid5": (["123e4567-e89b-52d3-a456-426614174000"], ["123e4567-e89b-42d3-a456-426614174000"]),
    "isbn10": (["0321751043", "0-321-75104-3"], ["0321751044", "978-0321751041"]),
    "isbn13": (["978-0321751041"], ["978-0321751042", "0321751043"]),
    "isbn": (["0321751043", "978-0321751041"], ["1"]),
    "creditcard": (["4111 1111 1111 1111"], ["4111111111111112", "1"]),
    "ssn": (["123-45-6789"], ["123456789", "123-45-678"]),
    "hexcolor": (["#fff", "FFFFFF"], ["#ffff", "red"]),
    "rgbcolor": (["rgb(255,0, 12)"], ["rgb(256,0,0)", "rgb(1,2)"]),
    "byte": (["aGk=", "YWJj"], ["a", "a-b="]),
    "password": (["", "x"], []),
    "date": (["2024-02-29"], ["2023-02-29", "2024-2-1", "2024-01-01T00:00:00Z"]),
    "duration": (
        ["1h30m", "22 ns", "3 weeks", "-1.5s", "0", "PT1H", "about 3 days"],
        ["", "1", "1 fortnight", "h", "9" * 5000 + " weeks"],
    ),
    "date-time": (["2024-01-01T00:00:00Z", "2024-01-01t23:59:59.123+01:00"], ["2024-01-01", "2024-01-01T24:00:00Z"]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_takes_its_own(name: str) -> None:
    check = check_of(name)
    assert check is not None
    good, bad = FORMATS[name]
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []


def test_other_formats_are_not_checked() -> None:
    assert check_of("int32") is None
    assert check_of("semver") is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_long_text_takes_no_longer_than_it_is(name: str) -> None:
    """One that took the square of its length would take hours."""
    check = check_of(name)
    for part in ("0", "9", "a", " ", ".", "a.", "-", ":", "1h", "0a", "é", "@", "<"):
        for end in ("", "!", ".x", ".0"):
            check(part * (400_000 // len(part)) + end)

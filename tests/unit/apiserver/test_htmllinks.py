"""Links in HTML that goes through a proxy. Rows after transport_test.go of k8s.io/apimachinery."""

from __future__ import annotations

import zlib

import pytest

from sampan.apiserver.htmllinks import LinkRewriter, Recoded
from sampan.apiserver.reverseproxy import relocated

_PREFIX = "/api/v1/namespaces/d/pods/p/proxy"


def _led(link: str) -> str:
    return relocated(link, "client:8001", frozenset(("10.0.0.1:80", "10.0.0.1")), _PREFIX)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<pre><a href="kubelet.log">k</a>', '<pre><a href="kubelet.log">k</a>'),
        ('<a href="/google.log">g</a>', f'<a href="{_PREFIX}/google.log">g</a>'),
        ("<A HREF='/x/'>", f'<a href="{_PREFIX}/x/">'),
        ("<img src=/i.png alt=x>", f'<img src="{_PREFIX}/i.png" alt="x">'),
        ("<img src=/i.png />", f'<img src="{_PREFIX}/i.png"/>'),
        ('<a href="http://other/x">', '<a href="http://other/x">'),
        ('<a href="http://10.0.0.1:80/x?a=1&b=2#f">', f'<a href="{_PREFIX}/x?a=1&amp;b=2#f">'),
        ('<a href="http://client:8001/x">', f'<a href="http://client:8001{_PREFIX}/x">'),
        (f'<a href="{_PREFIX}/x">', f'<a href="{_PREFIX}/x">'),
        ('<a href="//elsewhere/x">', '<a href="//elsewhere/x">'),
        ('<a href="/x?a=1&copy=2&amp;c=3">', f'<a href="{_PREFIX}/x?a=1&amp;copy=2&amp;c=3">'),
        ('<a href="/a/../b">', f'<a href="{_PREFIX}/b">'),
        ('<a href="http://[/x">', '<a href="http://[/x">'),
        ('<a title="&uuml; <b>" href=x>', '<a title="ü &lt;b&gt;" href="x">'),
        ('<p data="/x" disabled>', '<p data="/x" disabled="">'),
        ("<a =x href=/y href=/z>", f'<a =x="" href="{_PREFIX}/y">'),
        ("</a href=/x>", "</a href=/x>"),
        ("<!-- <a href=/x> -->", "<!-- <a href=/x> -->"),
        ("<!doctype html><?a <b?>", "<!doctype html><?a <b?>"),
        ("a < b <3 & c", "a < b <3 & c"),
        ("<script>x = '<a href=/x>'</script><a href=/y>", f"<script>x = '<a href=/x>'</script><a href=\"{_PREFIX}/y\">"),
        ("<textarea></text></TEXTAREA >\u00e9", "<textarea></text></TEXTAREA >\u00e9"),
        ("<title><a href=/x></titles></title>", "<title><a href=/x></titles></title>"),
        ("<a href=/x", "<a href=/x"),
        ("<form action=/go><body background=/b><video poster=/p src=/v>",
         f'<form action="{_PREFIX}/go"><body background="{_PREFIX}/b"><video poster="{_PREFIX}/p" src="{_PREFIX}/v">'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_links_to_the_server_itself_are_led_through_the_proxy(before: str, after: str, size: int) -> None:
    links = LinkRewriter(_led)
    data = before.encode()
    found = b"".join(links.feed(data[at : at + size]) for at in range(0, len(data), size)) + links.finish()
    assert found.decode() == after


def test_a_tag_without_an_end_is_passed_on_before_it_fills_the_memory() -> None:
    links = LinkRewriter(_led)
    passed = sum(len(links.feed(b"<a " + b"x" * 100_000)) for _ in range(20))
    assert passed > 1_000_000


def test_a_tag_of_countless_attributes_is_passed_on_as_it_is() -> None:
    links = LinkRewriter(_led)
    page = b"<a " + b"x " * 5000 + b"><a href=/x>"
    assert links.feed(page) + links.finish() == page


def test_bytes_that_come_one_by_one_cost_no_more_than_their_number() -> None:
    links = LinkRewriter(_led)
    page = b"<img src='" + b"x" * 300_000 + b"'><a href=/x>"
    found = b"".join(links.feed(page[at : at + 1]) for at in range(len(page))) + links.finish()
    assert found == b'<img src="' + b"x" * 300_000 + f'"><a href="{_PREFIX}/x">'.encode()


@pytest.mark.parametrize(("coding", "bits"), [("gzip", 31), ("deflate", -15)])
def test_compressed_pages_are_rewritten_too(coding: str, bits: int) -> None:
    pack = zlib.compressobj(wbits=bits)
    data = pack.compress(b"<a href=/x>" * 20_000) + pack.flush()
    links = Recoded(_led, coding)
    found = b"".join(links.feed(data)) + links.finish()
    assert zlib.decompress(found, bits) == f'<a href="{_PREFIX}/x">'.encode() * 20_000
    with pytest.raises(ValueError, match=r"header|block|distance|stored"):
        Recoded(_led, coding).feed(b"\xff\xff not compressed")

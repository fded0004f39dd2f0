"""The libraries of Kubernetes: strings, lists, sets, patterns, URLs, quantities, addresses, formats, versions, permissions."""

from __future__ import annotations

import pytest

from sampan.api.cel import Environment
from sampan.api.cel.libraries.authorization import AUTHORIZER, RESOURCE_CHECK, Authorizer, Check, Decision, ResourceCheck
from tests.unit.cel.expressions import fails, refused, value

STRINGS: list[tuple[str, object]] = [
    ("'héllo'.charAt(1)", "é"),
    ("'abc'.charAt(3)", ""),
    ("'tacocat'.indexOf('ac') + 'tacocat'.indexOf('ac', 2) + 'tacocat'.indexOf('')", 0),
    ("'tacocat'.indexOf('none')", -1),
    ("'tacocat'.lastIndexOf('at')", 5),
    ("'tacocat'.lastIndexOf('a', 3)", 1),
    ("'ÀBC'.lowerAscii() + 'àbc'.upperAscii()", "ÀbcàBC"),
    ("'a b a'.replace('a', 'c')", "c b c"),
    ("'a b a'.replace('a', 'c', 1)", "c b a"),
    ("'ab'.replace('', '_')", "_a_b_"),
    ("'a,b,c'.split(',')", ["a", "b", "c"]),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("'a,b'.split(',', 0)", []),
    ("'abc'.split('')", ["a", "b", "c"]),
    ("'tacocat'.substring(4) + 'tacocat'.substring(0, 4)", "cattaco"),
    ("'\u00a0 trim\\t\\n'.trim()", "trim"),
    ("['a', 'b'].join() + ['a', 'b'].join('-')", "aba-b"),
    ("strings.quote('say \"hi\"\\n')", '"say \\"hi\\"\\n"'),
    ("'%s|%s|%s'.format(['a', 1.5, [1, 2]])", "a|1.5|[1, 2]"),
    ("'%s'.format([{'b': 1.5, 'a': 'x'}])", '{"a":"x", "b":1.500000}'),
    ("'%s %s'.format([duration('90s'), timestamp(0)])", "90s 1970-01-01T00:00:00Z"),
    ("'%d %x %X %o %b'.format([10, 255, 'hi', 8, 5])", "10 ff 6869 10 101"),
    ("'%.2f %e'.format([1234567.891, 1052.0])", "1,234,567.89 1.052000×10⁰³"),
    ("'%f %f'.format([double('Infinity'), double('NaN')])", "∞ NaN"),
    ("'100%%'.format([])", "100%"),
]
LISTS: list[tuple[str, object]] = [
    ("[3, 1, 2].max() + [3, 1, 2].min() + [3, 1, 2].sum()", 10),
    ("[1.5, 2.5].sum()", 4.0),
    ("[duration('1m'), duration('1s')].sum() == duration('61s')", True),
    ("['b', 'a'].min()", "a"),
    ("[1, 1, 2].isSorted() && !['b', 'a'].isSorted()", True),
    ("[1, 2, 1].indexOf(1) + [1, 2, 1].lastIndexOf(1) + [1].indexOf(5)", 1),
    ("sets.contains([1, 2, 3], [3, 1]) && !sets.contains([1], [2])", True),
    ("sets.equivalent([1, 2], [2, 1, 1])", True),
    ("sets.intersects([1, 2], [2, 3]) && !sets.intersects([], [1])", True),
]
PATTERNS: list[tuple[str, object]] = [
    ("'abc 123 def 456'.find('[0-9]+')", "123"),
    ("'abc'.find('[0-9]+')", ""),
    ("'abc 123 def 456'.findAll('[0-9]+')", ["123", "456"]),
    ("'abc 123 def 456'.findAll('[0-9]+', 1)", ["123"]),
    ("'baa'.findAll('a*')", ["", "aa"]),
]
URLS: list[tuple[str, object]] = [
    ("url('https://user@example.com:8443/a b?k=1&k=2&x#f').getHost()", "example.com:8443"),
    ("url('https://example.com:8443/').getHostname() + url('https://[::1]:80/').getHostname()", "example.com::1"),
    ("url('https://example.com:8443/').getPort() + url('https://example.com/').getPort()", "8443"),
    ("url('HTTPS://a/').getScheme() + url('/path').getScheme()", "https"),
    ("url('https://a/with space/é').getEscapedPath()", "/with%20space/%C3%A9"),
    ("url('https://a/?k=1&k=2&x').getQuery()", {"k": ["1", "2"], "x": [""]}),
    ("url('https://a/b') == url('https://a/b')", True),
    (
        "[isURL('https://a/'), isURL('/path'), isURL('../path'), isURL('a:b:c'), isURL('https://a:b/')]",
        [True, True, False, True, False],
    ),
]
QUANTITIES: list[tuple[str, object]] = [
    ("quantity('1Gi') == quantity('1024Mi')", True),
    ("quantity('1500m').compareTo(quantity('1.5'))", 0),
    ("quantity('1k').isGreaterThan(quantity('999')) && quantity('1').isLessThan(quantity('2'))", True),
    ("quantity('2k').add(quantity('500')).sub(100).asInteger()", 2400),
    ("quantity('1.5').asApproximateFloat()", 1.5),
    ("[quantity('1k').isInteger(), quantity('1500m').isInteger(), quantity('1000m').isInteger()]", [True, False, False]),
    ("sign(quantity('-1')) + sign(quantity('0'))", -1),
    ("[isQuantity('1.3Gi'), isQuantity('1,3Gi'), isQuantity('')]", [True, False, False]),
]
ADDRESSES: list[tuple[str, object]] = [
    ("ip('10.0.0.1').family() + ip('2001:db8::1').family()", 10),
    ("[isIP('10.0.0.1'), isIP('10.0.0.01'), isIP('::ffff:1.2.3.4'), isIP('fe80::1%eth0')]", [True, False, False, False]),
    ("ip('::1').isLoopback() && ip('0.0.0.0').isUnspecified() && ip('169.254.1.1').isLinkLocalUnicast()", True),
    ("ip('224.0.0.9').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()", True),
    ("[ip('10.0.0.1').isGlobalUnicast(), ip('255.255.255.255').isGlobalUnicast()]", [True, False]),
    ("ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1')", True),
    ("string(ip('2001:DB8:0::1')) + string(cidr('10.0.0.1/8').masked())", "2001:db8::110.0.0.0/8"),
    ("cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))", True),
    ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))", True),
    ("cidr('10.0.0.1/8').ip() == ip('10.0.0.1') && cidr('::/64').prefixLength() == 64", True),
    ("[isCIDR('10.0.0.0/8'), isCIDR('10.0.0.0/33'), isCIDR('10.0.0.0')]", [True, False, False]),
    ("type(ip('::')) == net.IP && type(cidr('::/0')) == net.CIDR", True),
]
FORMATS: list[tuple[str, object]] = [
    ("format.dns1123Label().validate('my-label')", ()),
    ("format.dns1123Subdomain().validate('a.b').hasValue()", False),
    ("format.named('uuid').value().validate('x').value()", ["does not match the UUID format"]),
    ("format.date().validate('2020-02-30').value()", ["invalid date"]),
    ("format.uri().validate('nowhere').value()", ['parse "nowhere": invalid URI for request']),
    ("format.dns1123LabelPrefix().validate('prefix-').hasValue()", False),
    ("format.named('nonesuch').hasValue()", False),
]
SEMVERS: list[tuple[str, object]] = [
    ("semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0').isGreaterThan(semver('1.0.0-rc.1'))", True),
    ("semver('1.0.0-alpha.2').compareTo(semver('1.0.0-alpha.10'))", -1),
    ("semver('1.2.3+a') == semver('1.2.3+b')", True),
    ("semver('1.2.3').major() * 100 + semver('1.2.3').minor() * 10 + semver('1.2.3').patch()", 123),
    ("[isSemver('1.2.3-a.1+b'), isSemver('v1.2.3'), isSemver('1.2'), isSemver('01.2.3')]", [True, False, False, False]),
    ("isSemver('v01.2', true) && semver('v1', true) == semver('1.0.0')", True),
]
ROWS = [*STRINGS, *LISTS, *PATTERNS, *URLS, *QUANTITIES, *ADDRESSES, *FORMATS, *SEMVERS]


@pytest.mark.parametrize(("text", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_function_of_a_library_gives(text: str, expected: object) -> None:
    assert value(text) == expected


_NO_DECIMAL = "error during formatting: decimal clause can only be used on integers, was given string"
_TOO_SHORT = 'IP Address "10.0.0" parse error during conversion from string: ParseAddr("10.0.0"): IPv4 address too short'
FAILURES = [
    ("'abc'.charAt(4)", "index out of range: 4"),
    ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
    ("'abc'.substring(0, 9)", "index out of range: 9"),
    ("'%d'.format(d.deep.list[1] == 'two' ? ['x'] : [])", _NO_DECIMAL),
    ("[1].filter(v, v > 1).max()", "max called on empty list"),
    ("s.find(s + '(')", "Illegal regex: error parsing regexp: missing closing ): `seven(`"),
    ("url(s)", 'URL parse error during conversion from string: parse "seven": invalid URI for request'),
    ("quantity('1x')", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ("quantity('1.5').asInteger()", "cannot convert value to integer"),
    ("ip('10.0.0')", _TOO_SHORT),
    ("ip('fe80::1%eth0')", 'IP address "fe80::1%eth0" with zone value is not allowed'),
    ("ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
    ("semver('1.2')", "No Major.Minor.Patch elements found"),
    ("semver('1.x.3')", 'Invalid character(s) found in minor number "x"'),
]


@pytest.mark.parametrize(("text", "expected"), FAILURES, ids=[row[0] for row in FAILURES])
def test_a_function_of_a_library_fails_in_upstreams_words(text: str, expected: str) -> None:
    assert fails(text) == expected


WRONG_FORMATS = [
    ("'%d'.format(['x'])", "1:14: error during formatting: decimal clause can only be used on integers, was given string"),
    ("'%s %s'.format(['x'])", "1:15: index 1 out of range"),
    ("'%s'.format(['x', 'y'])", "1:12: too many arguments supplied to string.format (expected 1, got 2)"),
    ("'%a'.format([1])", '1:12: could not parse formatting clause: unrecognized formatting clause "a"'),
    ("'%'.format([1])", "1:11: unexpected end of string"),
    ("'%s'.format([[1, ip('::')]])", "1:20: error during formatting: string clause can only be used on strings"),
]


@pytest.mark.parametrize(("text", "expected"), WRONG_FORMATS)
def test_a_format_that_stands_in_the_expression_is_checked_before_it_runs(text: str, expected: str) -> None:
    assert refused(text).startswith(f"ERROR: <input>:{expected}")


def _asked(text: str) -> tuple[object, list[Check]]:
    checks: list[Check] = []

    def authorize(check: Check) -> Decision:
        checks.append(check)
        return Decision(check.verb == "get", reason="readers", error="" if check.verb != "fail" else "no rules")

    authorizer = Authorizer(authorize)
    environment = Environment({"authorizer": AUTHORIZER, "authorizer.requestResource": RESOURCE_CHECK})
    about = ResourceCheck(authorizer, "apps", "deployments", namespace="here", name="web")
    result = environment.compile(text).evaluate({"authorizer": authorizer, "authorizer.requestResource": about})
    return result, checks


def test_the_authorizer_is_asked_what_the_expression_says() -> None:
    text = (
        "authorizer.group('apps').resource('deployments').subresource('scale').namespace('x').name('y').check('get').allowed()"
    )
    assert _asked(text) == (
        True,
        [Check("get", group="apps", resource="deployments", subresource="scale", namespace="x", name="y")],
    )
    assert _asked("authorizer.path('/healthz').check('post').allowed()") == (False, [Check("post", path="/healthz")])
    allowed, (check,) = _asked("authorizer.serviceAccount('ns', 'robot').group('').resource('pods').check('get').reason()")
    assert allowed == "readers"
    assert check.service_account == ("ns", "robot")


def test_the_authorizer_knows_what_the_request_is_about() -> None:
    result, (check,) = _asked("authorizer.requestResource.labelSelector('a=b').check('fail').error()")
    assert result == "no rules"
    assert (check.namespace, check.name, check.label_selector) == ("here", "web", "a=b")


def test_an_authorizer_is_asked_nothing_of_no_account() -> None:
    from sampan.api.cel import CelRuntimeError

    with pytest.raises(CelRuntimeError, match="Invalid service account name"):
        _asked("authorizer.serviceAccount('ns', 'A').path('/').check('get').allowed()")
    with pytest.raises(CelRuntimeError, match="resource must not be empty"):
        _asked("authorizer.group('').resource(' ').check('get').allowed()")

"""Syntax of names: each check returns upstream's messages, none when the value is good.

After k8s.io/apimachinery/pkg/util/validation. The messages stand in `FieldError`s behind "Invalid value: …: ".
Lengths are bytes of UTF-8, as upstream counts them, whatever its messages call them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from sampan.lib.remember import remember

LABEL_FORMAT: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_FORMAT: Final = LABEL_FORMAT + r"(\." + LABEL_FORMAT + ")*"
SEARCH_LABEL_FORMAT: Final = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
LABEL_1035_FORMAT: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
WILDCARD_FORMAT: Final = r"\*\." + SUBDOMAIN_FORMAT
QUALIFIED_FORMAT: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE_FORMAT: Final = "(" + QUALIFIED_FORMAT + ")?"
IDENTIFIER_FORMAT: Final = "[A-Za-z_][A-Za-z0-9_]*"
PERCENT_FORMAT: Final = "[0-9]+%"
HEADER_FORMAT: Final = "[-A-Za-z0-9]+"
CONFIG_KEY_FORMAT: Final = "[-._a-zA-Z0-9]+"
ENVIRONMENT_FORMAT: Final = "[-._a-zA-Z][-._a-zA-Z0-9]*"

LABEL_LENGTH: Final = 63
SUBDOMAIN_LENGTH: Final = 253

_label = re.compile(LABEL_FORMAT).fullmatch
_subdomain = re.compile(SUBDOMAIN_FORMAT).fullmatch
_search_domain = re.compile(SEARCH_LABEL_FORMAT + r"(\." + SEARCH_LABEL_FORMAT + ")*").fullmatch
_label_1035 = re.compile(LABEL_1035_FORMAT).fullmatch
_wildcard = re.compile(WILDCARD_FORMAT).fullmatch
_qualified = re.compile(QUALIFIED_FORMAT).fullmatch
_label_value = re.compile(LABEL_VALUE_FORMAT).fullmatch
_identifier = re.compile(IDENTIFIER_FORMAT).fullmatch
_percent = re.compile(PERCENT_FORMAT).fullmatch
_header = re.compile(HEADER_FORMAT).fullmatch
_config_key = re.compile(CONFIG_KEY_FORMAT).fullmatch
_environment = re.compile(ENVIRONMENT_FORMAT).fullmatch
_port_characters = re.compile("[-a-z0-9]+").fullmatch
_letter = re.compile("[a-z]").search

EMPTY: Final = "must be non-empty"
BAD_PERCENT: Final = "a valid percent string must be a numeric string followed by an ending '%'"
BAD_IP: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
BAD_CIDR: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_QUALIFIED_RULE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)


def max_length_message(limit: int) -> str:
    return f"must be no more than {limit} characters"


def range_message(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def pattern_message(rule: str, pattern: str, *examples: str) -> str:
    """How upstream words a pattern that did not match, with examples that would."""
    if not examples:
        return f"{rule} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


def _too_long(value: str, limit: int) -> list[str]:
    # Most names are far shorter than a quarter of the limit, and cannot then be too long in any encoding.
    if len(value) * 4 <= limit or len(value.encode("utf-8", "surrogatepass")) <= limit:
        return []
    return [max_length_message(limit)]


@remember(4096)
def _dns_label(value: str) -> tuple[str, ...]:
    errors = _too_long(value, LABEL_LENGTH)
    if not _label(value):
        if _subdomain(value):
            errors.append("must not contain dots")
        else:
            rule = (
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                "and must start and end with an alphanumeric character"
            )
            errors.append(pattern_message(rule, LABEL_FORMAT, "my-name", "123-abc"))
    return tuple(errors)


def dns_label(value: str) -> list[str]:
    """IsDNS1123Label."""
    return list(_dns_label(value))


@remember(4096)
def _dns_subdomain(value: str) -> tuple[str, ...]:
    errors = _too_long(value, SUBDOMAIN_LENGTH)
    if not _subdomain(value):
        rule = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        errors.append(pattern_message(rule, SUBDOMAIN_FORMAT, "example.com"))
    return tuple(errors)


def dns_subdomain(value: str) -> list[str]:
    """IsDNS1123Subdomain."""
    return list(_dns_subdomain(value))


def dns_subdomain_with_underscores(value: str) -> list[str]:
    """IsDNS1123SubdomainWithUnderscore: a search domain of a resolver."""
    errors = _too_long(value, SUBDOMAIN_LENGTH)
    if not _search_domain(value):
        rule = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        errors.append(pattern_message(rule, SUBDOMAIN_FORMAT, "example.com"))
    return errors


def dns_label_1035(value: str) -> list[str]:
    """IsDNS1035Label: a label that starts with a letter, as a Service's name must."""
    errors = _too_long(value, LABEL_LENGTH)
    if not _label_1035(value):
        rule = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character"
        )
        errors.append(pattern_message(rule, LABEL_1035_FORMAT, "my-name", "abc-123"))
    return errors


def wildcard_dns_subdomain(value: str) -> list[str]:
    """IsWildcardDNS1123Subdomain: "*.example.com"."""
    errors = _too_long(value, SUBDOMAIN_LENGTH)
    if not _wildcard(value):
        rule = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist "
            "of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        errors.append(pattern_message(rule, WILDCARD_FORMAT, "*.example.com"))
    return errors


@remember(8192)
def _qualified_name(value: str) -> tuple[str, ...]:
    parts = value.split("/")
    mismatch = pattern_message(_QUALIFIED_RULE, QUALIFIED_FORMAT, "MyName", "my.name", "123-abc")
    if len(parts) > 2:
        return (f"a qualified name {mismatch} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    errors: list[str] = []
    if len(parts) == 2:
        problems = dns_subdomain(parts[0]) if parts[0] else [EMPTY]
        errors += [f"prefix part {problem}" for problem in problems]
    name = parts[-1]
    if not name:
        errors.append(f"name part {EMPTY}")
    errors += [f"name part {problem}" for problem in _too_long(name, LABEL_LENGTH)]
    if not _qualified(name):
        errors.append(f"name part {mismatch}")
    return tuple(errors)


def qualified_name(value: str) -> list[str]:
    """IsQualifiedName: a label key, an annotation key (lowered), a finalizer, a resource name."""
    return list(_qualified_name(value))


@remember(8192)
def _checked_label_value(value: str) -> tuple[str, ...]:
    errors = _too_long(value, LABEL_LENGTH)
    if not _label_value(value):
        rule = "a valid label must be an empty string or consist" + _QUALIFIED_RULE.removeprefix("must consist")
        errors.append(pattern_message(rule, LABEL_VALUE_FORMAT, "MyValue", "my_value", "12345"))
    return tuple(errors)


def label_value(value: str) -> list[str]:
    """IsValidLabelValue."""
    return list(_checked_label_value(value))


def c_identifier(value: str) -> list[str]:
    """IsCIdentifier."""
    if _identifier(value):
        return []
    rule = (
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
        "characters or '_'"
    )
    return [pattern_message(rule, IDENTIFIER_FORMAT, "my_name", "MY_NAME", "MyName")]


def environment_name(value: str) -> list[str]:
    """IsRelaxedEnvVarName, upstream's default rule since 1.32: printable ASCII without "="."""
    errors = [] if value else [f"environment variable name {EMPTY}"]
    if any(not " " <= character <= "~" or character == "=" for character in value):
        errors.append("a valid environment variable name must consist only of printable ASCII characters other than '='")
    return errors


def strict_environment_name(value: str) -> list[str]:
    """IsEnvVarName, which still filters the keys that `envFrom` turns into variables in older releases."""
    errors: list[str] = []
    if not _environment(value):
        rule = (
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
            "and must not start with a digit"
        )
        errors.append(pattern_message(rule, ENVIRONMENT_FORMAT, "my.env-name", "MY_ENV.NAME", "MyEnvName1"))
    return errors + _parent_directory(value)


def config_map_key(value: str) -> list[str]:
    """IsConfigMapKey: a key of a ConfigMap or Secret, which becomes a file name."""
    errors = _too_long(value, SUBDOMAIN_LENGTH)
    if not _config_key(value):
        rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        errors.append(pattern_message(rule, CONFIG_KEY_FORMAT, "key.name", "KEY_NAME", "key-name"))
    return errors + _parent_directory(value)


def _parent_directory(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def in_range(value: int, low: int, high: int) -> list[str]:
    """IsInRange."""
    return [] if low <= value <= high else [range_message(low, high)]


def port_number(value: int) -> list[str]:
    """IsValidPortNum."""
    return in_range(value, 1, 65535)


def user_id(value: int) -> list[str]:
    """IsValidUserID and IsValidGroupID."""
    return in_range(value, 0, 2**31 - 1)


def port_name(value: str) -> list[str]:
    """IsValidPortName: an IANA service name."""
    errors = _too_long(value, 15)
    if not _port_characters(value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _letter(value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def ip_address(value: str) -> list[str]:
    """IsValidIP. Python's parser refuses leading zeros and zones; upstream refuses both in new objects, too."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return [BAD_IP]
    return [BAD_IP] if "%" in value else []


def cidr(value: str) -> list[str]:
    """IsValidCIDR; host bits may be set. The prefix must be a plain number, not a netmask."""
    _, slash, bits = value.partition("/")
    if not slash or not bits.isdecimal() or not bits.isascii():
        return [BAD_CIDR]
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return [BAD_CIDR]
    return [BAD_CIDR] if "%" in value else []


def percent(value: str) -> list[str]:
    """IsValidPercent."""
    return [] if _percent(value) else [pattern_message(BAD_PERCENT, PERCENT_FORMAT, "1%", "93%")]


def http_header_name(value: str) -> list[str]:
    """IsHTTPHeaderName."""
    if _header(value):
        return []
    rule = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [pattern_message(rule, HEADER_FORMAT, "X-Header-Name")]


def _mask_trailing_dash(prefix: str) -> str:
    """A generateName may end in a dash, as the random suffix follows; upstream's masking is copied with its length."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def name_is_subdomain(name: str, is_prefix: bool = False) -> list[str]:
    """NameIsDNSSubdomain: the rule of most kinds. `is_prefix`: the name is a generateName."""
    return dns_subdomain(_mask_trailing_dash(name) if is_prefix else name)


def name_is_label(name: str, is_prefix: bool = False) -> list[str]:
    """NameIsDNSLabel: Namespaces and what makes DNS labels."""
    return dns_label(_mask_trailing_dash(name) if is_prefix else name)


def name_is_label_1035(name: str, is_prefix: bool = False) -> list[str]:
    """NameIsDNS1035Label: Services."""
    return dns_label_1035(_mask_trailing_dash(name) if is_prefix else name)


def path_segment(name: str, is_prefix: bool = False) -> list[str]:
    """IsValidPathSegmentName and its prefix form: the RBAC kinds, whose names may hold colons and capitals."""
    if not is_prefix and name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]

"""Bodies that the schemas of built-in kinds refuse, in upstream's words: wrong types, broken JSON, broken YAML."""

from __future__ import annotations

import pytest

from sampan.api.errors import StatusError
from sampan.api.schema import schema_of

DEPLOYMENT = schema_of("io.k8s.api.apps.v1.Deployment")


def refusal(body: bytes, *, yaml: bool = False) -> str:
    with pytest.raises(StatusError) as refused:
        DEPLOYMENT.admit(body, yaml=yaml, kind="Deployment", version="v1")
    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")
    return refused.value.message


TYPE_ERRORS = [
    (
        b'{"spec":{"replicas":"3"}}',
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        b'{"spec":{"replicas":3000000000}}',
        "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        b'{"spec":{"replicas":1.5}}',
        "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        b'{"spec":{"template":{"spec":{"containers":[{"name":1}]}}}}',
        "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string",
    ),
    (
        b'{"spec":{"template":{"spec":{"containers":{}}}}}',
        "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
    ),
    (b'{"spec":[]}', "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
    (
        b'{"metadata":{"labels":{"a":1}}}',
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    (
        b'{"spec":{"paused":"yes"}}',
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool",
    ),
    (b'{"spec":{"strategy":{"rollingUpdate":{"maxSurge":true}}}}', "json: cannot unmarshal bool into Go value of type int32"),
    (
        b'{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"many"}}}]}}}}',
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    (
        b'{"metadata":{"creationTimestamp":"yesterday"}}',
        'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    ),
    (b'{"metadata":{"creationTimestamp":"2020-13-01T00:00:00Z"}}', 'parsing time "2020-13-01T00:00:00Z": month out of range'),
    *(
        (b'{"metadata":{"creationTimestamp":"%b"}}' % text.encode(), f'parsing time "{text}": {what} out of range')
        for text, what in (
            ("2020-01-01T24:00:00Z", "hour"),
            ("2020-02-30T00:00:00Z", "day"),
            ("2020-01-01T00:00:00+25:00", "time zone offset hour"),
            ("0001-01-01T00:00:00+14:00", "year"),
            ("9999-12-31T23:59:59-14:00", "year"),
            ("0000-01-01T00:00:00Z", "year"),
        )
    ),
]


@pytest.mark.parametrize(("body", "why"), TYPE_ERRORS, ids=lambda x: x.decode() if isinstance(x, bytes) else "")
def test_a_wrong_type_is_refused_in_upstreams_words(body: bytes, why: str) -> None:
    assert refusal(body) == f'Deployment in version "v1" cannot be handled as a Deployment: {why}'


def test_the_kind_in_the_message_is_the_bodys() -> None:
    message = refusal(b'{"kind":"Job","apiVersion":"batch/v1beta1","spec":1}')
    assert message.startswith('Job in version "v1beta1" cannot be handled as a Deployment: ')


BROKEN = [
    (b"", "unexpected end of JSON input (<empty>)"),
    (b'{"a":', 'unexpected end of JSON input ({"a":)'),
    (b'{"a" 1}', "invalid character '1' after object key ({\"a\" 1})"),
    (b'{"a":1,}', "invalid character '}' looking for beginning of object key string ({\"a\":1,})"),
    (b'{"a":1 "b"}', 'invalid character \'"\' after object key:value pair ({"a":1 "b"})'),
    (b'{"a":[1 2]}', "invalid character '2' after array element ({\"a\":[1 2]})"),
    (b'{"a":tru}', "invalid character '}' in literal true (expecting 'e') ({\"a\":tru})"),
    (b'{"a":-}', "invalid character '}' in numeric literal ({\"a\":-})"),
    (b'{"a":1.}', "invalid character '}' after decimal point in numeric literal ({\"a\":1.})"),
    (b'{"a":"\\x"}', 'invalid character \'x\' in string escape code ({"a":"\\x"})'),
    (b'{"a":NaN}', "invalid character 'N' looking for beginning of value ({\"a\":NaN})"),
    (b"{} x", "invalid character 'x' after top-level value ({} x)"),
    (b"nope", "invalid character 'o' in literal null (expecting 'u') (6e6f7065)"),
    (b"[" * 50_000, "exceeded max depth (" + "5b" * 30 + " ...)"),
    (b'{"a":' * 50_000, "exceeded max depth (" + ('{"a":' * 6) + " ...)"),
]


@pytest.mark.parametrize(("body", "why"), BROKEN, ids=lambda x: str(x[:20]))
def test_broken_json_is_refused_in_upstreams_words(body: bytes, why: str) -> None:
    prefix = "the object provided is unrecognized (must be of type Deployment): couldn't get version/kind; json parse error: "
    assert refusal(body) == prefix + why


def test_a_body_that_is_no_object_is_refused() -> None:
    assert "json: cannot unmarshal array into Go value of type struct" in refusal(b"[]")
    assert "json: cannot unmarshal number into Go struct field .kind of type string" in refusal(b'{"kind":1}')


def test_deep_nesting_inside_an_object_does_not_crash() -> None:
    for depth in (900, 5_000, 100_000):
        assert refusal(b'{"metadata":{"name":' + b"[" * depth + b"]" * depth + b"}}")


BAD_YAML = [
    (b"a: b: c", "yaml: mapping values are not allowed in this context"),
    (b"x: 1\na: b: c", "yaml: line 2: mapping values are not allowed in this context"),
    (b"[" * 100_000, "yaml: exceeded max depth of 250"),
    (b"a: *x", "yaml: unknown anchor 'x' referenced"),
    (b"\x00", "yaml: control characters are not allowed"),
    (b"{a: 1", "yaml: line 1: did not find expected ',' or '}'"),
]


@pytest.mark.parametrize(("body", "why"), BAD_YAML, ids=lambda x: str(x[:20]))
def test_broken_yaml_is_refused(body: bytes, why: str) -> None:
    assert why in refusal(body, yaml=True)


def test_an_alias_bomb_does_not_go_off() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "excessive aliasing" in refusal("\n".join(lines).encode(), yaml=True)

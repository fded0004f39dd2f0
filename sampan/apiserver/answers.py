"""Answers every handler gives: JSON, `metav1.Status` failures, warnings, YAML, compressed bodies."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import yaml

from sampan.api.errors import METHOD_NOT_ALLOWED, StatusError
from sampan.apiserver.negotiation import YAML, Form, negotiate_status
from sampan.lib.http import Request, Response

_encode = msgspec.json.encode

COMPRESS_BYTES = 128 * 1024
_WARNING_CHARACTERS = 4 * 1024
_LONG_WARNING_CHARACTERS = 256
"""What is left of each once there are too many."""
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_READ_BY_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
_LEVEL = 1


def json_answer(tree: Any) -> Response:
    """Of what is no object of the API: indented, whoever asks."""
    return Response(200, msgspec.json.format(_encode(tree), indent=2))


def failure(request: Request, error: StatusError) -> Response:
    """The answer to a request that failed."""
    form = negotiate_status(request.headers.get("accept", ""))
    answer = dress(request, _encode(error.status()) + b"\n", form, error.code)
    if error.retry_after_seconds:
        answer.headers += (("Retry-After", str(error.retry_after_seconds)),)
    return answer


def method_not_allowed() -> StatusError:
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, METHOD_NOT_ALLOWED, message, details={})


def status_bytes(error: StatusError) -> bytes:
    return _encode(error.status())


def text_answer(text: str, status: int = 200) -> Response:
    return Response(status, text.encode(), "text/plain; charset=utf-8", (("X-Content-Type-Options", "nosniff"),))


def warning_headers(warnings: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Warning headers as RFC 7234 has them; each text once, none with control characters in it, and no more than clients take.

    After apiserver's endpoints/filters/warning.go.
    """
    texts = [text for text in dict.fromkeys(warnings) if text and not _control(text)]
    if sum(map(len, texts)) <= _WARNING_CHARACTERS:
        return tuple(("Warning", _warning(text)) for text in texts)
    found: list[tuple[str, str]] = []
    written = 0
    for text in texts:
        if written >= _WARNING_CHARACTERS:
            break
        text = text[:_LONG_WARNING_CHARACTERS]
        written += len(text)
        found.append(("Warning", _warning(text)))
    return tuple(found)


def _warning(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'


def dress(request: Request, body: bytes, form: Form, status: int = 200, warnings: Sequence[str] = ()) -> Response:
    """A JSON body in the form the client asked for: YAML, indented, compressed."""
    headers = warning_headers(warnings) if warnings else ()
    content_type = form.media_type
    if form.media_type == YAML:
        body = to_yaml(body)
    elif form.pretty or is_pretty(request):
        body = msgspec.json.format(body, indent=2)
    answer = Response(status, body, content_type, headers)
    return compressed(request, answer) if len(body) > COMPRESS_BYTES else answer


def compressed(request: Request, answer: Response) -> Response:
    """The answer, packed if it is large and the client takes it so."""
    if len(answer.body) > COMPRESS_BYTES and takes_gzip(request):
        answer.body = gzip.compress(answer.body, _LEVEL)
        answer.headers = (*answer.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return answer


def to_yaml(body: bytes) -> bytes:
    return yaml_of(msgspec.json.decode(body))


def yaml_of(tree: Any) -> bytes:
    text: str = yaml.dump(tree, Dumper=yaml.CSafeDumper, default_flow_style=False, sort_keys=True, allow_unicode=True)
    return text.encode()


def takes_gzip(request: Request) -> bool:
    accepted = request.headers.get("accept-encoding", "")
    return "gzip" in accepted and any(each.strip() == "gzip" for each in accepted.split(","))


def is_pretty(request: Request) -> bool:
    """Whether the query wants it, or the client is one that people look at."""
    if "pretty" in request.query and (wish := request.parameters().get("pretty", "")):
        return wish in _TRUE
    return request.headers.get("user-agent", "").startswith(_READ_BY_PEOPLE)

"""Answers every handler gives: JSON, `metav1.Status` failures, warnings, YAML, compressed bodies."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any

import msgspec
import yaml

from sampan.api.errors import METHOD_NOT_ALLOWED, StatusError
from sampan.apiserver.negotiation import YAML, Form
from sampan.lib.http import Request, Response

_encode = msgspec.json.encode

COMPRESS_BYTES = 128 * 1024
_LEVEL = 1


def json_answer(tree: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, _encode(tree), headers=headers)


def failure(error: StatusError) -> Response:
    """The answer to a request that failed."""
    headers: tuple[tuple[str, str], ...] = ()
    if error.retry_after_seconds:
        headers = (("Retry-After", str(error.retry_after_seconds)),)
    return Response(error.code, _encode(error.status()) + b"\n", headers=headers)


def method_not_allowed() -> StatusError:
    return StatusError(405, METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource")


def status_bytes(error: StatusError) -> bytes:
    return _encode(error.status())


def text_answer(text: str, status: int = 200) -> Response:
    return Response(status, text.encode(), "text/plain; charset=utf-8", (("X-Content-Type-Options", "nosniff"),))


def warning_headers(warnings: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Warning headers as RFC 7234 has them; each text once."""
    return tuple(("Warning", f"299 - {_quote(text)}") for text in dict.fromkeys(warnings))


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ") + '"'


def dress(request: Request, body: bytes, form: Form, status: int = 200, warnings: Sequence[str] = ()) -> Response:
    """A JSON body in the form the client asked for: YAML, indented, compressed."""
    headers = warning_headers(warnings) if warnings else ()
    content_type = form.media_type
    if form.media_type == YAML:
        body = to_yaml(body)
    elif is_pretty(request):
        body = msgspec.json.format(body, indent=2)
    answer = Response(status, body, content_type, headers)
    return compressed(request, answer) if len(body) > COMPRESS_BYTES else answer


def compressed(request: Request, answer: Response) -> Response:
    """The answer, packed if it is large and the client takes it so."""
    if len(answer.body) > COMPRESS_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        answer.body = gzip.compress(answer.body, _LEVEL)
        answer.headers = (*answer.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return answer


def to_yaml(body: bytes) -> bytes:
    text: str = yaml.safe_dump(msgspec.json.decode(body), default_flow_style=False, sort_keys=True, allow_unicode=True)
    return text.encode()


def is_pretty(request: Request) -> bool:
    return "pretty=" in request.query and request.parameters().get("pretty", "") in ("1", "t", "T", "true", "TRUE", "True")

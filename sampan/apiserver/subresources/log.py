"""`pods/log`: a container's output, fetched from its kubelet as the client reads it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from sampan.api.errors import FieldError, StatusError, bad_request, internal_error, invalid, invalid_object
from sampan.api.integers import parse_int64
from sampan.api.slowcheck import why_no_time
from sampan.apiserver.kubelet import unreachable
from sampan.apiserver.requestinfo import RequestInfo, is_true
from sampan.apiserver.subresources.target import Nodes
from sampan.client.transport import HTTPStream, Transport
from sampan.lib.clock import parse_rfc3339
from sampan.lib.http import Answer, Request, Response, Sink, Stream

_FLAGS = ("follow", "previous", "timestamps")
_NUMBERS = ("sinceSeconds", "tailLines", "limitBytes")
_STREAMS = ("All", "Stdout", "Stderr")
MAX_FAILURE_BYTES = 50_000
HEAD_SECONDS = 30.0


async def serve_log(request: Request, info: RequestInfo, nodes: Nodes) -> Answer:
    """Raises StatusError."""
    parameters = request.parameters()
    options = log_options(parameters, info.name)
    target = nodes.target(info, parameters.get("container", ""))
    kubelet = nodes.kubelet_of(target.pod)
    if kubelet is None:
        return Response(204)  # not scheduled: nothing was ever said
    path = f"/containerLogs/{target.namespace}/{target.name}/{target.container}"
    async with AsyncExitStack() as stack:
        stream = await _open(stack, kubelet, path, options)
        if not 200 <= stream.status <= 206:
            raise await _failure(stream, info.name)
        held = stack.pop_all()

    async def produce(sink: Sink) -> None:
        async with held:
            async for chunk in stream:
                sink.write(chunk)
                await sink.drain()

    return Stream(produce, content_type="text/plain")


async def _open(stack: AsyncExitStack, kubelet: Transport, path: str, options: dict[str, str]) -> HTTPStream:
    try:
        opened = kubelet.stream("GET", path, query=options, accept="*/*", deadline_seconds=HEAD_SECONDS)
        return await stack.enter_async_context(opened)
    except (ConnectionError, TimeoutError) as error:
        raise unreachable("Get", kubelet, path, error) from error


async def _failure(stream: HTTPStream, name: str) -> StatusError:
    text = (await stream.read_all())[:MAX_FAILURE_BYTES].decode(errors="replace")
    if stream.status == 400:
        return bad_request(text)
    if stream.status == 404:
        details = {"name": name, "kind": "pods/log", "causes": [{"reason": "UnexpectedServerResponse", "message": text}]}
        message = f"the server could not find the requested resource ( pods/log {name})"
        return StatusError(404, "NotFound", message, details=details)
    if stream.status == 500:
        return internal_error(text)
    return StatusError(stream.status, "", text or f"the kubelet answered {stream.status}")


def log_options(parameters: dict[str, str], name: str) -> dict[str, str]:
    """The kubelet's query from the client's (`PodLogOptions`), checked as upstream's ValidatePodLogOptions does."""
    options = {flag: "true" for flag in _FLAGS if flag in parameters and is_true(parameters[flag])}
    numbers = {key: _number(parameters[key]) for key in _NUMBERS if parameters.get(key)}
    options |= {key: str(value) for key, value in numbers.items()}
    errors: list[FieldError] = []
    if numbers.get("tailLines", 0) < 0:
        errors.append(invalid("tailLines", numbers["tailLines"], "must be greater than or equal to 0"))
    if numbers.get("limitBytes", 1) < 1:
        errors.append(invalid("limitBytes", numbers["limitBytes"], "must be greater than 0"))
    since = parameters.get("sinceTime", "")
    if since and "sinceSeconds" in numbers:
        errors.append(
            FieldError("FieldValueForbidden", "[]", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified")
        )
    elif numbers.get("sinceSeconds", 1) < 1:
        errors.append(invalid("sinceSeconds", numbers["sinceSeconds"], "must be greater than 0"))
    if since:
        options["sinceTime"] = _time(since)
    _add_stream(parameters, options, errors)
    if errors:
        raise invalid_object("PodLogOptions", "", name, errors)
    return options


def _add_stream(parameters: dict[str, str], options: dict[str, Any], errors: list[FieldError]) -> None:
    stream = parameters.get("stream", "")
    if not stream:
        return
    if stream not in _STREAMS:
        choices = ", ".join(f'"{choice}"' for choice in _STREAMS)
        message = f'Unsupported value: "{stream}": supported values: {choices}'
        errors.append(FieldError("FieldValueNotSupported", "stream", message))
    elif stream != "All" and "tailLines" in options:
        message = "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now"
        errors.append(FieldError("FieldValueForbidden", "", message))
    options["stream"] = stream


def _number(text: str) -> int:
    try:
        return parse_int64(text)
    except ValueError as error:
        raise bad_request(str(error)) from None


def _time(text: str) -> str:
    try:
        parse_rfc3339(text)
    except ValueError:
        raise bad_request(why_no_time(text)) from None
    return text

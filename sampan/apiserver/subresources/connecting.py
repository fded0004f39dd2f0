"""Admission of connections: exec, attach, port-forward and the proxies, which upstream calls the operation CONNECT.

What is asked for stands in the query; webhooks get it as an object, and may change it. After ConnectResource of
k8s.io/apiserver/pkg/endpoints/handlers/rest.go.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CONNECT, Attributes
from sampan.apiserver.context import Context
from sampan.apiserver.requestinfo import RequestInfo, is_true
from sampan.apiserver.subresources import forms
from sampan.lib.http import Request

_FLAGS: Final = ("stdin", "stdout", "stderr", "tty")
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    forms.POD_EXEC.kind: (*_FLAGS, "container", "command"),
    forms.POD_ATTACH.kind: (*_FLAGS, "container"),
    forms.POD_PORT_FORWARD.kind: ("ports",),
}
"""Of each kind of options, which come from the query; those of proxies have a path only."""


async def admit_connection(context: Context, request: Request, info: RequestInfo, form: Resource) -> None:
    """Raises StatusError. What webhooks change of the options is in the request's query afterwards."""
    resource = context.endpoints[info.group, info.version, info.resource].resource
    options = options_of(request, info, form)
    attributes = Attributes(
        CONNECT,
        resource,
        info.namespace,
        info.name,
        request.user,
        options,
        None,
        info.subresource,
        False,
        info.warnings,
        form=form,
    )
    await context.registries.admission.judge(attributes)
    if attributes.again and form.kind in _FIELDS:
        request.query = _query(options, form.kind)


def options_of(request: Request, info: RequestInfo, form: Resource) -> Tree:
    """The query as the object that it says."""
    options: Tree = {"kind": form.kind, "apiVersion": form.group_version}
    if form.kind not in _FIELDS:
        if path := _path(info):
            options["path"] = path
        return options
    for name, text in parse_qsl(request.query, keep_blank_values=True):
        if name not in _FIELDS[form.kind]:
            continue
        if name == "command":
            options.setdefault(name, []).append(text)
        elif name == "ports":
            options.setdefault(name, []).extend(int(port) for port in text.split(",") if port.isdecimal())
        elif name == "container":
            options.setdefault(name, text)
        else:
            options.setdefault(name, is_true(text))
    if form.kind in (forms.POD_EXEC.kind, forms.POD_ATTACH.kind):
        _settle_flags(options)
    return options


def _settle_flags(options: Tree) -> None:
    """Output is wanted unless somebody says otherwise; what is not wanted is not said."""
    for name in ("stdout", "stderr"):
        options.setdefault(name, True)
    for name in _FLAGS:
        if not options.get(name):
            options.pop(name, None)


def _path(info: RequestInfo) -> str:
    rest = "/".join(info.parts[3:])
    path = f"/{rest}" if rest else ""
    return path + "/" if info.path.endswith("/") and not path.endswith("/") else path


def _query(options: Tree, kind: str) -> str:
    pairs: list[tuple[str, str]] = []
    for name in _FIELDS[kind]:
        value: Any = options.get(name)
        if name in _FLAGS:
            pairs.append((name, "true" if value else "false"))
        elif isinstance(value, list):
            pairs += [(name, str(each)) for each in value]
        elif value:
            pairs.append((name, str(value)))
    return urlencode(pairs)

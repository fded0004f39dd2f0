"""How a front proxy tells the server behind it who asks: headers, believed because of the proxy's client certificate.

https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/#original-request-username-and-group
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from sampan.apiserver.user import User
from sampan.lib.http import Request

USER: Final = "X-Remote-User"
UID: Final = "X-Remote-Uid"
GROUP: Final = "X-Remote-Group"
EXTRA_PREFIX: Final = "X-Remote-Extra-"


def identity_headers(user: User) -> list[tuple[str, str]]:
    headers = [(USER, user.name)]
    if user.uid:
        headers.append((UID, user.uid))
    headers += [(GROUP, group) for group in user.groups]
    return headers + [
        (EXTRA_PREFIX + quote(key.lower(), safe=""), value) for key, values in user.extra.items() for value in values
    ]


def identity_of(request: Request) -> User | None:
    """Whom the headers name; None where they name nobody. Whether to believe them is the caller's to know."""
    name = request.headers.get(USER.lower(), "")
    if not name:
        return None
    groups = filter(None, request.header_values(GROUP.lower()))
    extra = {
        unquote(header.removeprefix(EXTRA_PREFIX.lower())): tuple(request.header_values(header))
        for header in request.headers
        if header.startswith(EXTRA_PREFIX.lower())
    }
    return User(name, request.headers.get(UID.lower(), ""), tuple(groups), extra)

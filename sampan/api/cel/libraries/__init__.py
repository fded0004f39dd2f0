"""The libraries that Kubernetes adds to CEL, each since the version that brought it.

After k8s.io/apiserver/pkg/cel/environment/base.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.declarations import Library
from sampan.api.cel.libraries import (
    addresses,
    authorization,
    comprehensions,
    formats,
    lists,
    optionals,
    quantities,
    regex,
    semver,
    sets,
    strings,
    urls,
)

KUBERNETES: Final[tuple[Library, ...]] = (
    urls.LIBRARY,
    regex.LIBRARY,
    lists.LIBRARY,
    authorization.LIBRARY,
    optionals.LIBRARY,
    quantities.LIBRARY,
    strings.LIBRARY,
    strings.FORMAT,
    sets.LIBRARY,
    addresses.ADDRESSES,
    addresses.NETWORKS,
    formats.LIBRARY,
    authorization.SELECTORS,
    comprehensions.LIBRARY,
    semver.LIBRARY,
)

"""The libraries that Kubernetes adds to CEL, each since the version that brought it.

After k8s.io/apiserver/pkg/cel/environment/base.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.declarations import Library

KUBERNETES: Final[tuple[Library, ...]] = ()

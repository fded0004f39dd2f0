"""What is served now: an `Endpoint` for each group, version and plural. Those of custom resources come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sampan.apiserver.endpoint import Endpoint

Key = tuple[str, str, str]
"""Group, version and plural."""


class Endpoints(Mapping[Key, Endpoint]):
    """Handlers look a resource up with every request and keep nothing."""

    def __init__(self) -> None:
        self._served: dict[Key, Endpoint] = {}

    def __getitem__(self, key: Key) -> Endpoint:
        return self._served[key]

    def find(self, group: str, version: str, plural: str) -> Endpoint | None:
        return self._served.get((group, version, plural))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)

    def add(self, endpoint: Endpoint) -> None:
        """Serve a resource, in place of the one of the same name."""
        resource = endpoint.resource
        self._served[resource.group, resource.version, resource.plural] = endpoint

    def remove(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._served.pop(key, None)

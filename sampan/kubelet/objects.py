"""ConfigMaps, Secrets and tokens that pods refer to, fetched when needed and kept for a while.

A pod that starts sees what is there now; a pod that runs sees changes within a minute, as the kubelet promises. Watching
each object would hold one connection for each.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from sampan.api.errors import NOT_FOUND, StatusError
from sampan.api.types.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from sampan.api.types.core_v1 import ConfigMap, Pod, Secret, ServiceAccount
from sampan.client.rest import Client
from sampan.lib.clock import parse_rfc3339

from .env import ConfigError, NotFoundError

T = TypeVar("T", ConfigMap, Secret)

FRESH_SECONDS = 60.0
MAX_TOKEN_AGE_SECONDS = 24 * 3600.0
REFRESH_AT = 0.8


class _Kept:
    __slots__ = ("fetched", "value")

    def __init__(self, value: ConfigMap | Secret, fetched: float) -> None:
        self.value = value
        self.fetched = fetched


class _Token:
    __slots__ = ("refresh_at", "text")

    def __init__(self, text: str, refresh_at: float) -> None:
        self.text = text
        self.refresh_at = refresh_at


class Objects:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._clock = client.clock
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        self._fetching: dict[tuple[str, str, str], asyncio.Future[None]] = {}
        self._tokens: dict[tuple[str, str, str, int], _Token] = {}

    async def config_map(self, namespace: str, name: str, since: float = 0.0) -> ConfigMap:
        """As it was at `since` (wall clock) or later, and never older than a minute. Raises ConfigError, NotFoundError."""
        return await self._get(ConfigMap, namespace, name, since)

    async def secret(self, namespace: str, name: str, since: float = 0.0) -> Secret:
        return await self._get(Secret, namespace, name, since)

    async def _get(self, cls: type[T], namespace: str, name: str, since: float) -> T:
        key = (cls.api.kind, namespace, name)
        while key in self._fetching:
            # Many pods of one namespace start at once and all want the same object.
            await asyncio.wait({self._fetching[key]})
        kept = self._kept.get(key)
        now = self._clock.now()
        if kept is not None and kept.fetched >= since and now - kept.fetched < FRESH_SECONDS:
            return kept.value  # type: ignore[return-value]
        self._fetching[key] = asyncio.get_running_loop().create_future()
        try:
            found = await self._client.get(cls, name, namespace)
        except StatusError as error:
            self._kept.pop(key, None)
            if error.reason == NOT_FOUND:
                raise NotFoundError(f'{cls.api.kind.lower()} "{name}" not found') from None
            raise ConfigError(f"failed to fetch {cls.api.kind.lower()}: {error.message}") from None
        except (ConnectionError, TimeoutError) as error:
            if kept is not None:
                # While the API is away, what we knew last serves on.
                return kept.value  # type: ignore[return-value]
            raise ConfigError(f"failed to fetch {cls.api.kind.lower()}: {error}") from None
        finally:
            self._fetching.pop(key).set_result(None)
        self._kept[key] = _Kept(found, now)
        return found

    async def token(self, pod: Pod, audience: str, expiration_seconds: int) -> str:
        """A token of the pod's service account, bound to the pod; a new one from 80 % of its life on."""
        key = (pod.metadata.uid, pod.spec.serviceAccountName, audience, expiration_seconds)
        kept = self._tokens.get(key)
        now = self._clock.now()
        if kept is not None and now < kept.refresh_at:
            return kept.text
        bound = BoundObjectReference(apiVersion="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid)
        spec = TokenRequestSpec(
            audiences=[audience] if audience else [], expirationSeconds=expiration_seconds, boundObjectRef=bound
        )
        try:
            answer = await self._client.create_subresource(
                ServiceAccount,
                pod.spec.serviceAccountName or "default",
                pod.metadata.namespace,
                "token",
                TokenRequest(spec=spec),
                TokenRequest,
            )
        except StatusError as error:
            raise ConfigError(f"failed to fetch token: {error.message}") from None
        except (ConnectionError, TimeoutError) as error:
            if kept is not None:
                return kept.text
            raise ConfigError(f"failed to fetch token: {error}") from None
        life = parse_rfc3339(answer.status.expirationTimestamp) - now
        self._tokens[key] = _Token(answer.status.token, now + min(life * REFRESH_AT, MAX_TOKEN_AGE_SECONDS))
        return answer.status.token

    def forget_pod(self, uid: str) -> None:
        for key in [k for k in self._tokens if k[0] == uid]:
            del self._tokens[key]

    def forget_old(self, seconds: float = 10 * FRESH_SECONDS) -> None:
        """Drop what was fetched longer ago than that."""
        horizon = self._clock.now() - seconds
        for key in [k for k, kept in self._kept.items() if kept.fetched <= horizon]:
            del self._kept[key]

"""Getting a container's image: pull policies, back-off and the events that tell of it.

After k8s.io/kubernetes/pkg/kubelet/images.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Collection, Sequence

from sampan.api.types.core_v1 import Pod, Secret
from sampan.client.events import EventRecorder
from sampan.lib.clock import Clock

from .backoff import Backoff
from .containerstatus import Reason
from .env import ConfigError
from .labels import AnyContainer
from .runtime.base import ImageCredentials, ImageRef, Runtime, RuntimeFailure, SandboxConfig

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = (
    r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?"
)
_REFERENCE = re.compile(
    rf"^(?P<name>(?:(?:{_DOMAIN}|\[[a-fA-F0-9:]+\](?::[0-9]+)?)/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$"
)


class StartError(Exception):
    """A container could not be started. `reason` is for its status, `message`, too; `event` is what the event says."""

    def __init__(self, reason: str, message: str, event: str = "") -> None:
        super().__init__(message)
        self.why = Reason(reason, message)
        self.event = event or message


def normalize(image: str) -> str:
    """The reference with a tag or digest. Raises ValueError with the words of the reference library."""
    shown = f"couldn't parse image name {json.dumps(image)}: invalid reference format"
    remote = _without_domain(image).partition(":")[0]
    if remote != remote.lower():
        raise ValueError(f"{shown}: repository name ({remote}) must be lowercase")
    found = _REFERENCE.match(image)
    if found is None:
        raise ValueError(shown)
    return image if found["tag"] or found["digest"] else f"{image}:latest"


def _without_domain(image: str) -> str:
    first, slash, rest = image.partition("/")
    if slash and (any(c in first for c in ".:") or first == "localhost" or first != first.lower()):
        return rest
    return image if slash else f"library/{image}"


class Images:
    """One node's image pulls; `back_off` is shared by all containers of a pod that want the same image."""

    def __init__(
        self, runtime: Runtime, recorder: EventRecorder, clock: Clock, default_registries: Collection[str] = ()
    ) -> None:
        """`default_registries`: the names of the registry that images without one come from."""
        self._runtime = runtime
        self._recorder = recorder
        self._clock = clock
        self._backoff = Backoff(clock)
        self._errors: dict[str, str] = {}
        self._default_registries = default_registries

    async def ensure(
        self,
        pod: Pod,
        container: AnyContainer,
        field_path: str,
        sandbox: SandboxConfig | None,
        secret: Callable[[str, str], Awaitable[Secret]],
    ) -> ImageRef:
        """Raises StartError with the reasons InvalidImageName, ErrImageNeverPull, ErrImagePull, ImagePullBackOff,
        ImageInspectError."""

        def tell(type_: str, reason: str, message: str) -> None:
            self._recorder.event(pod, type_, reason, message, field_path=field_path)

        try:
            image = normalize(container.image)
        except ValueError as error:
            message = f"Failed to apply default image tag {json.dumps(container.image)}: {error}"
            tell("Warning", "InspectFailed", message)
            raise StartError("InvalidImageName", message, "InvalidImageName") from None
        try:
            present = await self._runtime.image_status(image)
        except RuntimeFailure as failure:
            message = f'Failed to inspect image "{container.image}": {failure}'
            tell("Warning", "InspectFailed", message)
            raise StartError("ImageInspectError", message, "ImageInspectError") from None
        policy = container.imagePullPolicy or ("Always" if image.endswith(":latest") else "IfNotPresent")
        if policy == "Never" and present is None:
            message = f'Container image "{container.image}" is not present with pull policy of Never'
            tell("Warning", "ErrImageNeverPull", message)
            raise StartError("ErrImageNeverPull", message, "ErrImageNeverPull")
        if present is not None and policy != "Always":
            tell("Normal", "Pulled", f'Container image "{container.image}" already present on machine')
            return present
        return await self._pull(pod, container, image, sandbox, secret, tell)

    async def _pull(
        self,
        pod: Pod,
        container: AnyContainer,
        image: str,
        sandbox: SandboxConfig | None,
        secret: Callable[[str, str], Awaitable[Secret]],
        tell: Callable[[str, str, str], None],
    ) -> ImageRef:
        key = f"{pod.metadata.uid}_{image}"
        if self._backoff.remaining_since_failure(key) > 0:
            message = f'Back-off pulling image "{container.image}"'
            tell("Normal", "BackOff", message)
            last = self._errors.get(key)
            shown = f"{message}: ErrImagePull: {last}" if last else message
            raise StartError("ImagePullBackOff", shown, "ImagePullBackOff")
        tell("Normal", "Pulling", f'Pulling image "{container.image}"')
        began = self._clock.monotonic()
        try:
            await self._pull_with_credentials(pod, image, sandbox, secret)
            found = await self._runtime.image_status(image)
        except RuntimeFailure as failure:
            tell("Warning", "Failed", f'Failed to pull image "{container.image}": {failure}')
            self._backoff.fail(key)
            self._errors[key] = str(failure)
            raise StartError("ErrImagePull", str(failure), "ErrImagePull") from None
        if found is None:
            raise StartError("ImageInspectError", f'image "{container.image}" vanished after its pull')
        took = round(self._clock.monotonic() - began, 3)
        text = f"{took:g}s" if took >= 1 else f"{took * 1000:g}ms"
        tell(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{container.image}" in {text} ({text} including waiting). '
            f"Image size: {found.size_bytes} bytes.",
        )
        self._errors.pop(key, None)
        return found

    async def _pull_with_credentials(
        self, pod: Pod, image: str, sandbox: SandboxConfig | None, secret: Callable[[str, str], Awaitable[Secret]]
    ) -> None:
        found: list[ImageCredentials] = []
        for reference in pod.spec.imagePullSecrets:
            try:
                held = await secret(pod.metadata.namespace, reference.name)
                found.extend(credentials_in(held, image, self._default_registries))
            except ConfigError:
                # Upstream pulls without a secret that is not there; the registry decides.
                continue
        failure: RuntimeFailure | None = None
        for credentials in found or [None]:  # type: ignore[list-item]
            try:
                await self._runtime.pull_image(image, credentials, sandbox)
                return
            except RuntimeFailure as error:
                failure = error
        if failure is not None:
            raise failure

    def retry_after(self, pod: Pod, container: AnyContainer) -> float:
        try:
            return self._backoff.remaining_since_failure(f"{pod.metadata.uid}_{normalize(container.image)}")
        except ValueError:
            return 0.0

    def forget_pod(self, uid: str) -> None:
        self._backoff.forget(f"{uid}_")
        for key in [k for k in self._errors if k.startswith(f"{uid}_")]:
            del self._errors[key]


def credentials_in(secret: Secret, image: str, default_registries: Collection[str] = ()) -> Sequence[ImageCredentials]:
    """Of a docker config secret: the entries that are for the image's registry, the most specific first."""
    text = secret.data.get(".dockerconfigjson")
    legacy = secret.data.get(".dockercfg")
    try:
        if text:
            auths = json.loads(base64.b64decode(text)).get("auths", {})
        elif legacy:
            auths = json.loads(base64.b64decode(legacy))
        else:
            return []
    except ValueError:
        return []
    first = image.split("/", 1)[0]
    names_one = "/" in image and (any(c in first for c in ".:") or first == "localhost")
    registries = (first,) if names_one else default_registries
    matching = []
    for server, entry in auths.items():
        bare = re.sub(r"^https?://", "", server).rstrip("/")
        host = bare.split("/", 1)[0]
        if host in registries:
            matching.append((len(bare), server, entry))
    matching.sort(key=lambda m: -m[0])
    return [_credentials(server, entry) for _, server, entry in matching if isinstance(entry, dict)]


def _credentials(server: str, entry: dict[str, str]) -> ImageCredentials:
    username, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth") and not username:
        username, _, password = base64.b64decode(entry["auth"]).decode(errors="replace").partition(":")
    return ImageCredentials(
        username=username, password=password, server_address=server, identity_token=entry.get("identitytoken", "")
    )

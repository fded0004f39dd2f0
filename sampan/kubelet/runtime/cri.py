"""A container runtime behind a CRI v1 socket, such as containerd's.

Calls go by method path, so no generated service stubs are needed. After the published interface
(k8s.io/cri-api, runtime.v1).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TypeVar, cast

import grpc.aio
from google.protobuf.message import Message

from . import cri_messages as convert
from . import cri_pb2 as pb
from .base import (
    ContainerConfig,
    ContainerStats,
    ContainerStatus,
    ContainerSummary,
    ExecResult,
    ImageCredentials,
    ImageRef,
    Resources,
    RuntimeCondition,
    RuntimeFailure,
    RuntimeVersion,
    SandboxConfig,
    SandboxStatus,
)

M = TypeVar("M", bound=Message)

CALL_SECONDS = 120.0
"""As the kubelet's --runtime-request-timeout of 2 minutes."""
PULL_SECONDS = 1800.0
MESSAGE_BYTES = 16 * 1024 * 1024


class CRIRuntime:
    """One runtime socket. Reconnects by itself; a call while the runtime is down fails with code "Unavailable"."""

    def __init__(self, socket_path: str) -> None:
        options = (
            # Go servers refuse the socket path that gRPC would send as authority.
            ("grpc.default_authority", "localhost"),
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 3000),
        )
        self._channel = grpc.aio.insecure_channel(f"unix://{socket_path}", options=options)
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[Message, Message]] = {}

    async def close(self) -> None:
        await self._channel.close(None)

    async def _call(self, service: str, request: Message, answer: type[M], seconds: float = CALL_SECONDS) -> M:
        method = type(request).__name__.removesuffix("Request")
        call = self._methods.get(method)
        if call is None:
            call = self._methods[method] = self._channel.unary_unary(
                f"/runtime.v1.{service}/{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer.FromString,
            )
        try:
            return cast(M, await call(request, timeout=seconds))
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from None

    async def _runtime(self, request: Message, answer: type[M], seconds: float = CALL_SECONDS) -> M:
        return await self._call("RuntimeService", request, answer, seconds)

    async def _image(self, request: Message, answer: type[M], seconds: float = CALL_SECONDS) -> M:
        return await self._call("ImageService", request, answer, seconds)

    async def version(self) -> RuntimeVersion:
        answer = await self._runtime(pb.VersionRequest(version="0.1.0"), pb.VersionResponse)
        return RuntimeVersion(answer.runtime_name, answer.runtime_version)

    async def status(self) -> Sequence[RuntimeCondition]:
        answer = await self._runtime(pb.StatusRequest(), pb.StatusResponse, 10.0)
        return [RuntimeCondition(c.type, c.status, c.reason, c.message) for c in answer.status.conditions]

    def changes(self) -> AsyncIterator[str] | None:
        # containerd 1.6 has no GetContainerEvents.
        return None

    async def run_sandbox(self, config: SandboxConfig) -> str:
        request = pb.RunPodSandboxRequest(config=convert.sandbox_config(config))
        return (await self._runtime(request, pb.RunPodSandboxResponse, 2 * CALL_SECONDS)).pod_sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._runtime(pb.StopPodSandboxRequest(pod_sandbox_id=sandbox_id), pb.StopPodSandboxResponse)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self._runtime(pb.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id), pb.RemovePodSandboxResponse)

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus:
        status = (
            await self._runtime(pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id), pb.PodSandboxStatusResponse)
        ).status
        ips = tuple(ip for ip in (status.network.ip, *(a.ip for a in status.network.additional_ips)) if ip)
        return convert.sandbox_of(status, ips)

    async def list_sandboxes(self, pod_uid: str = "") -> Sequence[SandboxStatus]:
        filter_ = pb.PodSandboxFilter(label_selector={convert.POD_UID_LABEL: pod_uid}) if pod_uid else None
        answer = await self._runtime(pb.ListPodSandboxRequest(filter=filter_), pb.ListPodSandboxResponse)
        return [convert.sandbox_of(item) for item in answer.items]

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: SandboxConfig) -> str:
        request = pb.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=convert.container_config(config),
            sandbox_config=convert.sandbox_config(sandbox),
        )
        return (await self._runtime(request, pb.CreateContainerResponse)).container_id

    async def start_container(self, container_id: str) -> None:
        await self._runtime(pb.StartContainerRequest(container_id=container_id), pb.StartContainerResponse)

    async def stop_container(self, container_id: str, timeout_seconds: int) -> None:
        request = pb.StopContainerRequest(container_id=container_id, timeout=timeout_seconds)
        try:
            await self._runtime(request, pb.StopContainerResponse, CALL_SECONDS + timeout_seconds)
        except RuntimeFailure as failure:
            if failure.code != "NotFound":
                raise

    async def remove_container(self, container_id: str) -> None:
        await self._runtime(pb.RemoveContainerRequest(container_id=container_id), pb.RemoveContainerResponse)

    async def container_status(self, container_id: str) -> ContainerStatus:
        answer = await self._runtime(pb.ContainerStatusRequest(container_id=container_id), pb.ContainerStatusResponse)
        return convert.status_of(answer.status)

    async def list_containers(self, pod_uid: str = "") -> Sequence[ContainerSummary]:
        filter_ = pb.ContainerFilter(label_selector={convert.POD_UID_LABEL: pod_uid}) if pod_uid else None
        answer = await self._runtime(pb.ListContainersRequest(filter=filter_), pb.ListContainersResponse)
        return [convert.summary_of(item) for item in answer.containers]

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        request = pb.UpdateContainerResourcesRequest(container_id=container_id, linux=convert.resources(resources))
        await self._runtime(request, pb.UpdateContainerResourcesResponse)

    async def reopen_log(self, container_id: str) -> None:
        await self._runtime(pb.ReopenContainerLogRequest(container_id=container_id), pb.ReopenContainerLogResponse)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: int) -> ExecResult:
        request = pb.ExecSyncRequest(container_id=container_id, cmd=list(command), timeout=timeout_seconds)
        # The runtime ends the command; our own deadline comes later, so that its answer is the one we see.
        limit = timeout_seconds + CALL_SECONDS if timeout_seconds else PULL_SECONDS
        answer = await self._runtime(request, pb.ExecSyncResponse, limit)
        return ExecResult(answer.stdout, answer.stderr, answer.exit_code)

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, tty: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str:
        request = pb.ExecRequest(
            container_id=container_id, cmd=list(command), tty=tty, stdin=stdin, stdout=stdout, stderr=stderr
        )
        return (await self._runtime(request, pb.ExecResponse)).url

    async def attach_url(self, container_id: str, *, tty: bool, stdin: bool, stdout: bool, stderr: bool) -> str:
        request = pb.AttachRequest(container_id=container_id, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)
        return (await self._runtime(request, pb.AttachResponse)).url

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str:
        request = pb.PortForwardRequest(pod_sandbox_id=sandbox_id, port=list(ports))
        return (await self._runtime(request, pb.PortForwardResponse)).url

    async def stats(self) -> Sequence[ContainerStats]:
        answer = await self._runtime(pb.ListContainerStatsRequest(), pb.ListContainerStatsResponse)
        return [convert.stats_of(item) for item in answer.stats]

    async def pull_image(self, image: str, credentials: ImageCredentials | None, sandbox: SandboxConfig | None) -> str:
        request = pb.PullImageRequest(
            image=pb.ImageSpec(image=image),
            auth=convert.credentials(credentials),
            sandbox_config=None if sandbox is None else convert.sandbox_config(sandbox),
        )
        return (await self._image(request, pb.PullImageResponse, PULL_SECONDS)).image_ref

    async def image_status(self, image: str) -> ImageRef | None:
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=image))
        answer = await self._image(request, pb.ImageStatusResponse)
        return convert.image_of(answer.image) if answer.HasField("image") else None

    async def list_images(self) -> Sequence[ImageRef]:
        answer = await self._image(pb.ListImagesRequest(), pb.ListImagesResponse)
        return [convert.image_of(item) for item in answer.images]

    async def remove_image(self, image: str) -> None:
        await self._image(pb.RemoveImageRequest(image=pb.ImageSpec(image=image)), pb.RemoveImageResponse)


def _failure(error: grpc.aio.AioRpcError) -> RuntimeFailure:
    """In the words of Go's gRPC client, whose code names are in camel case: NOT_FOUND is "NotFound"."""
    code = "".join(word.capitalize() for word in error.code().name.split("_"))
    return RuntimeFailure("OK" if code == "Ok" else code, error.details() or "")
